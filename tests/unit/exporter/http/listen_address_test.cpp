// SPDX-License-Identifier: Apache-2.0
#include "exporter/http/listen_address.h"

#include <gtest/gtest.h>

namespace espial {
namespace {

TEST(ListenAddress, ParsesBothFamiliesAndOff) {
  for (const char* text : {"127.0.0.1:9754", "[::1]:9754", "127.9.9.9:1", "127.0.0.1:0"}) {
    const auto listen = parse_listen(text, false);
    ASSERT_TRUE(listen) << listen.error().message;
    EXPECT_EQ((*listen)->text(), text);
  }
  const auto off = parse_listen("off", false);
  ASSERT_TRUE(off);
  EXPECT_FALSE(off->has_value());
}

TEST(ListenAddress, RefusesWithTheCause) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "no port"},
      {"127.0.0.1", "no port"},
      {"localhost:9754", "'localhost' is not an IP address"},
      {":9754", "'' is not an IP address"},
      {"::1:9754", "brackets are for IPv6"},
      {"[127.0.0.1]:9754", "brackets are for IPv6"},
      {"[::1]", "no port"},
      {"127.0.0.1:", "'' is not a port"},
      {"127.0.0.1:65536", "'65536' is not a port"},
      {"127.0.0.1:-1", "'-1' is not a port"},
      {"127.0.0.1:80x", "'80x' is not a port"},
  };
  for (const auto& [text, cause] : cases) {
    const auto listen = parse_listen(text, true);
    ASSERT_FALSE(listen) << text;
    EXPECT_NE(listen.error().message.find(cause), std::string::npos) << listen.error().message;
    EXPECT_EQ(listen.error().failure, Failure::kUsage);
  }
}

TEST(ListenAddress, AnythingButLoopbackNeedsTheSwitch) {
  for (const char* text : {"0.0.0.0:9754", "[::]:9754", "10.45.0.11:9754"}) {
    const auto refused = parse_listen(text, false);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("listen_anywhere"), std::string::npos);
    EXPECT_TRUE(parse_listen(text, true)) << text;
  }
}

}  // namespace
}  // namespace espial
