// SPDX-License-Identifier: Apache-2.0
#include "model/traffic/coverage.h"

#include <gtest/gtest.h>

#include "unit/model_fixture.h"

namespace espial {
namespace {

using testing::count;

Traffic total(const PeerCounters& counters, Direction d) {
  return traffic_of(tally_of(counters), d);
}

TEST(Coverage, EveryClassCountsAsItsListSays) {
  for (std::size_t c = 0; c < kClasses; ++c) {
    const auto klass = static_cast<Class>(c);
    for (const Direction d : {Direction::RECEIVE, Direction::TRANSMIT}) {
      PeerCounters counters;
      count(counters, d, klass, 3, Family::kIpv4);
      count(counters, d, klass, 4, Family::kIpv6);
      const Traffic traffic = total(counters, d);
      const Coverage kind = coverage_of(klass);
      EXPECT_EQ(traffic.encrypted, kind == Coverage::ENCRYPTED ? 7U : 0U) << to_string(klass);
      EXPECT_EQ(traffic.encrypted_bytes, kind == Coverage::ENCRYPTED ? 700U : 0U)
          << to_string(klass);
      EXPECT_EQ(traffic.unprotected, kind == Coverage::UNPROTECTED ? 7U : 0U) << to_string(klass);
      EXPECT_EQ(traffic.unprotected_bytes, kind == Coverage::UNPROTECTED ? 700U : 0U)
          << to_string(klass);
      const Traffic other =
          total(counters, d == Direction::RECEIVE ? Direction::TRANSMIT : Direction::RECEIVE);
      EXPECT_EQ(other.encrypted + other.unprotected, 0U);
    }
  }
}

TEST(Coverage, NoTrafficHasNoRatio) {
  EXPECT_FALSE(Traffic{}.coverage());
  EXPECT_EQ((Traffic{.encrypted = 3, .unprotected = 1}.coverage()), 0.75);
  EXPECT_EQ((Traffic{.encrypted = 0, .unprotected = 1}.coverage()), 0.0);
  EXPECT_EQ((Traffic{.encrypted = 1, .unprotected = 0}.coverage()), 1.0);
}

TEST(Coverage, ReceivedEncryptedIsTheBiggerOfEspAndDecryptedOverBothFamilies) {
  PeerCounters counters;
  count(counters, Direction::RECEIVE, Class::ESP, 10, Family::kIpv4);
  counters.decrypted[at(Family::kIpv4)] = {6, 300};
  counters.decrypted[at(Family::kIpv6)] = {6, 300};
  EXPECT_EQ(total(counters, Direction::RECEIVE).encrypted, 12U);
  EXPECT_EQ(total(counters, Direction::RECEIVE).encrypted_bytes, 1000U);
  EXPECT_EQ(total(counters, Direction::TRANSMIT).encrypted, 0U);
}

TEST(Coverage, TheMaximumIsTakenOfTheDifference) {
  // 1,000 ESP packets with no decryption told (before the hooks could), then GRO hides the ESP.
  PeerCounters earlier;
  count(earlier, Direction::RECEIVE, Class::ESP, 1000);
  PeerCounters later = earlier;
  later.decrypted[at(Family::kIpv4)] = {20, 2000};
  const Tally growth = difference(tally_of(earlier), tally_of(later));
  EXPECT_EQ(traffic_of(growth, Direction::RECEIVE).encrypted, 20U);
}

TEST(Coverage, OnlyWhatWasOnTheWireIsUnprotected) {
  for (const Action action : {Action::kWouldDrop, Action::kDrop})
    for (const Direction d : {Direction::RECEIVE, Direction::TRANSMIT}) {
      PeerCounters counters;
      testing::enforce(counters, action, d, Reason::CLEARTEXT, Class::CLEARTEXT, 3);
      testing::enforce(counters, action, d, Reason::AH, Class::AH, 4);
      const bool on_wire = action == Action::kWouldDrop || d == Direction::RECEIVE;
      EXPECT_EQ(total(counters, d).unprotected, on_wire ? 7U : 0U);
      EXPECT_EQ(total(counters, d).unprotected_bytes, on_wire ? 700U : 0U);
      EXPECT_EQ(enforced_of(tally_of(counters), action, d), 7U);
    }
}

TEST(Coverage, AnySmallerCounterIsNoGrowth) {
  PeerCounters earlier;
  count(earlier, Direction::TRANSMIT, Class::CLEARTEXT_TRANSIT, 1);
  earlier.spoofed = 1;
  EXPECT_TRUE(grew_or_stayed(tally_of(earlier), tally_of(earlier)));
  PeerCounters later = earlier;
  later.spoofed = 0;
  count(later, Direction::TRANSMIT, Class::ESP, 100);
  EXPECT_FALSE(grew_or_stayed(tally_of(earlier), tally_of(later)));
  later = earlier;
  earlier.enforced[at(Action::kDrop)][at(Direction::TRANSMIT)][at(Reason::AH)].packets = 1;
  EXPECT_FALSE(grew_or_stayed(tally_of(earlier), tally_of(later)));
}

TEST(Coverage, WhatEnforcementDidIsPartOfATally) {
  PeerCounters earlier;
  earlier.enforced[1][1][2].packets = 5;
  PeerCounters later = earlier;
  later.enforced[1][1][2].packets = 8;
  EXPECT_EQ(difference(tally_of(earlier), tally_of(later)).enforced[1][1][2], 3U);
  EXPECT_FALSE(grew_or_stayed(tally_of(later), tally_of(earlier)));
}

}  // namespace
}  // namespace espial
