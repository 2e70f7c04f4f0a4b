// SPDX-License-Identifier: Apache-2.0
// The far ends of a pod's connections, as /proc/net/tcp and tcp6 print them on this machine.
#include "sources/probe/local_pods.h"

#include <gtest/gtest.h>

#include "unit/facts_builder.h"

namespace espial {
namespace {

using test::addr;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the samples are of such a machine");

constexpr const char* kTitles =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n";

TEST(LocalPods, ReadsEstablishedConnectionsOnly) {
  const std::string text = std::string(kTitles) +
                           "   0: 0A01650A:1F90 00000000:0000 0A 00000000:00000000 00:00000000\n"
                           "   1: 0A01650A:1F90 0A02650A:C350 01 00000000:00000000 00:00000000\n"
                           "   2: 0A01650A:1F90 0A03650A:C350 06 00000000:00000000 00:00000000\n";
  EXPECT_EQ(parse_connected(text, Family::kIpv4), std::vector{addr("10.101.2.10")});
}

TEST(LocalPods, ReadsIpv6AndWhatIsMappedIntoIt) {
  const std::string text =
      std::string(kTitles) +
      "   0: 000000FD:1F90 010100FD000002000000000010000000:C350 01 00000000:00000000\n"
      "   1: 000000FD:1F90 0000000000000000FFFF00000A02650A:C350 01 00000000:00000000\n";
  EXPECT_EQ(parse_connected(text, Family::kIpv6),
            (std::vector{addr("fd00:101:2::10"), addr("10.101.2.10")}));
}

TEST(LocalPods, LeavesOutWhatIsMalformed) {
  for (const char* line : {"", "0:", "0: a b", "0: a b 01", "0: a 0A02650A 01", "0: a 0A02650:1 01",
                           "0: a 0A0265ZZ:1 01", "0: a 0A02650A0A:1 01", "0: a :1 01"}) {
    const auto text = std::string(kTitles) + line + "\n";
    const auto expected = std::string(line) == "0: a 0A02650A 01" ? 1u : 0u;
    EXPECT_EQ(parse_connected(text, Family::kIpv4).size(), expected) << line;
    EXPECT_TRUE(parse_connected(text, Family::kIpv6).empty()) << line;
  }
  EXPECT_TRUE(parse_connected("", Family::kIpv4).empty());
}

}  // namespace
}  // namespace espial
