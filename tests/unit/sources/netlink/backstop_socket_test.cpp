// SPDX-License-Identifier: Apache-2.0
#include "sources/netlink/backstop_socket.h"

#include <gtest/gtest.h>

#include "sources/netlink/xfrm_parse.h"
#include "unit/facts_builder.h"
#include "unit/netlink_message.h"

namespace espial {
namespace {

using test::for_each_truncation;
using test::net;

const std::uint32_t kTag = backstop_tag("default");

const BackstopSelector kRefuse{
    PolicyDirection::kForward, net("10.101.2.0/24"), net("10.101.1.0/24"), {}, false};
const BackstopSelector kPass{
    PolicyDirection::kOut, net("::/0"), net("fd00:101:2::/64"), {58, 2, 0}, true};

// As the kernel dumps it.
std::vector<std::uint8_t> dumped(const xfrm_userpolicy_info& info) {
  test::Attributes attributes;
  attributes.value(XFRMA_POLICY_TYPE, xfrm_userpolicy_type{});
  return test::message(XFRM_MSG_NEWPOLICY, info, attributes);
}

TEST(BackstopMessage, SurvivesTheWayThroughADump) {
  for (const auto& selector : {kRefuse, kPass}) {
    auto info = backstop_message(selector, kTag, std::nullopt);
    const auto placed = parse_backstop(dumped(info), kTag);
    ASSERT_TRUE(placed);
    EXPECT_EQ(placed->selector, selector);
    EXPECT_FALSE(placed->expires);
    EXPECT_FALSE(parse_policy(dumped(info))) << "taken for a fact";
  }
}

TEST(BackstopMessage, ALifetimeCountsFromWhenItWasPlaced) {
  auto info = backstop_message(kRefuse, kTag, std::chrono::seconds{60});
  info.curlft.add_time = 1000;
  EXPECT_EQ(parse_backstop(dumped(info), kTag)->expires, std::chrono::seconds{1060});
  // 0 would be for ever.
  info = backstop_message(kRefuse, kTag, std::chrono::seconds{0});
  EXPECT_EQ(info.lft.hard_add_expires_seconds, 1U);
}

TEST(BackstopMessage, OnlyTheInstancesOwnAreOurs) {
  const auto info = backstop_message(kRefuse, kTag, std::nullopt);
  EXPECT_FALSE(parse_backstop(dumped(info), backstop_tag("other")));
  auto without_tag = info;
  without_tag.sel.user = 0;
  EXPECT_FALSE(parse_backstop(dumped(without_tag), kTag));
  EXPECT_TRUE(parse_policy(dumped(without_tag))) << "somebody's block";
  auto sooner = info;
  sooner.priority = 1000;
  EXPECT_FALSE(parse_backstop(dumped(sooner), kTag));
  auto port = info;
  port.sel.proto = 17;
  port.sel.dport = 53;
  EXPECT_FALSE(parse_backstop(dumped(port), kTag));
}

TEST(BackstopMessage, ATruncatedOneIsNothing) {
  const auto info = backstop_message(kRefuse, kTag, std::nullopt);
  for_each_truncation(dumped(info), [&](const auto& cut) {
    EXPECT_EQ(parse_backstop(cut, kTag).has_value(), cut.size() >= sizeof(nlmsghdr) + sizeof info);
  });
}

}  // namespace
}  // namespace espial
