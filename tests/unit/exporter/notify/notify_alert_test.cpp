// SPDX-License-Identifier: Apache-2.0
// What receivers are to be told, without any receiver.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "exporter/notify/alert_board.h"
#include "exporter/notify/alert_json.h"
#include "exporter/notify/attempts.h"

namespace espial {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr WallTime kNoon{std::chrono::seconds{1714564800}};
constexpr MonoTime kStart{std::chrono::hours{1}};

Alarm alarm(const std::string& name, const std::string& peer,
            AlarmState state = AlarmState::kFiring, std::chrono::seconds since = 0s) {
  Alarm out;
  out.name = name;
  out.severity = Severity::kCritical;
  out.peer = peer;
  out.state = state;
  out.since = kNoon + since;
  out.evidence = "40 packets in clear";
  return out;
}

AlertList list_of(const std::vector<Alarm>& alarms, std::size_t above = 20) {
  return alerts_of(alarms, above, kNoon + 60s);
}

const AlertOrigin kOrigin{"node1", "default", {{"cluster", "c1"}}};

TEST(Alerts, OnlyWhatFires) {
  const auto list = list_of({alarm("CleartextTraffic", "node2"),
                             alarm("PolicyMissing", "node2", AlarmState::kPending),
                             alarm("TunnelDown", "node3", AlarmState::kResolved)});
  ASSERT_EQ(list.firing.size(), 1u);
  EXPECT_EQ(list.firing[0].key, (AlertKey{"CleartextTraffic", "node2", false}));
  EXPECT_EQ(list.firing[0].starts, kNoon);
}

TEST(Alerts, AFloodOfOneNameIsOneAlertWithItsCount) {
  std::vector<Alarm> alarms{alarm("TunnelDown", "node99")};
  for (int i = 0; i < 50; ++i)
    alarms.push_back(alarm("CleartextTraffic", "node" + std::to_string(100 + i),
                           AlarmState::kFiring, std::chrono::seconds{50 - i}));
  const auto list = list_of(alarms, 20);
  EXPECT_EQ(list.firing.size(), 1u + 20u + 1u);
  EXPECT_EQ(list.collapsed.size(), 30u);
  // The oldest keep alerts of their own: one that began before never turns into the many.
  EXPECT_EQ(list.collapsed.count({"CleartextTraffic", "node149"}), 0u);
  EXPECT_EQ(list.collapsed.count({"CleartextTraffic", "node100"}), 1u);
  const auto many = std::find_if(list.firing.begin(), list.firing.end(),
                                 [](const Alert& a) { return a.key.collapsed; });
  ASSERT_NE(many, list.firing.end());
  EXPECT_EQ(many->evidence,
            "30 more: node129, node128, node127, node126, node125, node124, node123, node122, "
            "node121, node120 and 20 others");
  const auto labels = labels_of(*many, kOrigin);
  EXPECT_EQ(labels["collapsed"], "true");
  EXPECT_FALSE(labels.contains("peer"));
}

TEST(Alerts, TransitionsAreEndsAndBeginnings) {
  const auto before = list_of({alarm("CleartextTraffic", "node2"), alarm("TunnelDown", "node3")});
  const auto now = list_of({alarm("CleartextTraffic", "node4"), alarm("TunnelDown", "node3")});
  const auto changes = transitions(before, now);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].key.peer, "node2");
  EXPECT_EQ(changes[0].ended, kNoon + 60s);
  EXPECT_EQ(changes[1].key.peer, "node4");
  EXPECT_FALSE(changes[1].ended);
  EXPECT_TRUE(transitions(now, now).empty());
}

TEST(AlertJson, IsWhatAlertmanagerTakes) {
  const auto list = list_of({alarm("CleartextTraffic", "node2"), alarm("ConfigRejected", "")});
  const auto body = json::parse(alertmanager_body(list.firing, kOrigin, kNoon + 60s, 240s));
  EXPECT_EQ(body[0], json({{"labels",
                            {{"alertname", "EspialCleartextTraffic"},
                             {"severity", "critical"},
                             {"node", "node1"},
                             {"instance", "default"},
                             {"reporter", "daemon"},
                             {"cluster", "c1"},
                             {"peer", "node2"}}},
                           {"annotations",
                            {{"summary", "node1: CleartextTraffic with node2"},
                             {"evidence", "40 packets in clear"},
                             {"runbook", "/usr/share/espial/runbooks/EspialCleartextTraffic.md"}}},
                           {"startsAt", "2024-05-01T12:00:00.000Z"},
                           {"endsAt", "2024-05-01T12:05:00.000Z"}}));
  EXPECT_FALSE(body[1]["labels"].contains("peer"));
  auto ended = list.firing;
  ended[0].ended = kNoon + 30s;
  EXPECT_EQ(json::parse(alertmanager_body(ended, kOrigin, kNoon + 60s, 240s))[0]["endsAt"],
            "2024-05-01T12:00:30.000Z");
}

