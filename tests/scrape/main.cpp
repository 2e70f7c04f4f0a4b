// SPDX-License-Identifier: Apache-2.0
// scrape_bench: what a scrape costs, beside prometheus-cpp's registry in the same run.
#include <fmt/format.h>
#include <malloc.h>
#include <prometheus/text_serializer.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "exporter/http/api.h"
#include "scrape/exchange.h"
#include "scrape/subjects.h"
#include "scrape/timing.h"
#include "unit/prometheus_cpp.h"

namespace espial::scrape {
namespace {

constexpr std::string_view kVersion = "0.1.0";
enum Exit { kGood = 0, kBad = 1, kUsage = 2, kCannotTell = 3 };

struct Options {
  std::size_t rounds = 400;
  std::size_t scrapes = 10000;
  bool gate = false;
};

struct Mesh {
  const char* name;
  std::size_t peers;
};
constexpr Mesh kCompact{"1,000 peers, compact", 1000};
constexpr Mesh kFull{"64 peers, full", 64};

// What the gate holds. Seen: ratios of 0.03, and 0.6 for prometheus-cpp's
// serializer with our families; no growth.
constexpr double kMostRatio = 0.10;
constexpr long kMostGrowthKib = 512;
constexpr int kKept = 256 << 20;  // bytes of freed memory that stay with the process
// A busy machine makes a ratio worse, never better: it may try again.
constexpr int kTries = 4;

struct Rows {
  std::size_t series = 0;
  std::size_t bytes = 0;
  std::size_t packed_bytes = 0;
  Timing espial;
  Timing registry;
  Timing collectable;
  Timing packed;
};

Api api_of(std::shared_ptr<const LatestReport> latest) {
  return Api(std::move(latest),
             [] { return Result<std::vector<FlowRecord>>{std::vector<FlowRecord>{}}; },
             {.version = std::string(kVersion)});
}

Result<Rows> measure(const Mesh& mesh, std::size_t rounds) {
  const auto reports = reports_of(mesh.peers, 4);
  const auto latest = std::make_shared<LatestReport>();
  const Collector collector(std::string(kVersion), MetricChoice::kAuto);
  const prometheus::TextSerializer serializer;
  Api plain = api_of(latest);
  Api packing = api_of(latest);
  std::vector<std::vector<double>> values;
  for (const auto& report : reports) {
    latest->publish(report);
    values.push_back(RegistrySubject::values_of(testing::collect(collector, report.get())));
  }
  RegistrySubject registry(testing::collect(collector, reports.back().get()));
  Rows out;
  out.series = values.front().size();
  for (std::size_t i = 0; i < rounds; ++i) {
    const auto& report = reports[i % reports.size()];
    latest->publish(report);
    std::shared_ptr<const std::string> own;
    std::shared_ptr<const std::string> packed;
    std::string theirs;
    time_into(out.espial, [&] { own = plain.get("/metrics", false).body; });
    time_into(out.registry, [&] {
      registry.set(values[i % values.size()]);
      theirs = registry.text();
    });
    // The registry sorts series and labels in its own way: as long, not equal.
    if (theirs.size() != own->size() && i < values.size())
      return Error{fmt::format("{}: {} bytes of text, prometheus-cpp's registry {}", mesh.name,
                               own->size(), theirs.size())};
    time_into(out.collectable,
              [&] { theirs = serializer.Serialize(testing::collect(collector, report.get())); });
    if (theirs != *own)
      return Error{fmt::format("{}: not the text of prometheus-cpp's serializer", mesh.name)};
    time_into(out.packed, [&] { packed = packing.get("/metrics", true).body; });
    out.bytes = own->size();
    out.packed_bytes = packed->size();
  }
  return out;
}

void print(const Mesh& mesh, const Rows& rows) {
  fmt::print("{}",
             table_head(fmt::format("{}: {} series, {} kB, {} kB gzip; ms", mesh.name, rows.series,
                                    rows.bytes / 1000, rows.packed_bytes / 1000)));
  fmt::print("{}{}{}{}", table_row("text, of a report and its values", rows.espial),
             table_row("prometheus-cpp: registry and TextSerializer", rows.registry),
             table_row("our families by prometheus-cpp's TextSerializer", rows.collectable),
             table_row("gzip, of a report and its values", rows.packed));
  fmt::print("  text / registry {:.3f}, of CPU time, round by round\n",
             ratio(rows.espial, rows.registry));
}

struct Memory {
  long early_kib = 0;
  long late_kib = 0;
};

// Scrapes of ever new reports, one in ten compressed: resident memory after a tenth and at the end.
Memory scrape_many(const Mesh& mesh, std::size_t scrapes) {
  const auto reports = reports_of(mesh.peers, 4);
  const auto latest = std::make_shared<LatestReport>();
  Api api = api_of(latest);
  Memory out;
  for (std::size_t i = 1; i <= scrapes; ++i) {
    latest->publish(reports[i % reports.size()]);
    (void)api.get("/metrics", i % 10 == 0);
    if (i == scrapes / 10) out.early_kib = resident_kib();
  }
  out.late_kib = resident_kib();
  return out;
}

Result<int> gate() {
  bool good = true;
  for (const Mesh& mesh : {kCompact, kFull}) {
    double seen = 0;
    for (int i = 0; i == 0 || (i < kTries && seen > kMostRatio); ++i) {
      EP_ASSIGN(rows, measure(mesh, 20));
      seen = ratio(rows.espial, rows.registry);
      fmt::print("{}: text / prometheus-cpp's registry {:.3f}, at most {:.2f}\n", mesh.name, seen,
                 kMostRatio);
    }
    good = good && seen <= kMostRatio;
  }
  const Memory memory = scrape_many(kCompact, 1000);
  const long growth = memory.late_kib - memory.early_kib;
  fmt::print("900 more scrapes: {} KiB more resident memory, at most {}\n", growth, kMostGrowthKib);
  return good && growth <= kMostGrowthKib ? kGood : kBad;
}

Result<int> run(const Options& options) {
  if (options.gate) return gate();
  for (const Mesh& mesh : {kCompact, kFull}) {
    EP_ASSIGN(rows, measure(mesh, options.rounds));
    print(mesh, rows);
  }
  const Memory memory = scrape_many(kCompact, options.scrapes);
  fmt::print("\n{} scrapes of {}: resident {} KiB after a tenth, {} KiB at the end\n",
             options.scrapes, kCompact.name, memory.early_kib, memory.late_kib);
  EP_TRY(enter_own_network());
  EP_ASSIGN(exchanges, time_exchanges(reports_of(kCompact.peers, 4), options.rounds));
  fmt::print("{}{}{}{}", table_head("over HTTP on loopback, of a new report; ms"),
             table_row("plain", exchanges.plain), table_row("gzip", exchanges.packed),
             table_row("plain, of a report asked for before", exchanges.repeated));
  return kGood;
}

}  // namespace
}  // namespace espial::scrape

int main(int argc, char** argv) {
  using namespace espial::scrape;  // NOLINT: the whole program is in there
  // Whether glibc gives the end of the heap back after a serializer is a matter of the addresses a
  // process happens to have, and page faults would double what is measured in one run of two.
  ::mallopt(M_TRIM_THRESHOLD, kKept);
  ::mallopt(M_MMAP_THRESHOLD, kKept);
  Options options;
  CLI::App app("What a scrape of espial costs, beside prometheus-cpp in the same run.");
  app.add_option("--rounds", options.rounds, "of each measurement")->check(CLI::PositiveNumber);
  app.add_option("--scrapes", options.scrapes, "whose memory is watched")
      ->check(CLI::PositiveNumber);
  app.add_flag("--gate", options.gate,
               "a quick run; fail when a ratio or the memory is above what "
               "is held");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kGood : kUsage;
  }
  const auto result = run(options);
  if (!result.ok()) fmt::print(stderr, "scrape_bench: {}\n", result.error().message);
  return result.ok() ? *result : kCannotTell;
}
