// SPDX-License-Identifier: Apache-2.0
#include "model/alarms/coverage_watch.h"

#include <gtest/gtest.h>

#include "model/evaluate/evaluate.h"
#include "unit/model_fixture.h"

namespace espial {
namespace {

using namespace std::chrono_literals;
using testing::count;
using testing::wait;

class CoverageWatchTest : public ::testing::Test {
 protected:
  CoverageWatchTest() {
    snapshot_.peers.push_back(testing::peer("b"));
    look();
  }
  PeerCounters& peer() { return snapshot_.peers[0].counters; }
  // What is below the target now; empty: nothing.
  std::string look(std::optional<double> target = 0.999) {
    std::vector<AlarmCondition> out;
    offloaded_.resize(snapshot_.peers.size());
    watch_.advance(snapshot_, offloaded_, target, out);
    EXPECT_LE(out.size(), 1U);
    return out.empty() ? "" : out[0].evidence;
  }
  // Seconds with so many packets each, encrypted and not.
  std::string pass(int seconds, std::uint64_t encrypted, std::uint64_t clear) {
    std::string evidence;
    for (int i = 0; i < seconds; ++i) {
      wait(snapshot_, 1s);
      count(peer(), Direction::TRANSMIT, Class::ESP, encrypted);
      count(peer(), Direction::RECEIVE, Class::CLEARTEXT_HOST, clear);
      evidence = look();
    }
    return evidence;
  }

  Snapshot snapshot_ = testing::node();
  std::vector<Cell> offloaded_;  // by peer
  CoverageWatch watch_;
};

TEST_F(CoverageWatchTest, BelowTheTargetIsToldInNumbers) {
  EXPECT_EQ(pass(100, 998, 2),
            "99.80 % of 100000 packets in 100 s were encrypted; the target is 99.9 %: 200 received "
            "and 0 sent unprotected");
}

TEST_F(CoverageWatchTest, AtTheTargetIsGood) { EXPECT_EQ(pass(100, 999, 1), ""); }

TEST_F(CoverageWatchTest, WhatADeviceEncryptsIsNotMissing) {
  for (int i = 0; i < 100; ++i) {
    wait(snapshot_, 1s);
    count(peer(), Direction::RECEIVE, Class::ESP, 10);
    count(peer(), Direction::TRANSMIT, Class::CLEARTEXT, 10);
    offloaded_[0].packets += 10;
    EXPECT_EQ(look(), "");
  }
}

TEST_F(CoverageWatchTest, NoTrafficIsNoCoverage) { EXPECT_EQ(pass(400, 0, 0), ""); }

TEST_F(CoverageWatchTest, AllInClearIsBelowAnyTarget) {
  EXPECT_EQ(pass(10, 0, 3).substr(0, 31), "0.00 % of 30 packets in 10 s we");
}

TEST_F(CoverageWatchTest, FiveMinutesAreLookedAtAndNoMore) {
  pass(10, 0, 1);
  EXPECT_NE(pass(285, 1, 0), "");
  EXPECT_EQ(pass(30, 1, 0), "") << "the far edge is 15 seconds coarse";
}

TEST_F(CoverageWatchTest, WhatWasDecryptedCountsAsReceivedEncryptedOnce) {
  wait(snapshot_, 1s);
  count(peer(), Direction::RECEIVE, Class::ESP, 400);
  peer().decrypted[at(Family::kIpv4)].packets = 990;
  count(peer(), Direction::RECEIVE, Class::CLEARTEXT, 10);
  EXPECT_EQ(look().substr(0, 24), "99.00 % of 1000 packets ");
}

TEST_F(CoverageWatchTest, CountersThatWentBackBeginAnew) {
  pass(10, 0, 1000);
  peer() = PeerCounters{};
  wait(snapshot_, 1s);
  EXPECT_EQ(look(), "");
  EXPECT_EQ(pass(10, 10, 0), "");
}

TEST_F(CoverageWatchTest, CandidatesAndThoseWithoutATargetAreLeftAlone) {
  count(peer(), Direction::RECEIVE, Class::CLEARTEXT, 10);
  wait(snapshot_, 1s);
  EXPECT_NE(look(), "");
  EXPECT_EQ(look(std::nullopt), "");
  EXPECT_EQ(look(), "") << "a new target looks at what comes from now on";
  snapshot_.peers[0].peer.state = PeerState::kCandidate;
  count(peer(), Direction::RECEIVE, Class::CLEARTEXT, 10);
  EXPECT_EQ(look(), "");
}

TEST_F(CoverageWatchTest, TheAlarmFiresAfterFiveMinutesAndAlsoWhereThePeerLeaks) {
  Evaluator evaluator;
  evaluator.set_coverage_target(0.999);
  const auto changes = [&](int seconds) {
    std::string out;
    for (int i = 0; i < seconds; ++i) {
      wait(snapshot_, 1s);
      count(peer(), Direction::TRANSMIT, Class::CLEARTEXT, 1);
      for (const auto& alarm : evaluator.evaluate(snapshot_).changes) out += alarm.name + " ";
    }
    return out;
  };
  evaluator.evaluate(snapshot_);
  EXPECT_EQ(changes(300), "CleartextTraffic ");
  EXPECT_EQ(changes(1), "CoverageBelowTarget ");
  const auto report = evaluator.evaluate(snapshot_).report;
  EXPECT_EQ(report.peers[0].verdict, Verdict::kLeaking);
}

}  // namespace
}  // namespace espial
