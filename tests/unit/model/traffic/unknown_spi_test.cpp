// SPDX-License-Identifier: Apache-2.0
// What UnknownSpiWatch holds against whom, look by look; and XfrmErrorWatch's windows.
#include "model/traffic/unknown_spi.h"

#include <gtest/gtest.h>

#include "model/traffic/xfrm_errors.h"
#include "unit/model_fixture.h"

namespace espial {
namespace {

using namespace std::chrono_literals;
using testing::count;

// Two peers; each look tells what moved since the one before.
struct Looks {
  Looks() {
    snapshot.peers = {testing::peer("b"), testing::peer("c")};
    snapshot.xfrm_errors = {{"XfrmInError", 9}, {"XfrmInNoStates", 1000}};
    esp(0, 500);
    esp(1, 500);
  }
  Looks& esp(std::size_t who, std::uint64_t packets, Family family = Family::kIpv4,
             Class as = Class::ESP) {
    count(snapshot.peers[who].counters, Direction::RECEIVE, as, packets, family);
    return *this;
  }
  Looks& opened(std::size_t who, std::uint64_t packets, std::size_t family = 0) {
    snapshot.peers[who].counters.decrypted[family].packets += packets;
    return *this;
  }
  Looks& refused(std::uint64_t packets) {
    snapshot.xfrm_errors[1].count += packets;
    return *this;
  }
  std::vector<std::uint64_t> look() { return watch.advance(snapshot); }

