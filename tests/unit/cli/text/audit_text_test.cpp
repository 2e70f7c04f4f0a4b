// SPDX-License-Identifier: Apache-2.0
#include "cli/text/diagnosis_text.h"

#include <gtest/gtest.h>

#include "golden.h"

namespace espial {
namespace {

using nlohmann::json;

json audit_sample() { return json::parse(testing::read_golden("audit.json")); }

TEST(AuditText, IsTheGoldenText) {
  testing::expect_golden("audit.txt", render_audit(audit_sample(), {}));
}

TEST(AuditText, TheExitStatusSaysWhetherAnythingIsWrong) {
  auto document = audit_sample();
  EXPECT_EQ(audit_exit(document), 1) << "node2 is exposed";
  auto& pair = document["peers"][0]["pairs"][0];
  for (const auto& [verdict, status] : {std::pair{"protected", 0},
                                        {"fail_closed", 0},
                                        {"user_space", 0},
                                        {"misconfigured", 1},
                                        {"unknown", 3}}) {
    pair["verdict"] = verdict;
    EXPECT_EQ(audit_exit(document), status) << verdict;
  }
  document["readable"] = false;
  EXPECT_EQ(audit_exit(document), 3);
  EXPECT_EQ(audit_exit(json::object()), 3) << "a document of another shape";
}

TEST(AuditText, SaysThatNatWasNotChecked) {
  auto document = audit_sample();
  EXPECT_EQ(render_audit(document, {}).find("NAT was not checked"), std::string::npos);
  document["nat"] = {{"checked", false}, {"reason", "nft: not installed"}};
  EXPECT_NE(render_audit(document, {}).find("\nNAT was not checked: nft: not installed\n"),
            std::string::npos);
}

}  // namespace
}  // namespace espial
