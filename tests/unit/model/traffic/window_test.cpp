// SPDX-License-Identifier: Apache-2.0
#include "model/traffic/window.h"

#include <gtest/gtest.h>

#include "unit/model_fixture.h"

namespace espial {
namespace {

using namespace std::chrono_literals;
using testing::count;
using testing::wait;

std::uint64_t received_clear(const NodeWindow& window, std::size_t peer = 0) {
  return traffic_of(window.peers.at(peer).growth, Direction::RECEIVE).unprotected;
}

class WindowTest : public ::testing::Test {
 protected:
  WindowTest() {
    snapshot_.peers.push_back(testing::peer("b"));
    window_.advance(snapshot_);
  }
  NodeWindow after(std::chrono::nanoseconds step, std::uint64_t clear = 0) {
    wait(snapshot_, step);
    count(snapshot_.peers[0].counters, Direction::RECEIVE, Class::CLEARTEXT, clear);
    return window_.advance(snapshot_);
  }

  Snapshot snapshot_ = testing::node();
  Window window_;
};

TEST_F(WindowTest, CountersThatExistedBeforeTheFirstLookAreNoGrowth) {
  Snapshot old = testing::node();
  old.peers.push_back(testing::peer("b"));
  count(old.peers[0].counters, Direction::RECEIVE, Class::CLEARTEXT, 500);
  Window window;
  EXPECT_EQ(received_clear(window.advance(old)), 0U);
}

TEST_F(WindowTest, GrowthIsSeenAtOnceAndCountedOnce) {
  EXPECT_EQ(received_clear(after(1s, 12)), 12U);
  EXPECT_EQ(received_clear(after(1s)), 12U);
  EXPECT_EQ(received_clear(after(1s, 3)), 15U);
}

TEST_F(WindowTest, GrowthStaysForNearlyTheLengthAndNeverLonger) {
  for (int i = 0; i < 10; ++i) after(1s);
  after(1s, 7);
  for (int i = 1; i <= 53; ++i) EXPECT_EQ(received_clear(after(1s)), 7U) << i;
  for (int i = 54; i <= 60; ++i) after(1s);
  EXPECT_EQ(received_clear(after(1s)), 0U);
}

TEST_F(WindowTest, AConstantRateGivesTheRateTimesWhatIsCovered) {
  for (int i = 1; i <= 300; ++i) {
    const NodeWindow window = after(1s, 10);
    const auto seconds = window.covered / 1s;
    EXPECT_EQ(received_clear(window), static_cast<std::uint64_t>(10 * seconds)) << i;
    EXPECT_LE(seconds, 60);
    EXPECT_GE(seconds, std::min(i, 54)) << i;
  }
}

TEST_F(WindowTest, EventWakeUpsBetweenTheSecondsDoNotShortenIt) {
  after(1s, 7);
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(received_clear(after(10ms)), 7U) << i;
}

TEST_F(WindowTest, JitterOfTheLooksNeverExceedsTheMarks) {
  for (int i = 0; i < 500; ++i) {
    const NodeWindow window = after(i % 2 == 0 ? 900ms : 1100ms, 1);
    EXPECT_LE(window.covered, 60s);
    if (i > 60) {
      EXPECT_GE(window.covered, 53s);
    }
  }
}

TEST_F(WindowTest, AStallIsReportedAsALongerWindowAndLosesNothing) {
  after(1s);
  const NodeWindow window = after(300s, 9);
  EXPECT_EQ(received_clear(window), 9U);
  EXPECT_EQ(window.covered, 301s);
  EXPECT_LE(after(1s).covered, 60s);
}

TEST_F(WindowTest, CountersThatGoBackRestartTheHistoryInsteadOfWrapping) {
  after(1s, 100);
  snapshot_.peers[0].counters = {};
  NodeWindow window = after(1s, 2);
  EXPECT_EQ(received_clear(window), 0U);
  EXPECT_EQ(window.peers[0].covered, 0s);
  EXPECT_EQ(received_clear(after(1s, 5)), 5U);
}

TEST_F(WindowTest, PeersComeAndGoByName) {
  after(1s, 4);
  snapshot_.peers.insert(snapshot_.peers.begin(), testing::peer("a"));
  count(snapshot_.peers[0].counters, Direction::RECEIVE, Class::CLEARTEXT, 1000);
  wait(snapshot_, 1s);
  NodeWindow window = window_.advance(snapshot_);
  EXPECT_EQ(received_clear(window, 0), 0U) << "a is new: what it brought is no growth";
  EXPECT_EQ(received_clear(window, 1), 4U) << "b keeps its history at another index";

  const PeerSnapshot gone = snapshot_.peers[1];
  snapshot_.peers.pop_back();
  wait(snapshot_, 1s);
  window_.advance(snapshot_);
  snapshot_.peers.push_back(gone);
  wait(snapshot_, 1s);
  window = window_.advance(snapshot_);
  EXPECT_EQ(received_clear(window, 1), 0U) << "b came back: its history began anew";
}

TEST_F(WindowTest, ReceivedMaximumIsOfTheDeltas) {
  auto& counters = snapshot_.peers[0].counters;
  count(counters, Direction::RECEIVE, Class::ESP, 1000);  // counted before GRO hid the ESP
  after(1s);
  for (int i = 0; i < 70; ++i) after(1s);
  counters.decrypted[at(Family::kIpv4)].packets += 20;
  EXPECT_EQ(traffic_of(after(1s).peers[0].growth, Direction::RECEIVE).encrypted, 20U);
}

TEST_F(WindowTest, WhatWasDroppedOnItsWayOutIsNoTraffic) {
  testing::enforce(snapshot_.peers[0].counters, Action::kDrop, Direction::TRANSMIT,
                   Reason::CLEARTEXT, Class::CLEARTEXT, 12);
  const PeerWindow window = after(1s).peers[0];
  EXPECT_EQ(enforced_of(window.growth, Action::kDrop, Direction::TRANSMIT), 12U);
  const Traffic traffic = traffic_of(window.growth, Direction::TRANSMIT);
  EXPECT_EQ(traffic.encrypted + traffic.unprotected, 0U);
  EXPECT_FALSE(traffic.coverage());
  for (int i = 0; i < 60; ++i) after(1s);
  EXPECT_EQ(enforced_of(after(1s).peers[0].growth, Action::kDrop, Direction::TRANSMIT), 0U);
}

TEST_F(WindowTest, LostAndNoPeerHaveTheirWindow) {
  snapshot_.lost[at(Lost::FLOW_EVENT_FULL)] = 5;
  count(snapshot_.no_peer, Direction::TRANSMIT, Class::UNKNOWN_NODE, 3);
  NodeWindow window = after(1s);
  EXPECT_EQ(window.lost[at(Lost::FLOW_EVENT_FULL)], 5U);
  EXPECT_EQ(window.no_peer.growth.direction[at(Direction::TRANSMIT)].unknown_node, 3U);
  snapshot_.lost = {};
  EXPECT_EQ(after(1s).lost[at(Lost::FLOW_EVENT_FULL)], 0U);
  for (int i = 0; i < 61; ++i) window = after(1s);
  EXPECT_EQ(window.no_peer.growth.direction[at(Direction::TRANSMIT)].unknown_node, 0U);
}

TEST_F(WindowTest, AnUnprotectedPacketFromBeforeTheHistoryIsTold) {
  Snapshot snapshot = testing::node();
  snapshot.peers.push_back(testing::peer("b"));
  auto& last = snapshot.peers[0].counters.last_unprotected[at(Direction::RECEIVE)];
  last = snapshot.time - 20s;
  Window fresh;
  EXPECT_EQ(fresh.advance(snapshot).peers[0].unprotected_before[at(Direction::RECEIVE)], 20s);
  EXPECT_FALSE(fresh.advance(snapshot).peers[0].unprotected_before[at(Direction::TRANSMIT)]);
  for (int i = 0; i < 40; ++i) {
    wait(snapshot, 1s);
    EXPECT_TRUE(fresh.advance(snapshot).peers[0].unprotected_before[at(Direction::RECEIVE)]) << i;
  }
  wait(snapshot, 1s);
  EXPECT_FALSE(fresh.advance(snapshot).peers[0].unprotected_before[at(Direction::RECEIVE)]);
}

TEST_F(WindowTest, AnUnprotectedPacketThatIsGrowthIsNotToldTwice) {
  after(10s);
  snapshot_.peers[0].counters.last_unprotected[at(Direction::RECEIVE)] = snapshot_.time + 1s;
  for (int i = 0; i < 70; ++i)
    EXPECT_FALSE(after(1s, i == 0).peers[0].unprotected_before[at(Direction::RECEIVE)]) << i;
}

TEST_F(WindowTest, ManyPeersAreCheapEnough) {
  // A peer's history is its marks and little else: the budget of 10,000 peers follows from it.
  EXPECT_LE(sizeof(Tally) * (Window::kMarksPerWindow + 3), 7800U);
}

}  // namespace
}  // namespace espial
