// SPDX-License-Identifier: Apache-2.0
// What the daemon's own probes make of a peer: its alarm, and what its verdict's reason says.
#include <gtest/gtest.h>

#include "model/evaluate/evaluate.h"
#include "model/probing.h"
#include "unit/model_fixture.h"

namespace espial {
namespace {

using namespace std::chrono_literals;
using testing::count;
using testing::wait;

ProbeResult ended(unsigned answered, ProbeOutcome outcome, const char* target = "10.101.2.1") {
  ProbeResult result;
  result.peer = "b";
  result.target = *IpAddress::parse(target);
  result.sent = 1;
  result.answered = answered;
  result.outcome = outcome;
  result.why = std::to_string(answered) + " of 1 answered";
  return result;
}

class ProbingTest : public ::testing::Test {
 protected:
  ProbingTest() {
    snapshot_.peers.push_back(testing::peer("b"));
    peer().probes.resize(2);
    look();
  }
  PeerProbing& peer() { return probing_.peers["b"]; }
  std::vector<Alarm> look(const std::string& name = "ProbeFailed") {
    wait(snapshot_, 1s);
    auto evaluation = evaluator_.evaluate(snapshot_, std::make_shared<const Probing>(probing_));
    reason_ = evaluation.report.peers[0].reason;
    verdict_ = evaluation.report.peers[0].verdict;
    std::vector<Alarm> out;
    for (auto& alarm : evaluation.report.alarms)
      if (alarm.name == name && alarm.state == AlarmState::kFiring) out.push_back(alarm);
    return out;
  }
  std::vector<Alarm> after(unsigned answered, ProbeOutcome outcome) {
    note(peer().probes[0], ended(answered, outcome), snapshot_.time);
    return look();
  }

  Snapshot snapshot_ = testing::node();
  Probing probing_;
  Evaluator evaluator_;
  std::string reason_;
  Verdict verdict_ = Verdict::kUnknown;
};

TEST_F(ProbingTest, ThreeFailuresInARowFireAndOneAnswerResolves) {
  EXPECT_TRUE(after(0, ProbeOutcome::LOST_THERE).empty());
  EXPECT_TRUE(after(0, ProbeOutcome::LOST_THERE).empty());
  EXPECT_TRUE(after(1, ProbeOutcome::ENCRYPTED).empty());
  EXPECT_TRUE(after(0, ProbeOutcome::LOST_THERE).empty());
  EXPECT_TRUE(after(0, ProbeOutcome::LOST_HERE).empty());
  const auto alarms = after(0, ProbeOutcome::LOST_THERE);
  ASSERT_EQ(alarms.size(), 1U);
  EXPECT_EQ(alarms[0].peer, "b");
  EXPECT_EQ(alarms[0].severity, Severity::kWarning);
  EXPECT_EQ(alarms[0].evidence,
            "ipv4 10.101.2.1 (host): lost there, 3 probes in a row, the last: 0 of 1 answered");
  EXPECT_EQ(look().size(), 1U) << "as long as the last one failed";
  EXPECT_TRUE(after(1, ProbeOutcome::ENCRYPTED).empty());
}

TEST_F(ProbingTest, EachWayIsCountedForItself) {
  auto& probes = peer().probes;
  for (int i = 0; i < 2; ++i) {
    note(probes[0], ended(0, ProbeOutcome::LOST_THERE), snapshot_.time);
    note(probes[1], ended(0, ProbeOutcome::FAIL_CLOSED, "fd00:101:2::1"), snapshot_.time);
  }
  EXPECT_TRUE(look().empty()) << "four failures, two of each";
  note(probes[0], ended(0, ProbeOutcome::LOST_THERE), snapshot_.time);
  note(probes[1], ended(0, ProbeOutcome::FAIL_CLOSED, "fd00:101:2::1"), snapshot_.time);
  const auto alarms = look();
  ASSERT_EQ(alarms.size(), 1U);
  EXPECT_EQ(alarms[0].evidence,
            "ipv4 10.101.2.1 (host): lost there, 3 probes in a row, the last: 0 of 1 answered | "
            "ipv6 fd00:101:2::1 (host): fail-closed: no SA, 3 probes in a row, the last: 0 of 1 "
            "answered");
}

TEST_F(ProbingTest, ALeakHasAlarmsOfItsOwn) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(after(1, ProbeOutcome::BOTH_LEAK).empty());
  // One that nobody answers has failed all the same.
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(after(0, ProbeOutcome::WE_LEAK).empty());
  EXPECT_EQ(after(0, ProbeOutcome::WE_LEAK).size(), 1U);
}

TEST_F(ProbingTest, WhatEspialDidNotSeeIsItsOwnFault) {
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(after(1, ProbeOutcome::UNSEEN).empty());
  const auto alarms = after(1, ProbeOutcome::UNSEEN);
  ASSERT_EQ(alarms.size(), 1U);
  EXPECT_EQ(alarms[0].evidence,
            "ipv4 10.101.2.1 (host): not seen by espial, 3 probes in a row, the last: 1 of 1 "
            "answered; espial does not see the wire (espial status)");
}

TEST_F(ProbingTest, ABlackHoleIsToldWithWhatPasses) {
  const auto firing = [&] { return look("MtuBlackhole"); };
  EXPECT_TRUE(firing().empty());
  peer().black_holes = {{*IpAddress::parse("10.45.0.12"), 1500, 1400}};
  const auto alarms = firing();
  ASSERT_EQ(alarms.size(), 1U);
  EXPECT_EQ(alarms[0].peer, "b");
  EXPECT_EQ(alarms[0].evidence,
            "10.45.0.12: packets of 1500 bytes are lost without an ICMP error; packets of 1400 "
            "bytes pass");
  peer().black_holes.clear();
  EXPECT_TRUE(firing().empty());
}

// A peer with no traffic but probes is no longer silent: the reason says whose packets they are.
TEST_F(ProbingTest, TheReasonSaysWhatTheProbesAre) {
  auto& counters = snapshot_.peers[0].counters;
  look();
  EXPECT_EQ(verdict_, Verdict::kSilent);
  EXPECT_EQ(reason_.find("probes"), std::string::npos) << reason_;
  peer().sent = 4;
  peer().answered = 3;
  count(counters, Direction::RECEIVE, Class::ESP, 3);
  count(counters, Direction::TRANSMIT, Class::ESP, 4);
  look();
  EXPECT_EQ(verdict_, Verdict::kEncrypted);
  EXPECT_EQ(reason_,
            "3 packets received, 4 sent, all encrypted in 2 s; espial's own probes: 4 sent, 3 "
            "answered in 60 s");
  peer().sent = peer().answered = 0;
  for (int i = 0; i < 70; ++i) look();
  EXPECT_EQ(verdict_, Verdict::kSilent);
  EXPECT_EQ(reason_.find("probes"), std::string::npos) << reason_;
}

}  // namespace
}  // namespace espial
