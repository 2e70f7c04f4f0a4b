// SPDX-License-Identifier: Apache-2.0
#include "model/alarms/alarms.h"

#include <gtest/gtest.h>

#include "model/evaluate/evaluate.h"
#include "unit/model_fixture.h"

namespace espial {
namespace {

using namespace std::chrono_literals;
using testing::count;
using testing::wait;

// A daemon's life: one snapshot a second, changed by the test in between.
class AlarmsTest : public ::testing::Test {
 protected:
  AlarmsTest() {
    snapshot_.peers.push_back(testing::peer("b"));
    look();
  }
  PeerCounters& peer() { return snapshot_.peers[0].counters; }
  Evaluation look() { return evaluator_.evaluate(snapshot_); }
  Evaluation after(std::chrono::nanoseconds step) {
    wait(snapshot_, step);
    return look();
  }
  // The alarms of the last second of `seconds`, and how many changes there were on the way.
  std::size_t changes_within(int seconds) {
    std::size_t changes = 0;
    for (int i = 0; i < seconds; ++i) changes += after(1s).changes.size();
    return changes;
  }

  Snapshot snapshot_ = testing::node();
  Evaluator evaluator_;
};

std::string line(const Alarm& a) {
  return a.name + "/" + std::string(to_string(a.severity)) + "/" + a.peer + "/" +
         std::string(to_string(a.state)) + ": " + a.evidence;
}

std::vector<std::string> lines(const std::vector<Alarm>& alarms) {
  std::vector<std::string> out;
  for (const Alarm& alarm : alarms) out.push_back(line(alarm));
  return out;
}

using Lines = std::vector<std::string>;

TEST_F(AlarmsTest, AQuietNodeHasNone) {
  EXPECT_EQ(changes_within(120), 0U);
  EXPECT_TRUE(look().report.alarms.empty());
}

TEST_F(AlarmsTest, DropsInForwardFireWhileTheyGrow) {
  peer().kernel.netfilter[at(Hook::INPUT)] = {5, 5};  // another hook is no alarm
  EXPECT_EQ(changes_within(10), 0U);
  peer().kernel.netfilter[at(Hook::FORWARD)][at(Family::kIpv4)] = 3;
  peer().kernel.netfilter[at(Hook::FORWARD_OR_POSTROUTING)][at(Family::kIpv6)] = 4;
  EXPECT_EQ(lines(after(1s).changes), Lines{});  // it must last
  after(1s);
  EXPECT_EQ(lines(after(1s).report.alarms),
            Lines{"ForwardDrops/warning/b/firing: 7 packets dropped by netfilter in 13 s: 3 ipv4 "
                  "in FORWARD, 4 ipv6 in FORWARD or POSTROUTING"});
  EXPECT_EQ(changes_within(70), 1U);
  EXPECT_EQ(look().report.alarms.front().state, AlarmState::kResolved);
}

TEST_F(AlarmsTest, TheFirstCleartextPacketFiresAtOnceAndIsToldOnce) {
  count(peer(), Direction::RECEIVE, Class::CLEARTEXT, 1);
  const Evaluation first = after(10ms);
  const Lines expected = {
      "CleartextTraffic/critical/b/firing: 1 packet received, 0 sent in clear in 1 s; b sends in "
      "clear: espial audit on b says why"};
  EXPECT_EQ(lines(first.changes), expected);
  EXPECT_EQ(lines(first.report.alarms), expected);
  EXPECT_EQ(first.report.alarms[0].since, snapshot_.time);

  count(peer(), Direction::RECEIVE, Class::CLEARTEXT, 11);
  const Evaluation second = after(1s);
  EXPECT_TRUE(second.changes.empty());
  ASSERT_EQ(second.report.alarms.size(), 1U);
  EXPECT_EQ(second.report.alarms[0].evidence,
            "12 packets received, 0 sent in clear in 1 s; b sends in clear: espial audit on b says "
            "why");
  EXPECT_EQ(second.report.alarms[0].since, first.report.alarms[0].since);
}

TEST_F(AlarmsTest, EveryUnprotectedClassHasItsAlarm) {
  const std::pair<Class, const char*> cases[] = {
      {Class::CLEARTEXT, "CleartextTraffic"},
      {Class::CLEARTEXT_TUNNEL, "CleartextTraffic"},
      {Class::AH, "CleartextTraffic"},
      {Class::ESP_NULL, "CleartextTraffic"},
      {Class::TOO_DEEP, "CleartextTraffic"},
      {Class::CLEARTEXT_RESENT, "CleartextTraffic"},
      {Class::CLEARTEXT_SPOOFED, "CleartextTraffic"},
      {Class::CLEARTEXT_HOST, "CleartextHost"},
      {Class::CLEARTEXT_TRANSIT, "CleartextTransit"},
  };
  for (const auto& [klass, name] : cases)
    for (const Direction d : {Direction::RECEIVE, Direction::TRANSMIT})
      for (const Family f : {Family::kIpv4, Family::kIpv6}) {
        Snapshot snapshot = testing::node();
        snapshot.peers.push_back(testing::peer("b"));
        Evaluator evaluator;
        evaluator.evaluate(snapshot);
        count(snapshot.peers[0].counters, d, klass, 1, f);
        wait(snapshot, 1s);
        const auto changes = evaluator.evaluate(snapshot).changes;
        ASSERT_EQ(changes.size(), 1U) << name;
        EXPECT_EQ(changes[0].name, name);
        EXPECT_EQ(changes[0].peer, "b");
      }
}

TEST_F(AlarmsTest, EncryptedAndNeutralTrafficRaisesNothing) {
  for (const Class c : {Class::ESP, Class::ESP_UDP, Class::ESP_TCP, Class::IKE, Class::FLOODED,
                        Class::OTHER, Class::OTHER_VLAN, Class::MALFORMED}) {
    count(peer(), Direction::RECEIVE, c, 1000);
    count(peer(), Direction::TRANSMIT, c, 1000);
  }
  peer().decrypted[0].packets = 1000;
  peer().unattributed = 1000;
  EXPECT_EQ(changes_within(70), 0U);
}

TEST_F(AlarmsTest, ResolvesWhenTheWindowIsQuietAndIsShownForTenMinutes) {
  count(peer(), Direction::TRANSMIT, Class::CLEARTEXT, 2);
  EXPECT_EQ(after(1s).changes.size(), 1U);
  EXPECT_EQ(changes_within(50), 0U) << "still in the window";
  EXPECT_EQ(changes_within(11), 1U) << "resolved once";
  EXPECT_EQ(lines(look().report.alarms),
            Lines{"CleartextTraffic/critical/b/resolved: 0 packets received, 2 sent in clear in "
                  "60 s"});
  changes_within(580);
  EXPECT_EQ(look().report.alarms.size(), 1U);
  changes_within(30);
  EXPECT_TRUE(look().report.alarms.empty());
}

TEST_F(AlarmsTest, AResolvedAlarmFiresAgain) {
  count(peer(), Direction::TRANSMIT, Class::CLEARTEXT, 2);
  changes_within(70);
  count(peer(), Direction::TRANSMIT, Class::CLEARTEXT, 1);
  const Evaluation again = after(1s);
  ASSERT_EQ(again.changes.size(), 1U);
  EXPECT_EQ(again.changes[0].state, AlarmState::kFiring);
  EXPECT_EQ(again.report.alarms.size(), 1U);
}

TEST_F(AlarmsTest, ACandidateIsShownAndNeverAlarmed) {
  snapshot_.peers[0].peer.state = PeerState::kCandidate;
  count(peer(), Direction::RECEIVE, Class::CLEARTEXT, 5);
  count(peer(), Direction::RECEIVE, Class::CLEARTEXT_HOST, 5);
  count(peer(), Direction::TRANSMIT, Class::CLEARTEXT_TRANSIT, 5);
  peer().spoofed = 5;
  const Evaluation seen = after(1s);
  EXPECT_TRUE(seen.report.alarms.empty());
  EXPECT_EQ(seen.report.peers[0].verdict, Verdict::kLeaking);
}

TEST_F(AlarmsTest, ALearntPeerIsAlarmed) {
  snapshot_.peers[0].peer.state = PeerState::kLearnt;
  count(peer(), Direction::RECEIVE, Class::CLEARTEXT, 5);
  EXPECT_EQ(after(1s).changes.size(), 1U);
}

TEST_F(AlarmsTest, UnknownNodeWaitsItsHoldOff) {
  count(snapshot_.no_peer, Direction::TRANSMIT, Class::UNKNOWN_NODE, 3);
  const Evaluation first = after(1s);
  EXPECT_TRUE(first.changes.empty());
  ASSERT_EQ(first.report.alarms.size(), 1U);
  EXPECT_EQ(first.report.alarms[0].state, AlarmState::kPending);
  EXPECT_EQ(changes_within(9), 0U);
  const Evaluation fired = after(1s);
  EXPECT_EQ(lines(fired.changes),
            Lines{"UnknownNode/warning//firing: 0 packets received, 3 sent in clear in a backend "
                  "network, from or to no known node in 11 s"});
}

TEST_F(AlarmsTest, SpoofedInnerFires) {
  peer().spoofed = 4;
  const auto changes = after(1s).changes;
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].name, "SpoofedInner");
  EXPECT_EQ(changes[0].evidence.substr(0, 9), "4 packets");
}

