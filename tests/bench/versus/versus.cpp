// SPDX-License-Identifier: Apache-2.0
#include "bench/versus/versus.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "bench/bench_object.h"
#include "bench/cases.h"
#include "bench/classifier.h"
#include "bench/measure.h"
#include "bench/median.h"
#include "bench/versus/path_loader.h"
// After bench/shared.bpf.h, whose types the skeleton uses.
#include "bench.skel.h"

namespace espial::bench {
namespace {

constexpr std::size_t kLoadsAtOnce = 2;
constexpr std::size_t kLoadsAtMost = 8;
constexpr std::uint32_t kRounds = 12;
// A slice is short beside the turns that a busy machine gives to others: most are undisturbed, and
// the least of the rounds is one of them.
constexpr double kSliceNs = 1.5e6;
constexpr double kSliceOfMeshNs = 4e6;  // many peers: the caches settle first

// One loaded side of a row.
struct Side {
  int program = -1;
  double least = std::numeric_limits<double>::infinity();
};

// Programs of one mesh size: kLoadsAtOnce of the base, then of the tree.
using Loads = std::array<PathPrograms, 2 * kLoadsAtOnce>;

class Gate {
 public:
  Gate(BenchObject object, PathLoader base, PathLoader tree)
      : object_(std::move(object)), base_(std::move(base)), tree_(std::move(tree)) {}

  // Loads afresh what the cases need, and adds a value of each load to the rows.
  Status measure(const std::vector<Case>& cases, const std::vector<Versus*>& rows) {
    std::map<std::uint32_t, Loads> meshes;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      const Case& c = cases[i];
      auto found = meshes.find(c.peers);
      if (found == meshes.end()) {
        EP_ASSIGN(loads, load(c.peers));
        found = meshes.emplace(c.peers, std::move(loads)).first;
      }
      EP_TRY(measure(c, found->second, *rows[i]));
    }
    return Ok{};
  }

 private:
  Result<Loads> load(std::uint32_t peers) {
    Loads loads;
    for (std::size_t i = 0; i < kLoadsAtOnce; ++i) {
      EP_ASSIGN(base, base_.load(peers));
      EP_ASSIGN(tree, tree_.load(peers));
      loads[i] = std::move(base);
      loads[kLoadsAtOnce + i] = std::move(tree);
    }
    return loads;
  }

  Result<double> time_once(const Case& c, int program, std::uint32_t repeat) {
    if (c.vary.count == 0) return time_program(program, c.bytes, repeat);
    object_->bss->bench_vary = c.vary;
    const __u32 zero = 0;
    if (bpf_map_update_elem(bpf_map__fd(object_->maps.bench_next), &zero, &program, BPF_ANY) != 0)
      return Error{fmt::format("{}: tail call: cannot be set up", c.name)};
    return time_program(bpf_program__fd(object_->progs.bench_random), c.bytes, repeat);
  }

  Status measure(const Case& c, const Loads& loads, Versus& row) {
    std::array<Side, 2 * kLoadsAtOnce> sides;
    for (std::size_t i = 0; i < sides.size(); ++i) sides[i].program = loads[i].fd(c.direction);
    EP_ASSIGN(about, time_once(c, sides[0].program, 2000));
    const double slice = c.vary.count == 0 ? kSliceNs : kSliceOfMeshNs;
    const auto repeat = static_cast<std::uint32_t>(std::clamp(slice / about, 2000.0, 200'000.0));
    for (std::uint32_t round = 0; round < kRounds; ++round)
      for (std::size_t i = 0; i < sides.size(); ++i) {
        // Base and tree in turn, another one first each round.
        const std::size_t turn = (i + round) % sides.size();
        Side& side = sides[turn / 2 + turn % 2 * kLoadsAtOnce];
        EP_ASSIGN(spent, time_once(c, side.program, repeat));
        side.least = std::min(side.least, spent);
      }
    for (std::size_t i = 0; i < kLoadsAtOnce; ++i) {
      row.base.push_back(sides[i].least);
      row.tree.push_back(sides[kLoadsAtOnce + i].least);
    }
    return Ok{};
  }

  BenchObject object_;
  PathLoader base_;
  PathLoader tree_;
};

std::string line_of(const Versus& row, Verdict verdict) {
  return fmt::format("  {:<42}{:>9.1f}{:>9.1f}{:>8.2f}{:>8.0f} %{:>7}  {}\n", row.name,
                     median(row.base), median(row.tree), row.ratio(), 100 * row.spread(),
                     row.base.size(), to_string(verdict));
}

}  // namespace

Result<std::vector<Versus>> measure_versus(const Sides& sides, const std::string& only,
                                           const std::function<void(std::size_t)>& again) {
  EP_ASSIGN(object, load_bench_object());
  EP_ASSIGN(base, PathLoader::start(sides.base));
  EP_ASSIGN(tree, PathLoader::start(sides.tree));
  Gate gate(std::move(object), std::move(base), std::move(tree));

  std::vector<Case> cases;
  for (Case& c : classifier_cases(true))
    if (c.name.find(only) != std::string::npos) cases.push_back(std::move(c));
  if (cases.empty()) return Error{fmt::format("gate: no row has {} in its name", only)};
  EP_TRY(expect_classes(cases));
  std::vector<Versus> rows(cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) rows[i].name = cases[i].name;

  // All rows once; then, from new loads, those that seem to differ.
  for (std::size_t loads = 0; loads < kLoadsAtMost; loads += kLoadsAtOnce) {
    std::vector<Case> todo;
    std::vector<Versus*> into;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      if (loads > 0 && rows[i].verdict() == Verdict::kSame) continue;
      todo.push_back(cases[i]);
      into.push_back(&rows[i]);
    }
    if (todo.empty()) break;
    if (loads > 0) again(todo.size());
    EP_TRY(gate.measure(todo, into));
  }
  return rows;
}

std::string table_of(const std::vector<Versus>& rows, const std::vector<Accepted>& accepted) {
  std::string out =
      fmt::format("\n{:<44}{:>9}{:>9}{:>8}{:>10}{:>7}\n", "packet path, beside its base", "base ns",
                  "tree ns", "ratio", "spread", "loads");
  std::string differ;
  for (const Versus& row : rows) {
    const Verdict verdict = judged(row, accepted);
    (verdict == Verdict::kSame ? out : differ) += line_of(row, verdict);
  }
  return out + differ;
}

std::string json_of(const std::vector<Versus>& rows, const std::vector<Accepted>& accepted,
                    const std::string& base, const std::string& without_base) {
  const auto text = [](const std::string& value) {
    return value.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(value);
  };
  nlohmann::ordered_json document = {{"schema_version", 1},
                                     {"base", text(base)},
                                     {"without_base", text(without_base)},
                                     {"rows", nlohmann::json::array()}};
  for (const Versus& row : rows)
    document["rows"].push_back({{"name", row.name},
                                {"base_ns", median(row.base)},
                                {"tree_ns", median(row.tree)},
                                {"ratio", row.ratio()},
                                {"spread", row.spread()},
                                {"loads", row.base.size()},
                                {"verdict", to_string(judged(row, accepted))}});
  return document.dump(2) + "\n";
}

}  // namespace espial::bench
