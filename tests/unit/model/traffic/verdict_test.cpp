// SPDX-License-Identifier: Apache-2.0
#include "model/traffic/verdict.h"

#include <gtest/gtest.h>

#include "unit/model_fixture.h"

namespace espial {
namespace {

using namespace std::chrono_literals;

struct Case {
  std::uint64_t esp_received, esp_sent, clear_received, clear_sent;
  Verdict verdict;
  const char* reason;
};

PeerWindow window_of(const Case& c) {
  PeerWindow window;
  window.covered = 60s;
  window.growth.direction[at(Direction::RECEIVE)].esp.packets = c.esp_received;
  window.growth.direction[at(Direction::TRANSMIT)].esp.packets = c.esp_sent;
  window.growth.direction[at(Direction::RECEIVE)].direct = c.clear_received;
  window.growth.direction[at(Direction::TRANSMIT)].host = c.clear_sent;
  return window;
}

Visibility visibility(bool receive, bool transmit) { return {{receive, transmit}}; }

TEST(Verdict, FollowsTheTableOfWords) {
  const Case cases[] = {
      {0, 0, 12, 0, Verdict::kLeaking, "12 packets received, 0 sent in clear, no ESP in 60 s"},
      {0, 0, 0, 1, Verdict::kLeaking, "0 packets received, 1 sent in clear, no ESP in 60 s"},
      {5, 6, 1, 2, Verdict::kMixed,
       "1 packet received, 2 sent in clear; 5 received, 6 sent encrypted in 60 s"},
      {0, 6, 1, 0, Verdict::kMixed,
       "1 packet received, 0 sent in clear; 0 received, 6 sent encrypted in 60 s"},
      {5, 0, 0, 0, Verdict::kOneWay, "5 packets received encrypted, none sent in 60 s"},
      {0, 1, 0, 0, Verdict::kOneWay, "1 packet sent encrypted, none received in 60 s"},
      {5, 6, 0, 0, Verdict::kEncrypted, "5 packets received, 6 sent, all encrypted in 60 s"},
      {0, 0, 0, 0, Verdict::kSilent, "no packet in 60 s"},
  };
  for (const Case& c : cases) {
    const Judgement judgement = judge(window_of(c), visibility(true, true));
    EXPECT_EQ(to_string(judgement.verdict), to_string(c.verdict)) << c.reason;
    EXPECT_EQ(judgement.reason, c.reason);
  }
}

// Counters, not a window by hand: what the programs count is what is judged.
Judgement judge_growth(const PeerCounters& growth) {
  return judge({.growth = tally_of(growth), .covered = 60s, .unprotected_before = {}},
               visibility(true, true));
}

void drop(PeerCounters& counters, Direction d, std::uint64_t packets) {
  testing::enforce(counters, Action::kDrop, d, Reason::CLEARTEXT, Class::CLEARTEXT, packets);
}

TEST(Verdict, DroppedOnTheWayOutIsNoLeak) {
  PeerCounters counters;
  drop(counters, Direction::TRANSMIT, 12);
  EXPECT_EQ(judge_growth(counters).verdict, Verdict::kSilent);
  EXPECT_EQ(judge_growth(counters).reason,
            "no packets on the wire in 60 s; dropped 0 received, 12 about to be sent");

  testing::count(counters, Direction::RECEIVE, Class::ESP, 5);
  EXPECT_EQ(judge_growth(counters).verdict, Verdict::kOneWay);
  EXPECT_EQ(judge_growth(counters).reason,
            "5 packets received encrypted, none sent in 60 s; dropped 0 received, 12 about to be "
            "sent");

  testing::count(counters, Direction::TRANSMIT, Class::ESP, 6);
  EXPECT_EQ(judge_growth(counters).verdict, Verdict::kEncrypted);
}

TEST(Verdict, DroppedOnArrivalIsALeakOfThePeer) {
  PeerCounters counters;
  drop(counters, Direction::RECEIVE, 12);
  EXPECT_EQ(judge_growth(counters).verdict, Verdict::kLeaking);
  EXPECT_EQ(judge_growth(counters).reason,
            "12 packets received, 0 sent in clear, no ESP in 60 s; dropped 12 received, 0 about to "
            "be sent");
  testing::count(counters, Direction::TRANSMIT, Class::ESP, 6);
  EXPECT_EQ(judge_growth(counters).verdict, Verdict::kMixed);
}

TEST(Verdict, WhatAuditWouldDropHasPassed) {
  PeerCounters counters;
  testing::enforce(counters, Action::kWouldDrop, Direction::TRANSMIT, Reason::CLEARTEXT,
                   Class::CLEARTEXT, 12);
  EXPECT_EQ(judge_growth(counters).verdict, Verdict::kLeaking);
  EXPECT_EQ(judge_growth(counters).reason, "0 packets received, 12 sent in clear, no ESP in 60 s");
}

TEST(Verdict, DecryptedPacketsAreEspToo) {
  PeerWindow window = window_of({0, 6, 0, 0, Verdict::kEncrypted, ""});
  window.growth.direction[at(Direction::RECEIVE)].decrypted.packets = 5;
  EXPECT_EQ(judge(window, visibility(true, true)).verdict, Verdict::kEncrypted);
}

TEST(Verdict, IsUnknownWhenNothingCanBeSeen) {
  const Case encrypted{5, 6, 0, 0, Verdict::kEncrypted, ""};
  EXPECT_EQ(judge(window_of(encrypted), visibility(false, false)).verdict, Verdict::kUnknown);
  EXPECT_EQ(judge(window_of(encrypted), visibility(false, true)).verdict, Verdict::kUnknown);
  EXPECT_EQ(judge(window_of(encrypted), visibility(true, false)).verdict, Verdict::kUnknown);
}

TEST(Verdict, OneSeenDirectionIsEnoughToSeeALeak) {
  const Case leaking{0, 0, 1, 0, Verdict::kLeaking, ""};
  EXPECT_EQ(judge(window_of(leaking), visibility(true, false)).verdict, Verdict::kLeaking);
}

TEST(Verdict, OneWayIsNeverSaidOfADirectionThatIsNotSeen) {
  const Case received{5, 0, 0, 0, Verdict::kOneWay, ""};
  const Judgement judgement = judge(window_of(received), visibility(true, false));
  EXPECT_EQ(judgement.verdict, Verdict::kUnknown);
  EXPECT_EQ(judgement.reason, "no wire device is watched in transmit direction");
}

TEST(Verdict, IsUnknownAtTheFirstLookRatherThanSilent) {
  PeerWindow window;
  EXPECT_EQ(judge(window, visibility(true, true)).verdict, Verdict::kUnknown);
  window.covered = 1s;
  EXPECT_EQ(judge(window, visibility(true, true)).verdict, Verdict::kSilent);
}

TEST(Verdict, SeesALeakThatAnEarlierDaemonCounted) {
  PeerWindow window;
  window.unprotected_before[at(Direction::TRANSMIT)] = 20s;
  const Judgement judgement = judge(window, visibility(true, true));
  EXPECT_EQ(judgement.verdict, Verdict::kLeaking);
  EXPECT_EQ(judgement.reason, "sent in clear 20 s ago, before this history, no ESP in 1 s");
}

TEST(Visibility, IsOfWireDevicesOnly) {
  EXPECT_EQ(visibility_of({}).direction, (std::array{false, false}));
  EXPECT_EQ(visibility_of({testing::device("ipsec0", DeviceRole::kReentry)}).direction,
            (std::array{false, false}));
  EXPECT_EQ(visibility_of({testing::device("br0", DeviceRole::kWireAndReentry)}).direction,
            (std::array{true, true}));
  DeviceSnapshot half = testing::device("eth0");
  half.transmit_attached = false;
  EXPECT_EQ(visibility_of({half}).direction, (std::array{true, false}));
}

TEST(Words, EveryRowOfEnforcementOccursWhereItCan) {
  const auto count = [](Direction d, bool of_a_peer) {
    std::size_t rows = 0;
    for (std::size_t r = 0; r < kReasons; ++r)
      rows += occurs(static_cast<Reason>(r), d, of_a_peer) ? 1 : 0;
    return rows;
  };
  for (const Direction d : {Direction::RECEIVE, Direction::TRANSMIT}) {
    // Not unknown_node, and what the other direction has: spoofed; transit, sent again, of no SA.
    EXPECT_EQ(count(d, true), d == Direction::RECEIVE ? kReasons - 4 : kReasons - 2);
    EXPECT_EQ(count(d, false), d == Direction::RECEIVE ? 3U : 2U)
        << "unknown_node, too_deep, spoofed";
    EXPECT_TRUE(occurs(Reason::UNKNOWN_NODE, d, false));
  }
  EXPECT_FALSE(occurs(Reason::SPOOFED, Direction::TRANSMIT, true));
  EXPECT_FALSE(occurs(Reason::CLEARTEXT_TRANSIT, Direction::RECEIVE, true));
  EXPECT_FALSE(occurs(Exemption::PMTU, false));
}

TEST(Words, EveryWordHasItsSpelling) {
  const std::array<std::string_view, kVerdicts> verdicts = {
      "leaking", "mixed", "one_way", "encrypted", "silent", "down", "exposed", "unknown"};
  for (std::size_t i = 0; i < kVerdicts; ++i)
    EXPECT_EQ(to_string(static_cast<Verdict>(i)), verdicts[i]);
  EXPECT_EQ(to_string(Severity::kInfo), "info");
  EXPECT_EQ(to_string(Severity::kWarning), "warning");
  EXPECT_EQ(to_string(Severity::kCritical), "critical");
  EXPECT_EQ(to_string(AlarmState::kPending), "pending");
  EXPECT_EQ(to_string(AlarmState::kFiring), "firing");
  EXPECT_EQ(to_string(AlarmState::kResolved), "resolved");
  EXPECT_EQ(to_string(DeviceRole::kWire), "wire");
  EXPECT_EQ(to_string(DeviceRole::kReentry), "reentry");
  EXPECT_EQ(to_string(DeviceRole::kWireAndReentry), "wire+reentry");
  EXPECT_EQ(to_string(AttachMode::kNone), "none");
  EXPECT_EQ(to_string(AttachMode::kTcx), "tcx");
  EXPECT_EQ(to_string(AttachMode::kClsact), "clsact");
}

}  // namespace
}  // namespace espial
