// SPDX-License-Identifier: Apache-2.0
#include "bench/classifier.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <map>

#include "bench/bench_object.h"
#include "bench/cases.h"
#include "kernel/test_run.h"
// After bench/shared.bpf.h, whose types the skeleton uses.
#include "bench.skel.h"

namespace espial::bench {
namespace {

// The programs over a mesh of one size: as they are in the data plane, and telling their verdict.
struct Loaded {
  TestRun fast;
  TestRun telling;
};

Result<Loaded> load(std::uint32_t peers) {
  const auto table = mesh(peers);
  EP_ASSIGN(fast, TestRun::open(table, peers, TestRun::Verdicts::kNo));
  EP_ASSIGN(telling, TestRun::open(table, peers, TestRun::Verdicts::kYes));
  EP_TRY(give_sas(fast, peers));
  EP_TRY(give_sas(telling, peers));
  return Loaded{std::move(fast), std::move(telling)};
}

Status expect_class(const TestRun& run, const Case& c) {
  EP_ASSIGN(verdict, run.run({.bytes = c.bytes, .direction = c.direction}));
  if (verdict.klass != c.expected)
    return Error{fmt::format("{}: the frame is {}, not {}", c.name, to_string(verdict.klass),
                             to_string(c.expected))};
  return Ok{};
}

Result<Cost> measure_case(bench_bpf& object, const TestRun& run, const Case& c,
                          const Effort& effort) {
  const int subject = run.programs().program_fd(c.direction, DeviceRole::kWireAndReentry, true);
  const int empty = bpf_program__fd(object.progs.bench_empty);
  if (c.vary.count == 0)
    return compare([&] { return time_program(empty, c.bytes, effort.repeat); },
                   [&] { return time_program(subject, c.bytes, effort.repeat); }, effort.rounds);
  // Both sides go through the same program that changes the address.
  const auto through = [&](int next) -> Result<double> {
    object.bss->bench_vary = c.vary;
    const __u32 zero = 0;
    if (bpf_map_update_elem(bpf_map__fd(object.maps.bench_next), &zero, &next, BPF_ANY) != 0)
      return Error{fmt::format("{}: tail call: cannot be set up", c.name)};
    return time_program(bpf_program__fd(object.progs.bench_random), c.bytes, effort.repeat);
  };
  return compare([&] { return through(empty); }, [&] { return through(subject); }, effort.rounds);
}

}  // namespace

Result<std::vector<Row>> measure_classifier(const Effort& effort, bool quick,
                                            const std::string& only) {
  EP_ASSIGN(object, load_bench_object());
  std::map<std::uint32_t, Loaded> meshes;
  std::vector<Row> rows;
  for (const Case& c : classifier_cases(quick)) {
    if (c.name.find(only) == std::string::npos) continue;
    auto found = meshes.find(c.peers);
    if (found == meshes.end()) {
      EP_ASSIGN(loaded, load(c.peers));
      found = meshes.emplace(c.peers, std::move(loaded)).first;
    }
    EP_TRY(expect_class(found->second.telling, c));
    EP_ASSIGN(cost, measure_case(*object, found->second.fast, c, effort));
    rows.push_back({"classifier, over an empty tc program", c.name, cost});
  }
  return rows;
}

Status expect_classes(const std::vector<Case>& cases) {
  std::map<std::uint32_t, TestRun> meshes;
  for (const Case& c : cases) {
    auto found = meshes.find(c.peers);
    if (found == meshes.end()) {
      EP_ASSIGN(run, TestRun::open(mesh(c.peers), c.peers, TestRun::Verdicts::kYes));
      EP_TRY(give_sas(run, c.peers));
      found = meshes.emplace(c.peers, std::move(run)).first;
    }
    EP_TRY(expect_class(found->second, c));
  }
  return Ok{};
}

}  // namespace espial::bench