TEST_F(AlarmsTest, ADeviceWithoutItsProgramsAlarmsAfterTheHoldOffOnly) {
  snapshot_.devices.push_back(testing::device("eth1"));
  snapshot_.devices[1].transmit_attached = false;
  snapshot_.devices[1].why = "Operation not permitted";
  EXPECT_TRUE(after(1s).changes.empty());
  snapshot_.devices[1].transmit_attached = true;
  EXPECT_TRUE(after(1s).report.alarms.empty()) << "healed in time: nobody is told";

  snapshot_.devices[1].transmit_attached = false;
  EXPECT_EQ(changes_within(2), 0U);
  EXPECT_EQ(lines(after(1s).changes),
            Lines{"ProgramDetached/critical//firing: 1 of 2 devices: eth1: transmit not attached "
                  "(Operation not permitted)"});
  snapshot_.devices[1].transmit_attached = true;
  EXPECT_EQ(changes_within(3), 0U) << "it may be gone again in a moment";
  const auto healed = after(1s).changes;
  ASSERT_EQ(healed.size(), 1U);
  EXPECT_EQ(healed[0].state, AlarmState::kResolved);
}

TEST_F(AlarmsTest, WhatSomebodyRemovedIsToldThoughItWasPutBack) {
  snapshot_.restored = Restored{snapshot_.monotonic, 2, 3, 1s};
  EXPECT_EQ(changes_within(2), 0U);
  EXPECT_EQ(lines(after(1s).changes),
            Lines{"ProgramDetached/critical//firing: removed or displaced externally: 2 programs "
                  "and 3 pins; "
                  "put back within 1 s; packets passed unseen meanwhile"});
  EXPECT_EQ(changes_within(56), 0U);
  EXPECT_EQ(changes_within(5), 1U);
}

