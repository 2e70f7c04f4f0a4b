// SPDX-License-Identifier: Apache-2.0
// espial_bench: what the packet path costs, held against an empty program and against other tools.
#include <fmt/format.h>
#include <sched.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "bench/beside/drops.h"
#include "bench/beside/side_by_side.h"
#include "bench/classifier.h"
#include "bench/report.h"
#include "bench/versus/versus.h"

namespace espial::bench {
namespace {

struct Options {
  bool quick = false;
  std::string only;
  std::string json;
  std::string gate;
  std::string base;
  std::string base_name;
  std::string without_base;
  std::string accepted;
};

enum Exit { kGood = 0, kBad = 1, kUsage = 2, kCannotTell = 3 };

// One CPU for the whole run: ratios of two CPUs mean nothing.
void stay_on_one_cpu() {
  const int cpu = sched_getcpu();
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu < 0 ? 0 : cpu), &set);
  sched_setaffinity(0, sizeof(set), &set);
}

int fail(const Error& error) {
  fmt::print(stderr, "bench: {}\n", error.message);
  return kCannotTell;
}

Result<std::vector<Accepted>> read_accepted(const std::string& path) {
  if (path.empty()) return std::vector<Accepted>{};
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return Error{fmt::format("{}: cannot be read", path)};
  return parse_accepted(text.str());
}

// Exit status 1: a row is worse. Without a base, the tree stands beside itself, which shows how far
// apart this machine puts the same programs, and says nothing of the tree.
Result<int> hold_against(const Options& options) {
  EP_ASSIGN(accepted, read_accepted(options.accepted));
  const Sides sides{options.base, options.gate};
  EP_ASSIGN(rows, measure_versus(sides, options.only, [](std::size_t count) {
              fmt::print("{} rows seem to differ: measured again\n", count);
              std::fflush(stdout);
            }));
  fmt::print("{}", table_of(rows, accepted));
  if (!options.json.empty() && !(std::ofstream(options.json) << json_of(
                                     rows, accepted, options.base_name, options.without_base)))
    return Error{fmt::format("{}: cannot be written", options.json)};
  std::map<Verdict, int> count;
  for (const Versus& row : rows) ++count[judged(row, accepted)];
  fmt::print("{} rows compared with {}: {} worse, {} accepted, {} better, {} unclear\n",
             rows.size(), options.base_name.empty() ? "the tree itself" : options.base_name,
             count[Verdict::kWorse], count[Verdict::kAccepted], count[Verdict::kBetter],
             count[Verdict::kUnclear]);
  if (options.only.empty())
    for (const Accepted& one : unneeded(rows, accepted))
      fmt::print("accepted, but no row needs it (anymore): {} {}\n", one.prefix, one.ratio);
  const auto worse = count[Verdict::kWorse];
  if (options.without_base.empty()) return worse == 0 ? kGood : kBad;
  fmt::print("not compared with a base: {}\n", options.without_base);
  return kGood;
}

// The rows with devices are of a whole run, or asked for by how their names start.
bool asks_for(const std::string& prefix, const Options& options) {
  return prefix.find(options.only.substr(0, prefix.size())) == 0;
}

Result<int> run(const Options& options) {
  stay_on_one_cpu();
  if (!options.gate.empty()) return hold_against(options);
  const Effort effort = options.quick ? Effort{5, 200'000} : Effort{};
  EP_ASSIGN(rows, measure_classifier(effort, options.quick, options.only));
  const Effort on_path{effort.rounds, effort.repeat / 5};
  if (asks_for("pass_", options)) {
    EP_ASSIGN(pass, measure_side_by_side(on_path));
    rows.insert(rows.end(), pass.begin(), pass.end());
  }
  fmt::print("{}", table_of(rows));
  if (asks_for("drop_", options)) {
    EP_ASSIGN(drops, measure_drops(on_path, options.only));
    fmt::print("{}", rates_of(drops));
    rows.insert(rows.end(), drops.rows.begin(), drops.rows.end());
  }
  if (!options.json.empty() && !(std::ofstream(options.json) << json_of(rows)))
    return Error{fmt::format("{}: cannot be written", options.json)};
  return kGood;
}

}  // namespace
}  // namespace espial::bench

int main(int argc, char** argv) {
  using namespace espial::bench;  // NOLINT: the whole program is in there
  Options options;
  CLI::App app("Measures the packet path of espial, in ns of CPU time per packet.");
  app.add_flag("--quick", options.quick, "fewer rows, fewer rounds");
  app.add_option("--only", options.only, "rows whose name contains TEXT")->type_name("TEXT");
  app.add_option("--json", options.json, "write the rows to FILE")->type_name("FILE");
  // tests/bench/gate builds the base and gives these.
  auto* gate = app.add_option("--gate", options.gate, "this tree's espial_packet_path");
  app.add_option("--base", options.base, "that of the base; fail if a row is worse than there")
      ->needs(gate);
  gate->needs("--base");
  app.add_option("--base-name", options.base_name, "the name of the base");
  app.add_option("--without-base", options.without_base,
                 "why there is no base and --base is this tree's");
  app.add_option("--accepted", options.accepted, "costs that do not fail the gate")
      ->type_name("FILE");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kGood : kUsage;
  }
  const auto result = run(options);
  return result.ok() ? *result : fail(result.error());
}
