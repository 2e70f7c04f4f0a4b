// SPDX-License-Identifier: Apache-2.0
#include "base/ip.h"

#include <gtest/gtest.h>

namespace espial {
namespace {

TEST(Prefix, ParsesBothFamiliesAndRoundTrips) {
  for (const char* text : {"10.101.2.0/24", "0.0.0.0/0", "fd00:101:2::/64", "::/0", "10.0.0.1/32"})
    EXPECT_EQ(Prefix::parse(text).value().text(), text);
  EXPECT_EQ(Prefix::parse("10.0.0.1").value().text(), "10.0.0.1/32");
}

TEST(Prefix, RefusesWhatIsNotAPrefix) {
  for (const char* text : {"", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/2x",
                           "fd00::/129", "10.0.0.1/24", "node2"})
    EXPECT_FALSE(Prefix::parse(text)) << text;
  EXPECT_EQ(Prefix::parse("10.0.0.1/24", true).value().text(), "10.0.0.0/24");
}

TEST(Prefix, ContainsAndOverlaps) {
  const auto wide = Prefix::parse("10.101.0.0/16").value();
  const auto narrow = Prefix::parse("10.101.2.0/24").value();
  EXPECT_TRUE(wide.contains(narrow));
  EXPECT_FALSE(narrow.contains(wide));
  EXPECT_TRUE(narrow.overlaps(wide));
  EXPECT_TRUE(narrow.contains(*IpAddress::parse("10.101.2.255")));
  EXPECT_FALSE(narrow.contains(*IpAddress::parse("10.101.3.0")));
  EXPECT_FALSE(Prefix::parse("::/0").value().contains(*IpAddress::parse("10.101.3.0")));
}

}  // namespace
}  // namespace espial