TEST_F(AlarmsTest, ANewDeviceAlarmsWhereItCouldNotEnforce) {
  snapshot_.gaps.new_device = snapshot_.monotonic;
  snapshot_.gaps.last = 20ms;
  EXPECT_EQ(changes_within(10), 0U);
  snapshot_.peers[0].peer.mode = Mode::ENFORCE;
  EXPECT_EQ(changes_within(10), 1U);
}

TEST_F(AlarmsTest, AReentryDeviceNeedsNoTransmitProgram) {
  snapshot_.devices.push_back(testing::device("ipsec0", DeviceRole::kReentry));
  EXPECT_EQ(changes_within(10), 0U);
  snapshot_.devices[1].receive_attached = false;
  EXPECT_EQ(changes_within(10), 1U);
}

TEST_F(AlarmsTest, ARejectedConfigurationFiresAndResolves) {
  snapshot_.last_reload_successful = false;
  snapshot_.last_reload_error = "espial.yaml:3: listne: unknown key";
  EXPECT_EQ(lines(after(1s).changes),
            Lines{"ConfigRejected/warning//firing: espial.yaml:3: listne: unknown key"});
  snapshot_.last_reload_successful = true;
  snapshot_.last_reload_error.clear();
  EXPECT_EQ(after(1s).changes.size(), 1U);
}