  Snapshot snapshot = testing::node();
  UnknownSpiWatch watch;
};

using Totals = std::vector<std::uint64_t>;

TEST(UnknownSpi, WhatWasBeforeTheFirstLookIsNobodys) {
  Looks looks;
  EXPECT_EQ(looks.look(), (Totals{0, 0}));
  EXPECT_EQ(looks.look(), (Totals{0, 0}));
  EXPECT_EQ(looks.esp(0, 20).look(), (Totals{0, 0})) << "the kernel refused nothing";

  Looks second;
  second.look();
  EXPECT_EQ(second.esp(0, 20).look(), (Totals{0, 0})) << "what was refused before is no budget";
}

TEST(UnknownSpi, EveryFormOfEspOfBothFamiliesCounts) {
  Looks looks;
  looks.look();
  looks.esp(0, 1).esp(0, 2, Family::kIpv6).esp(0, 3, Family::kIpv4, Class::ESP_UDP);
  looks.esp(0, 4, Family::kIpv4, Class::ESP_TCP).esp(0, 5, Family::kIpv6, Class::ESP_NULL);
  looks.esp(0, 6, Family::kIpv4, Class::ESP_FOREIGN);
  EXPECT_EQ(looks.refused(100).look(), (Totals{21, 0}));
}

TEST(UnknownSpi, WhatIsDecryptedInEitherFamilyIsKnown) {
  Looks looks;
  looks.look();
  looks.esp(0, 30).opened(0, 10, 0).opened(0, 20, 1);
  EXPECT_EQ(looks.esp(1, 7).refused(37).look(), (Totals{0, 7})) << "all of b's came back";
  looks.esp(0, 30).opened(0, 5, 0).opened(0, 3, 1);
  EXPECT_EQ(looks.refused(100).look(), (Totals{22, 7}));
}

// With ESP GRO what is decrypted was never seen as ESP: all ESP that is seen was not opened.
TEST(UnknownSpi, BehindGroAllEspThatIsSeenIsClosed) {
  Looks looks;
  looks.look();
  EXPECT_EQ(looks.esp(0, 5).opened(0, 25).refused(5).look(), (Totals{5, 0}));
}

TEST(UnknownSpi, NeverMoreThanTheKernelRefused) {
  Looks looks;
  looks.look();
  const auto totals = looks.esp(0, 20).esp(1, 20).refused(25).look();
  EXPECT_EQ(totals[0] + totals[1], 25u);
}

TEST(UnknownSpi, TheKernelsCountMayComeALookEarlierOrLater) {
  Looks late;
  late.look();
  EXPECT_EQ(late.esp(0, 20).look(), (Totals{0, 0}));
  EXPECT_EQ(late.refused(20).look(), (Totals{20, 0}));
  EXPECT_EQ(late.refused(20).look(), (Totals{20, 0})) << "those are spent";

  Looks early;
  early.look();
  EXPECT_EQ(early.refused(20).look(), (Totals{0, 0}));
  EXPECT_EQ(early.esp(0, 20).look(), (Totals{20, 0}));
  EXPECT_EQ(early.esp(0, 20).look(), (Totals{20, 0})) << "those are spent";
}

TEST(UnknownSpi, TwoLooksApartAreNotTheSamePackets) {
  Looks late;
  late.look();
  late.esp(0, 20).look();
  late.look();
  EXPECT_EQ(late.refused(20).look(), (Totals{0, 0}));

  Looks early;
  early.look();
  early.refused(20).look();
  early.look();
  EXPECT_EQ(early.esp(0, 20).look(), (Totals{0, 0}));
}

TEST(UnknownSpi, APeerThatComesBackBeginsAnew) {
  Looks looks;
  looks.look();
  EXPECT_EQ(looks.esp(1, 5).refused(5).look(), (Totals{0, 5}));
  const auto gone = looks.snapshot.peers.back();
  looks.snapshot.peers.pop_back();
  EXPECT_EQ(looks.look(), Totals{0});
  looks.snapshot.peers.push_back(gone);
  EXPECT_EQ(looks.esp(1, 50).refused(50).look(), (Totals{0, 0})) << "its first look";
  EXPECT_EQ(looks.esp(1, 3).refused(3).look(), (Totals{0, 3}));
}

TEST(UnknownSpi, WithoutTheKernelsCountersNothingIsKnown) {
  Looks looks;
  looks.snapshot.xfrm_errors.clear();
  looks.look();
  EXPECT_EQ(looks.esp(0, 20).look(), (Totals{0, 0}));
}

TEST(XfrmErrorWatch, CountsThatWentBackStartAnew) {
  XfrmErrorWatch watch;
  const MonoTime start{1000s};
  EXPECT_TRUE(watch.advance({{"A", 50}}, start).growing.empty());
  EXPECT_TRUE(watch.advance({{"A", 2}}, start + 1s).growing.empty());
  const auto report = watch.advance({{"A", 3}}, start + 2s);
  ASSERT_EQ(report.growing.size(), 1u);
  EXPECT_EQ(report.growing[0].count, 1u);
}

TEST(XfrmErrorWatch, GrowsForFiveSecondsAndIsSummedOverAMinute) {
  XfrmErrorWatch watch;
  MonoTime now{1000s};
  std::uint64_t errors = 100;
  const auto look = [&] { return watch.advance({{"A", errors}, {"B", 7}}, now += 1s); };
  EXPECT_EQ(look().covered, 0s);
  errors += 40;
  for (int second = 0; second < 5; ++second) {
    const auto report = look();
    ASSERT_EQ(report.growing.size(), 1u) << second;
    EXPECT_EQ(report.growing[0].name, "A");
    EXPECT_EQ(report.growing[0].count, 40u);
    EXPECT_EQ(report.covered, std::chrono::seconds{second + 1});
  }
  EXPECT_TRUE(look().growing.empty()) << "it stopped five seconds ago";
  while (now < MonoTime{1055s}) look();
  errors += 1;
  auto report = look();
  ASSERT_EQ(report.growing.size(), 1u);
  EXPECT_EQ(report.growing[0].count, 41u) << "the burst is less than a minute ago";
  while (now < MonoTime{1070s}) look();
  errors += 1;
  report = look();
  ASSERT_EQ(report.growing.size(), 1u);
  EXPECT_EQ(report.growing[0].count, 2u);
  EXPECT_EQ(report.covered, 60s);
}

// An evaluation that an event asked for is no look of its own: the window stays a minute long.
TEST(XfrmErrorWatch, LooksInQuickSuccessionDoNotShortenTheWindow) {
  XfrmErrorWatch watch;
  MonoTime now{1000s};
  XfrmErrorReport report;
  for (int i = 0; i < 1000; ++i) report = watch.advance({{"A", 1}}, now += 100ms);
  EXPECT_GE(report.covered, 60s);
  EXPECT_LT(report.covered, 62s);
}

}  // namespace
}  // namespace espial
