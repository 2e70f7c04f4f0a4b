// SPDX-License-Identifier: Apache-2.0
// The document and text of one packet's explanation.
#include "cli/text/diagnosis_text.h"

#include <gtest/gtest.h>

#include "exporter/documents/diagnosis_documents.h"
#include "golden.h"

namespace espial {
namespace {

using nlohmann::json;

json explain_sample() {
  Explanation told;
  told.source = IpAddress::parse("10.101.1.10").value();
  told.destination = IpAddress::parse("10.101.2.10").value();
  const std::string inner = "10.101.1.10 > 10.101.2.10";
  told.steps = {
      {"origin", inner, "a ping comes in through br-prd, the first packet of its connection", {}},
      {"prerouting", inner, "no chain", {}},
      {"route", inner, "10.101.2.0/24 via 10.45.0.12 dev eth0", {}},
      {"policy", inner, "10.101.1.0/24 > 10.101.2.0/24 priority 0: tunnel, reqid 1", {}},
      {"forward",
       inner,
       "passed",
       {"forward, priority -5: accepted by inet osvc osvc-forward: accept",
        "forward, priority 0: accepted by ip filter FORWARD policy accept"}},
      {"sa", inner, "ESP SPI 0x00000001, 10.45.0.11 > 10.45.0.12, reqid 1", {}},
      {"output", "10.45.0.11 > 10.45.0.12", "no chain", {}}};
  told.end = FlowEnd::UNKNOWN;
  told.conclusion =
      "leaves as ESP SPI 0x00000001, to 10.45.0.12 over eth0, unless something that could not be "
      "read changes this";
  told.reasons = {"firewall: nft: not found"};
  return explain_document(told, "node1", WallTime{std::chrono::seconds{1714564800}});
}

TEST(ExplainText, IsTheGoldenTextAndDocument) {
  testing::expect_golden("explain.json", explain_sample().dump(2) + "\n");
  testing::expect_golden("explain.txt", render_explain(explain_sample(), {}));
}

TEST(ExplainText, TheExitStatusSaysHowItEnds) {
  EXPECT_EQ(explain_exit({{"end", "encrypted"}}), 0);
  for (const char* end : {"fail_closed", "clear", "dropped"})
    EXPECT_EQ(explain_exit({{"end", end}}), 1);
  EXPECT_EQ(explain_exit(explain_sample()), 3);
  EXPECT_EQ(explain_exit(json::object()), 3) << "a document of another shape";
}

TEST(ExplainText, NothingOfADocumentIsAControlSequence) {
  auto document = explain_sample();
  document["conclusion"] = "\x1b[2J";
  document["steps"][0]["what"] = "\x1b[2J";
  EXPECT_EQ(render_explain(document, {}).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace espial