TEST_F(AlarmsTest, LostEventsFireWithTheirReasons) {
  snapshot_.lost[at(Lost::FLOW_EVENT_FULL)] = 7;
  snapshot_.lost[at(Lost::NO_TABLE)] = 1;
  changes_within(10);
  EXPECT_EQ(lines(after(1s).changes),
            Lines{"EventsLost/warning//firing: 1 no_table, 7 flow_event_full in 11 s"});
}

TEST_F(AlarmsTest, ARestartedDaemonRaisesNothingFromOldCounters) {
  Snapshot old = testing::node();
  old.peers.push_back(testing::peer("b"));
  auto& counters = old.peers[0].counters;
  count(counters, Direction::RECEIVE, Class::CLEARTEXT, 1000);
  counters.spoofed = 10;
  counters.last_unprotected[at(Direction::RECEIVE)] = old.time - 61s;
  count(old.no_peer, Direction::TRANSMIT, Class::UNKNOWN_NODE, 10);
  old.lost[at(Lost::NO_TABLE)] = 10;
  Evaluator restarted;
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(restarted.evaluate(old).report.alarms.empty());
    wait(old, 1s);
  }
}

TEST_F(AlarmsTest, ARestartedDaemonSeesTheLeakOfTheLastMinute) {
  Snapshot old = testing::node();
  old.peers.push_back(testing::peer("b"));
  auto& counters = old.peers[0].counters;
  count(counters, Direction::RECEIVE, Class::CLEARTEXT_HOST, 1000);
  counters.last_unprotected[at(Direction::RECEIVE)] = old.time - 20s;
  Evaluator restarted;
  EXPECT_EQ(lines(restarted.evaluate(old).changes),
            Lines{"CleartextHost/warning/b/firing: last packet received in clear from or to a host "
                  "address 20 s ago, before this daemon started"});
}

TEST_F(AlarmsTest, AHostLeakNeverTurnsIntoTrafficWhenItsWindowEnds) {
  count(peer(), Direction::RECEIVE, Class::CLEARTEXT, 1);
  changes_within(700);
  count(peer(), Direction::RECEIVE, Class::CLEARTEXT_HOST, 1);
  peer().last_unprotected[at(Direction::RECEIVE)] = snapshot_.time + 500ms;
  for (int i = 0; i < 70; ++i)
    for (const Alarm& alarm : after(1s).changes) EXPECT_EQ(alarm.name, "CleartextHost");
}

TEST_F(AlarmsTest, TheWallClockMayJump) {
  count(peer(), Direction::RECEIVE, Class::CLEARTEXT, 1);
  after(1s);
  snapshot_.time -= std::chrono::hours{5};
  EXPECT_EQ(changes_within(50), 0U);
  snapshot_.time += std::chrono::hours{20};
  EXPECT_EQ(changes_within(12), 1U);
}

TEST_F(AlarmsTest, FiringComesFirstThenTheMostSevere) {
  count(snapshot_.no_peer, Direction::RECEIVE, Class::UNKNOWN_NODE, 1);  // pending
  count(peer(), Direction::RECEIVE, Class::CLEARTEXT_HOST, 1);
  count(peer(), Direction::TRANSMIT, Class::CLEARTEXT_TRANSIT, 1);
  const auto alarms = after(1s).report.alarms;
  ASSERT_EQ(alarms.size(), 3U);
  EXPECT_EQ(alarms[0].name, "CleartextTransit");
  EXPECT_EQ(alarms[1].name, "CleartextHost");
  EXPECT_EQ(alarms[2].name, "UnknownNode");
}

