// SPDX-License-Identifier: Apache-2.0
// The promised exposition and status of a fixed snapshot, byte for byte. After a wanted change:
// ESPIAL_UPDATE_GOLDEN=1 ctest -L golden, and read the difference.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "exporter/documents/alarms_document.h"
#include "exporter/documents/audit_document.h"
#include "exporter/documents/status_document.h"
#include "exporter/metrics/collector.h"
#include "unit/exporter_fixture.h"

namespace espial {
namespace {

void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(ESPIAL_GOLDEN_DIR) + "/" + name;
  if (std::getenv("ESPIAL_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  std::ostringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(golden.str(), text);
}

NotifyStatus notified() {
  const WallTime success{std::chrono::milliseconds{1714564798500}};
  return {{{"alertmanager-0", 12, 0, 0, 0, success, ""},
           {"alertmanager-1", 0, 7, 0, 3, {}, "connect: Connection refused"},
           {"webhook-0", 4, 1, 2, 0, success, ""},
           {"command-0", 0, 0, 0, 0, {}, ""}},
          5};
}

std::string exposition(MetricChoice choice) {
  const auto report = testing::golden_report();
  return Collector("0.1.0", choice, notified).text(report.get());
}

TEST(Golden, Metrics) { expect_golden("metrics.prom", exposition(MetricChoice::kAuto)); }

TEST(Golden, CompactMetrics) {
  expect_golden("metrics_compact.prom", exposition(MetricChoice::kCompact));
}

// What a scrape of one node, and all of them together, cost Prometheus.
TEST(Golden, SeriesOfAMesh) {
  std::ostringstream table;
  table << "| nodes | set | series of a node | series of the mesh | bytes of a scrape |\n"
           "|---|---|---|---|---|\n";
  for (const std::size_t nodes : {10, 100, 1000})
    for (const MetricChoice choice : {MetricChoice::kFull, MetricChoice::kCompact}) {
      const auto report = testing::busy_report(nodes - 1);
      const Collector collector("0.1.0", choice);
      std::size_t series = 0;
      collector.visit(report.get(),
                      [&](const exposition::Family& family) { series += family.series.size(); });
      table << "| " << nodes << " | " << (choice == MetricChoice::kFull ? "full" : "compact")
            << " | " << series << " | " << nodes * series << " | "
            << collector.text(report.get()).size() << " |\n";
    }
  expect_golden("series.md", table.str());
}

TEST(Golden, Status) {
  expect_golden("status.json", document_text(status_document(*testing::golden_report()), 2));
}

TEST(Golden, Alarms) {
  const auto engine = testing::golden_alarms();
  expect_golden(
      "alarms.json",
      document_text(alarms_document({"node1",
                                     "default",
                                     testing::golden_start().time + std::chrono::minutes{20},
                                     std::nullopt,
                                     {"node2", "node3", "node4"},
                                     engine,
                                     {41, 37, 2}}),
                    2));
}

TEST(Golden, Audit) {
  const auto report = testing::golden_report();
  expect_golden(
      "audit.json",
      document_text(audit_document(*report->snapshot.mesh, "node1", report->snapshot.time), 2));
}

}  // namespace
}  // namespace espial
