// SPDX-License-Identifier: Apache-2.0
#include "model/modes/backstop_plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "model/learn/learn.h"
#include "unit/facts_builder.h"

namespace espial {
namespace {

using test::addr;
using test::net;

constexpr auto kIn = PolicyDirection::kIn;
constexpr auto kOut = PolicyDirection::kOut;
constexpr auto kForward = PolicyDirection::kForward;

// node2 is enforced, node3 is not.
struct Case {
  Case() {
    enforce.backstop = true;
    topology.peers[0].mode = Mode::ENFORCE;
    topology.peers[1].mode = Mode::AUDIT;
  }
  [[nodiscard]] BackstopPlan plan() const {
    return plan_backstop(enforce, topology, node.facts, modes, now);
  }
  // Why node2 gets none; empty when it gets some.
  [[nodiscard]] std::string why() const {
    const auto made = plan();
    EXPECT_EQ(made.policies.empty(), !made.without.empty());
    return made.without.empty() ? "" : made.without.at(0).why;
  }

  ConfigEnforce enforce;
  Topology topology = test::mesh();
  test::Node node;
  PeerModes modes;
  Moment now{WallTime{std::chrono::hours{1}}, MonoTime{std::chrono::hours{1}}, "boot"};
};

std::vector<BackstopSelector> selectors(const BackstopPlan& plan) {
  std::vector<BackstopSelector> out;
  for (const auto& policy : plan.policies) out.push_back(policy.selector);
  return out;
}

std::vector<BackstopSelector> sorted(std::vector<BackstopSelector> list) {
  std::sort(list.begin(), list.end());
  return list;
}

TEST(BackstopPlan, EverythingToAnEnforcedPeerAndFromItToUs) {
  const auto own = net("10.101.1.0/24");
  const auto its = net("10.101.2.0/24");
  EXPECT_EQ(selectors(Case().plan()), sorted({{kIn, its, own, {}, false},
                                              {kForward, its, own, {}, false},
                                              {kOut, net("0.0.0.0/0"), its, {}, false},
                                              {kOut, net("0.0.0.0/0"), its, {1, 3, 4}, true}}));
}

TEST(BackstopPlan, Ipv6PassesPacketTooBig) {
  Case c;
  c.topology.self_backends = {{net("fd00:101:1::/64"), "b", Origin::kFile}};
  c.topology.peers[0].backends = {{net("fd00:101:2::/64"), "b", Origin::kFile}};
  const auto list = selectors(c.plan());
  ASSERT_EQ(list.size(), 4U);
  const BackstopSelector pass{kOut, net("::/0"), net("fd00:101:2::/64"), {58, 2, 0}, true};
  EXPECT_NE(std::find(list.begin(), list.end(), pass), list.end());
}

TEST(BackstopPlan, NothingUnlessAskedForOrWithoutEnforce) {
  Case c;
  c.enforce.backstop = false;
  EXPECT_TRUE(c.plan().policies.empty());
  Case d;
  d.topology.peers[0].mode = Mode::AUDIT;
  EXPECT_TRUE(d.plan().policies.empty());
}

TEST(BackstopPlan, HostsOrTransitThatMayPassLeaveOwnPodsOnly) {
  for (const auto limit : {&ConfigEnforce::cleartext_host, &ConfigEnforce::cleartext_transit}) {
    Case c;
    c.enforce.*limit = Mode::AUDIT;
    const auto own = net("10.101.1.0/24");
    const auto its = net("10.101.2.0/24");
    EXPECT_EQ(selectors(c.plan()), sorted({{kIn, its, own, {}, false},
                                           {kForward, its, own, {}, false},
                                           {kOut, own, its, {}, false}}));
  }
}

TEST(BackstopPlan, HostPrefixesNeedNoOtherShape) {
  Case c;
  c.topology.self_backends = {{net("10.101.1.7/32"), "b", Origin::kFile}};
  c.topology.peers[0].backends = {{net("10.101.2.7/32"), "b", Origin::kFile}};
  EXPECT_EQ(c.plan().policies.size(), 4U);
}

TEST(BackstopPlan, ADeadlineIsThatOfTheMode) {
  Case c;
  auto& peer_mode = c.modes["node2"];
  peer_mode.mode = Mode::ENFORCE;
  peer_mode.confirm = Confirmation{{c.now.wall + std::chrono::seconds{60},
                                    c.now.monotonic + std::chrono::seconds{60}, c.now.boot},
                                   Mode::AUDIT};
  for (const auto& wanted : c.plan().policies)
    EXPECT_EQ(wanted.until, c.now.monotonic + std::chrono::seconds{60});
  c.now.monotonic += std::chrono::seconds{60};
  EXPECT_TRUE(c.plan().policies.empty());
  c.now.monotonic -= std::chrono::seconds{1};
  c.now.boot = "another";
  EXPECT_TRUE(c.plan().policies.empty());
}

TEST(BackstopPlan, AnExemptionLeavesThePeerOut) {
  const auto exempt = [](const std::string& prefix) {
    Case c;
    c.enforce.exempt = {{net(prefix), 17, 53}};
    return c.why();
  };
  EXPECT_EQ(exempt("10.101.2.53/32"),
            "10.101.2.0/24: the exemption of 10.101.2.53/32 may be about it");
  EXPECT_NE(exempt("10.101.1.53/32"), "");  // an own pod may talk to any peer
  EXPECT_NE(exempt("10.0.0.0/8"), "");
  EXPECT_EQ(exempt("10.101.3.53/32"), "");  // of node3
  EXPECT_EQ(exempt("fd00::/16"), "");       // the other family
}

TEST(BackstopPlan, WhatIsProtectedElsewhereIsNotBlocked) {
  Case c;
  c.node.link(7, "ipsec0", "xfrm");
  c.node.facts.routes.push_back({net("10.101.0.0/16"), 7, {}, 254, 0});
  EXPECT_EQ(c.why(),
            "10.101.2.0/24: a route leads through ipsec0 (xfrm), behind which it may be encrypted");
  Case d;
  d.node.link(7, "ipsec0", "xfrm");
  d.node.facts.routes.push_back({net("10.101.3.0/24"), 7, {}, 254, 0});
  EXPECT_EQ(d.why(), "");
  Case e;
  test::add_tunnel(e.node.facts, "10.101.1.0/24", "10.101.2.0/24", "10.45.0.11", "10.45.0.12", 1);
  EXPECT_EQ(e.why(), "");
  for (auto& policy : e.node.facts.policies) policy.if_id = 42;
  EXPECT_EQ(e.why(), "10.101.2.0/24: its policies belong to an xfrm interface (if_id 42)");
}

TEST(BackstopPlan, ATunnelIsBlockedUnlessItsPacketsAreEncrypted) {
  Case c;
  c.node.link(7, "tun0", "ipip");
  c.node.facts.routes.push_back({net("10.101.2.0/24"), 7, {}, 254, 0});
  EXPECT_EQ(c.why(), "");
  auto transport = test::policy(kOut, "10.45.0.11/32", "10.45.0.12/32", "0.0.0.0", "0.0.0.0", 1);
  transport.tunnel_mode = false;
  c.node.facts.policies = {transport};
  EXPECT_NE(c.why(), "");
}

TEST(BackstopPlan, NobodyElsesAddressesAreInside) {
  const auto wide = [](const std::string& prefix) {
    Case c;
    c.topology.peers[0].backends = {{net(prefix), "b", Origin::kFile}};
    return c.why();
  };
  EXPECT_EQ(wide("10.101.0.0/16"), "10.101.0.0/16: it contains 10.101.1.0/24 of this node");
  EXPECT_EQ(wide("10.101.2.0/23"), "10.101.2.0/23: it contains 10.101.3.0/24 of node3");
  EXPECT_EQ(wide("10.45.0.12/30"), "10.45.0.12/30: it contains 10.45.0.12/32 of node2");
  EXPECT_EQ(wide("10.101.2.0/24"), "");
}

TEST(BackstopPlan, BlocksTeachNoPeer) {
  Config config;
  KernelFacts facts;
  for (const bool allow : {false, true}) {
    XfrmPolicyFact fact;
    fact.source = net("0.0.0.0/0");
    fact.destination = net("10.101.2.0/24");
    fact.allow = allow;
    facts.policies.push_back(fact);
  }
  const auto topology = merge_topology(config, facts, {});
  EXPECT_TRUE(topology.peers.empty());
  EXPECT_TRUE(topology.findings.empty());
}

}  // namespace
}  // namespace espial