TEST_F(AlarmsTest, ReportsCarryWindowTotalAndVerdictPerPeer) {
  count(peer(), Direction::RECEIVE, Class::ESP, 1000);
  for (int i = 0; i < 70; ++i) after(1s);
  count(peer(), Direction::RECEIVE, Class::ESP, 5);
  count(peer(), Direction::TRANSMIT, Class::ESP_UDP, 6);
  const Report report = after(1s).report;
  ASSERT_EQ(report.peers.size(), 1U);
  EXPECT_EQ(report.peers[0].verdict, Verdict::kEncrypted);
  EXPECT_EQ(report.peers[0].window[at(Direction::RECEIVE)].encrypted, 5U);
  EXPECT_EQ(report.peers[0].total[at(Direction::RECEIVE)].encrypted, 1005U);
  EXPECT_EQ(report.peers[0].window[at(Direction::TRANSMIT)].encrypted, 6U);
  EXPECT_GE(report.window, 54s);
  EXPECT_LE(report.window, 60s);
}

TEST_F(AlarmsTest, WhatEnforcementDropsIsToldByReasonAndDirection) {
  auto& dropped = peer().enforced[at(Action::kDrop)];
  dropped[at(Direction::RECEIVE)][at(Reason::CLEARTEXT)].packets = 3;
  dropped[at(Direction::RECEIVE)][at(Reason::SPOOFED)].packets = 1;
  dropped[at(Direction::TRANSMIT)][at(Reason::CLEARTEXT_HOST)].packets = 2;
  EXPECT_EQ(lines(after(1s).changes),
            Lines{"EnforcementDropping/warning/b/firing: 6 packets dropped in 1 s: received 3 "
                  "cleartext, 1 spoofed; sent 2 cleartext_host"});
  EXPECT_EQ(changes_within(62), 1U) << "resolved once the window is quiet";
}

TEST_F(AlarmsTest, WhatAuditWouldDropIsAnAlarmOfItsOwn) {
  peer().enforced[at(Action::kWouldDrop)][at(Direction::TRANSMIT)][at(Reason::AH)].packets = 1;
  EXPECT_EQ(lines(after(1s).changes),
            Lines{"WouldDrop/info/b/firing: 1 packet would have been dropped in 1 s: sent 1 ah"});
}

TEST_F(AlarmsTest, UnknownNodesAreToldWhenDroppedNotWhenAudited) {
  auto& node = snapshot_.no_peer.enforced;
  node[at(Action::kWouldDrop)][0][at(Reason::UNKNOWN_NODE)].packets = 1;
  EXPECT_TRUE(after(1s).changes.empty());
  node[at(Action::kDrop)][0][at(Reason::UNKNOWN_NODE)].packets = 1;
  EXPECT_EQ(lines(after(1s).changes),
            Lines{"EnforcementDropping/warning//firing: 1 packet dropped in 2 s: received 1 "
                  "unknown_node"});
}

TEST_F(AlarmsTest, ADeviceWithoutProgramsIsWorseInEnforce) {
  snapshot_.peers[0].peer.mode = Mode::ENFORCE;
  snapshot_.devices[0].transmit_attached = false;
  after(1s);
  EXPECT_EQ(lines(after(2s).changes),
            Lines{"ProgramDetached/critical//firing: 1 of 1 device: eth0: transmit not attached; "
                  "nothing is dropped there and 1 peer is in enforce"});
}

TEST_F(AlarmsTest, RequiredXdpThatIsNotThere) {
  auto& xdp = snapshot_.devices[0].xdp;
  xdp = {true, false, false, "its driver has no native XDP"};
  after(1s);
  EXPECT_TRUE(after(2s).changes.empty()) << "auto: tc alone is fine";
  xdp.required = true;
  after(1s);
  EXPECT_EQ(lines(after(2s).changes),
            Lines{"XdpUnavailable/warning//firing: eth0: its driver has no native XDP; tc drops "
                  "there instead"});
}

}  // namespace
}  // namespace espial