TEST(AlertJson, BytesThatAreNoUtf8SpoilNothing) {
  const auto list = list_of({alarm("CleartextTraffic", "node\xff")});
  EXPECT_EQ(json::parse(webhook_body(list.firing, kOrigin, 0))["alerts"][0]["labels"]["peer"],
            "node\xef\xbf\xbd");
}

TEST(AlertJson, AWebhookLearnsWhatItMissed) {
  auto list = list_of({alarm("CleartextTraffic", "node2")});
  auto body = json::parse(webhook_body(list.firing, kOrigin, 3));
  EXPECT_EQ(body["schema_version"], 1);
  EXPECT_EQ(body["dropped"], 3);
  EXPECT_EQ(body["alerts"][0]["status"], "firing");
  EXPECT_EQ(body["alerts"][0]["ends_at"], nullptr);
  list.firing[0].ended = kNoon + 30s;
  body = json::parse(webhook_body(list.firing, kOrigin, 3));
  EXPECT_EQ(body["alerts"][0]["status"], "resolved");
  EXPECT_EQ(body["alerts"][0]["ends_at"], "2024-05-01T12:00:30.000Z");
}

class AlertBoardTest : public ::testing::Test {
 protected:
  std::vector<Alert> send(MonoTime now) {
    const auto due = board_.due(now, 100);
    board_.delivered(due, now);
    return due;
  }
  AlertBoard board_{60s};
};

TEST_F(AlertBoardTest, WhatFiresIsSentAgainAndAgain) {
  board_.take(list_of({alarm("CleartextTraffic", "node2")}));
  EXPECT_EQ(board_.waiting(), 1u);
  EXPECT_EQ(send(kStart).size(), 1u);
  EXPECT_EQ(board_.waiting(), 0u);
  EXPECT_EQ(board_.next(), kStart + 60s);
  EXPECT_TRUE(send(kStart + 59s).empty());
  EXPECT_EQ(send(kStart + 60s).size(), 1u);
}

TEST_F(AlertBoardTest, WhatEndedIsSentOnce) {
  board_.take(list_of({alarm("CleartextTraffic", "node2")}));
  send(kStart);
  board_.take(list_of({}));
  const auto due = send(kStart + 1s);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].ended, kNoon + 60s);
  EXPECT_TRUE(send(kStart + 100s).empty());
  EXPECT_EQ(board_.next(), std::nullopt);
}

TEST_F(AlertBoardTest, AnAttemptThatFailedIsDueAgain) {
  board_.take(list_of({alarm("CleartextTraffic", "node2")}));
  EXPECT_EQ(board_.due(kStart, 100).size(), 1u);
  EXPECT_EQ(board_.due(kStart, 100).size(), 1u);
}

TEST_F(AlertBoardTest, WhatBeganAndEndedUnheardIsToldAsFiringFirst) {
  board_.take(list_of({alarm("CleartextTraffic", "node2")}));
  board_.take(list_of({}));
  auto due = send(kStart);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_FALSE(due[0].ended);
  due = send(kStart);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_TRUE(due[0].ended);
  EXPECT_EQ(board_.waiting(), 0u);
}

TEST_F(AlertBoardTest, TheNewestStateReplacesTheOlder) {
  board_.take(list_of({alarm("CleartextTraffic", "node2")}));
  send(kStart);
  board_.take(list_of({}));
  board_.take(list_of({alarm("CleartextTraffic", "node2")}));
  EXPECT_TRUE(send(kStart + 1s).empty()) << "it is known as firing, and fires";
}

TEST_F(AlertBoardTest, MemoryIsBoundedAndTheLossIsCounted) {
  for (std::size_t i = 0; i < AlertBoard::kMaxEnded + 10; ++i)
    board_.take(alerts_of({alarm("CleartextTraffic", "node" + std::to_string(i))}, 20,
                          kNoon + std::chrono::seconds(i)));
  EXPECT_EQ(board_.waiting(), AlertBoard::kMaxEnded + 1);
  EXPECT_EQ(board_.dropped(), 9u);
}

TEST(Backoff, DoublesUpToItsBoundWithChance) {
  const Backoff backoff{500ms, 30'000ms};
  EXPECT_EQ(backoff.wait(1, 0), 250ms);
  EXPECT_EQ(backoff.wait(1, 0.5), 375ms);
  EXPECT_EQ(backoff.wait(2, 0), 500ms);
  EXPECT_EQ(backoff.wait(7, 0), 15'000ms);
  EXPECT_EQ(backoff.wait(4'000'000'000, 0.999), 29'985ms);
}

}  // namespace
}  // namespace espial
