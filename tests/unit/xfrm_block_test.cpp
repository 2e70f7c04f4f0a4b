// SPDX-License-Identifier: Apache-2.0
#include "sources/xfrm_block.h"

#include <gtest/gtest.h>

#include "sources/xfrm_parse.h"
#include "unit/facts_builder.h"
#include "unit/netlink_message.h"

namespace espial {
namespace {

using test::for_each_truncation;
using test::message;
using test::net;

const std::uint32_t kTag = xfrm_block_tag("default");

const XfrmBlockSelector kRefuse{PolicyDirection::kForward, net("10.101.2.0/24"),
                                net("10.101.1.0/24"), {}, false};
const XfrmBlockSelector kPass{PolicyDirection::kOut, net("::/0"), net("fd00:101:2::/64"),
                              {58, 2, 0}, true};

TEST(XfrmBlockMessage, SurvivesTheWayThroughADump) {
  for (const auto& selector : {kRefuse, kPass}) {
    auto info = xfrm_block_message(selector, kTag, std::nullopt);
    const auto placed = parse_xfrm_block(message(XFRM_MSG_NEWPOLICY, info), kTag);
    ASSERT_TRUE(placed);
    EXPECT_EQ(placed->selector, selector);
    EXPECT_FALSE(placed->expires);
    EXPECT_FALSE(parse_policy(message(XFRM_MSG_NEWPOLICY, info))) << "taken for a fact";
  }
}

TEST(XfrmBlockMessage, ALifetimeCountsFromWhenItWasPlaced) {
  auto info = xfrm_block_message(kRefuse, kTag, std::chrono::seconds{60});
  info.curlft.add_time = 1000;
  EXPECT_EQ(parse_xfrm_block(message(XFRM_MSG_NEWPOLICY, info), kTag)->expires,
            std::chrono::seconds{1060});
  // 0 would be for ever.
  info = xfrm_block_message(kRefuse, kTag, std::chrono::seconds{0});
  EXPECT_EQ(info.lft.hard_add_expires_seconds, 1U);
}

TEST(XfrmBlockMessage, OnlyTheInstancesOwnAreOurs) {
  const auto info = xfrm_block_message(kRefuse, kTag, std::nullopt);
  EXPECT_FALSE(parse_xfrm_block(message(XFRM_MSG_NEWPOLICY, info), xfrm_block_tag("other")));
  auto without_tag = info;
  without_tag.sel.user = 0;
  EXPECT_FALSE(parse_xfrm_block(message(XFRM_MSG_NEWPOLICY, without_tag), kTag));
  EXPECT_TRUE(parse_policy(message(XFRM_MSG_NEWPOLICY, without_tag))) << "somebody's block";
  auto sooner = info;
  sooner.priority = 1000;
  EXPECT_FALSE(parse_xfrm_block(message(XFRM_MSG_NEWPOLICY, sooner), kTag));
  auto port = info;
  port.sel.proto = 17;
  port.sel.dport = 53;
  EXPECT_FALSE(parse_xfrm_block(message(XFRM_MSG_NEWPOLICY, port), kTag));
}

TEST(XfrmBlockMessage, ATruncatedOneIsNothing) {
  const auto info = xfrm_block_message(kRefuse, kTag, std::nullopt);
  for_each_truncation(message(XFRM_MSG_NEWPOLICY, info),
                      [](const auto& cut) { EXPECT_FALSE(parse_xfrm_block(cut, kTag)); });
}

}  // namespace
}  // namespace espial
