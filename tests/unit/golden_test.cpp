// SPDX-License-Identifier: Apache-2.0
// The promised exposition and status of a fixed snapshot, byte for byte. After a wanted change:
// ESPIAL_UPDATE_GOLDEN=1 ctest -L golden, and read the difference.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "exporter/audit_document.h"
#include "exporter/collector.h"
#include "exporter/status_document.h"
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

std::string exposition(MetricChoice choice) {
  const auto report = testing::golden_report();
  return Collector(testing::published(report), "0.1.0", choice).text(report.get());
}

TEST(Golden, Metrics) { expect_golden("metrics.prom", exposition(MetricChoice::kAuto)); }

TEST(Golden, CompactMetrics) {
  expect_golden("metrics_compact.prom", exposition(MetricChoice::kCompact));
}

TEST(Golden, Status) {
  expect_golden("status.json", document_text(status_document(*testing::golden_report()), 2));
}

TEST(Golden, Audit) {
  const auto report = testing::golden_report();
  expect_golden(
      "audit.json",
      document_text(audit_document(*report->snapshot.mesh, "node1", report->snapshot.time), 2));
}

}  // namespace
}  // namespace espial
