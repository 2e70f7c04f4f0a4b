// SPDX-License-Identifier: Apache-2.0
#include "cli/text/alarms_text.h"

#include <gtest/gtest.h>

#include "golden.h"

namespace espial {
namespace {

using nlohmann::json;

// What the daemon is promised to answer.
json alarms_sample() { return json::parse(testing::read_golden("alarms.json")); }

TEST(AlarmsText, IsTheGoldenTable) {
  testing::expect_golden("alarms.txt", render_alarms(alarms_sample(), {}));
}

TEST(AlarmsText, WithoutHistoryThereIsNone) {
  const auto chosen = select_alarms(alarms_sample(), "", false);
  ASSERT_TRUE(chosen.ok());
  EXPECT_FALSE(chosen->contains("history"));
  EXPECT_EQ(render_alarms(*chosen, {}).find("\nhistory\n"), std::string::npos);
}

TEST(AlarmsText, APeersAlarmsAndHistoryOnly) {
  const auto chosen = select_alarms(alarms_sample(), "node3", true);
  ASSERT_TRUE(chosen.ok());
  for (const char* list : {"alarms", "history"}) {
    EXPECT_FALSE((*chosen)[list].empty());
    for (const auto& item : (*chosen)[list]) EXPECT_EQ(item["peer"], "node3");
  }
  EXPECT_EQ(alarms_exit(*chosen), 0) << "its alarm is resolved";
  const auto quiet = select_alarms(alarms_sample(), "node4", false);
  ASSERT_TRUE(quiet.ok()) << "a peer without alarms";
  EXPECT_NE(render_alarms(*quiet, {}).find("no alarms\n"), std::string::npos);
  const auto unknown = select_alarms(alarms_sample(), "node9", false);
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().failure, Failure::kUsage);
}

TEST(AlarmsText, OnlyADaemonKnowsThatNothingFires) {
  auto document = alarms_sample();
  EXPECT_EQ(alarms_exit(document), 1);
  for (auto& alarm : document["alarms"]) alarm["state"] = "pending";
  EXPECT_EQ(alarms_exit(document), 0);
  document["daemon"]["running"] = false;
  document["saved"] = "2024-05-01T12:19:30.000Z";
  EXPECT_EQ(alarms_exit(document), 3);
  EXPECT_NE(render_alarms(document, {})
                .find("no daemon is running; these alarms were saved by the last one"),
            std::string::npos);
  document["alarms"][0]["state"] = "firing";
  EXPECT_EQ(alarms_exit(document), 1);
  EXPECT_EQ(alarms_exit(json::object()), 3);
}

TEST(AlarmsText, NoTextOfTheDocumentReachesTheTerminalAsItIs) {
  auto document = alarms_sample();
  for (const char* key : {"peer", "evidence", "alarm", "runbook"})
    document["alarms"][0][key] = "\x1b[2J";
  EXPECT_EQ(render_alarms(document, {}).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace espial
