// SPDX-License-Identifier: Apache-2.0
#include "base/time_text.h"

#include <gtest/gtest.h>

namespace espial {
namespace {

using namespace std::chrono_literals;
using Time = std::chrono::system_clock::time_point;

TEST(Rfc3339, IsUtcWithMilliseconds) {
  EXPECT_EQ(rfc3339(Time{1714564800s}), "2024-05-01T12:00:00.000Z");
  EXPECT_EQ(rfc3339(Time{1714564800s + 250ms}), "2024-05-01T12:00:00.250Z");
  EXPECT_EQ(rfc3339(Time{0s}), "1970-01-01T00:00:00.000Z");
}

TEST(Rfc3339, CutsPartsOfAMillisecondOffAndNeverRoundsUp) {
  EXPECT_EQ(rfc3339(Time{999999us}), "1970-01-01T00:00:00.999Z");
  EXPECT_EQ(rfc3339(Time{-1us}), "1969-12-31T23:59:59.999Z");
}

TEST(Rfc3339, KnowsLeapDaysAndYearEnds) {
  EXPECT_EQ(rfc3339(Time{1709164800s}), "2024-02-29T00:00:00.000Z");
  EXPECT_EQ(rfc3339(Time{1735689599s + 999ms}), "2024-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace espial
