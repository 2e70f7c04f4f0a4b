// SPDX-License-Identifier: Apache-2.0
#include "model/alarms/alarm_messages.h"

#include <gtest/gtest.h>

namespace espial {
namespace {

Alarm alarm(const std::string& name, const std::string& peer,
            AlarmState state = AlarmState::kFiring) {
  return {name, Severity::kCritical, peer, state, {}, "7 packets"};
}

std::vector<Alarm> of_peers(std::size_t count, const std::string& name = "TunnelDown") {
  std::vector<Alarm> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(alarm(name, "node" + std::to_string(i)));
  return out;
}

TEST(AlarmMessages, AChangeIsALine) {
  const auto messages = messages_of(
      {alarm("CleartextTraffic", "node2"), alarm("EventsLost", "", AlarmState::kResolved)});
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].text, "alarm CleartextTraffic firing for node2: 7 packets");
  EXPECT_EQ(messages[0].peer, "node2");
  EXPECT_EQ(messages[0].evidence, "7 packets");
  EXPECT_EQ(messages[0].changes, 1U);
  EXPECT_EQ(messages[1].text, "alarm EventsLost resolved: 7 packets");
}

TEST(AlarmMessages, TwentyPeersAreTwentyLines) {
  EXPECT_EQ(messages_of(of_peers(kFloodPeers)).size(), kFloodPeers);
}

TEST(AlarmMessages, AFloodIsOneLineAndCountsWhatItTells) {
  auto changes = of_peers(1000);
  changes.insert(changes.begin(), alarm("CleartextTraffic", "node7"));
  changes.push_back(alarm("TunnelDown", "old", AlarmState::kResolved));
  changes.push_back(alarm("ConfigRejected", ""));
  const auto messages = messages_of(changes);
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[0].alarm, "CleartextTraffic");
  EXPECT_EQ(messages[1].text,
            "alarm TunnelDown firing for 1000 peers: node0, node1, node2, node3, node4 and 995 "
            "more (espial alarms shows each)");
  EXPECT_EQ(messages[1].peer, "");
  EXPECT_EQ(messages[1].severity, Severity::kCritical);
  EXPECT_EQ(messages[2].peer, "old") << "another change is another line";
  EXPECT_EQ(messages[3].alarm, "ConfigRejected");
  std::size_t told = 0;
  for (const auto& message : messages) told += message.changes;
  EXPECT_EQ(told, changes.size()) << "each change is in exactly one line";
}

}  // namespace
}  // namespace espial
