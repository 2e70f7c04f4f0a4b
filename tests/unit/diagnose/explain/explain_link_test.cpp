// SPDX-License-Identifier: Apache-2.0
// One packet of node1 through the hooks below IP: of its pods' port, of bridges, bonds and VLANs.
#include <gtest/gtest.h>

#include <algorithm>

#include "diagnose/explain/explain.h"
#include "unit/dropping_chain.h"
#include "unit/facts_builder.h"

namespace espial {
namespace {

using test::add_tunnel;
using test::addr;
using test::dropping;
using test::Hooked;
using test::mac;
using test::one_rule;
using test::state;

// br-prd with the underlay, the pods and two ports: eth0, where the peers are, and pod0. Its SA is
// to node2.
struct Bridge {
  Bridge() {
    node.link(2, "eth0", "", 3);
    node.link(3, "br-prd", "bridge");
    node.veth(4, "pod0", 3);
    for (const char* own : {"10.45.0.11/24", "10.101.1.1/24"}) node.address(3, own);
    node.route("10.101.2.0/24", "10.45.0.12", 3);
    node.neighbour(3, "10.45.0.12", mac(2));
    node.neighbour(3, "10.101.1.10", mac(10));
    node.fdb(3, 2, mac(2));
    node.fdb(3, 4, mac(10));
    add_tunnel(node.facts, "10.101.1.0/24", "10.101.2.0/24", "10.45.0.11", "10.45.0.12", 1);
    node.facts.states = {state("10.45.0.11", "10.45.0.12", 1, 1)};
    node.facts.xfrm_readable = true;
    for (const char* device : {"all", "br-prd", "bond0", "br-prd.7"})
      sysctls.devices[device] = {true, false};
  }
  Explanation with(const Table& table) {
    Ruleset rules;
    rules.tables = {table};
    return explain({node.facts, rules, sysctls}, addr("10.101.1.10"), addr("10.101.2.10"));
  }

  test::Node node;
  SysctlFacts sysctls;
};

TEST(ExplainBelowIp, ItsWayInAndItsEspsWayOut) {
  const Hooked hooks[] = {{TableFamily::kNetdev, PacketHook::kIngress, {"pod0"}},
                          {TableFamily::kBridge, PacketHook::kPrerouting},
                          {TableFamily::kBridge, PacketHook::kInput},
                          {TableFamily::kNetdev, PacketHook::kIngress, {"br-prd"}},
                          {TableFamily::kNetdev, PacketHook::kEgress, {"br-prd"}},
                          {TableFamily::kBridge, PacketHook::kOutput},
                          {TableFamily::kBridge, PacketHook::kPostrouting},
                          {TableFamily::kNetdev, PacketHook::kEgress, {"eth0"}}};
  const char* places[] = {"ingress of pod0",
                          "prerouting of bridge br-prd",
                          "input of bridge br-prd",
                          "ingress of br-prd",
                          "egress of br-prd",
                          "output of bridge br-prd",
                          "postrouting of bridge br-prd",
                          "egress of eth0"};
  for (std::size_t i = 0; i < std::size(hooks); ++i) {
    const auto told = Bridge().with(dropping(hooks[i]));
    EXPECT_EQ(told.end, FlowEnd::DROPPED) << places[i] << ": " << told.conclusion;
    EXPECT_EQ(told.conclusion.find(std::string("dropped in ") + places[i] + " by "), 0u)
        << told.conclusion;
    EXPECT_EQ(told.steps.back().where, places[i]);
    EXPECT_EQ(told.steps.back().packet,
              i < 4 ? "10.101.1.10 > 10.101.2.10" : "10.45.0.11 > 10.45.0.12");
  }
}

TEST(ExplainBelowIp, HooksThatItDoesNotCross) {
  for (const Hooked& hook : {Hooked{TableFamily::kBridge, PacketHook::kForward},
                             Hooked{TableFamily::kNetdev, PacketHook::kEgress, {"pod0"}},
                             Hooked{TableFamily::kNetdev, PacketHook::kIngress, {"eth0"}}}) {
    const auto told = Bridge().with(dropping(hook));
    EXPECT_EQ(told.end, FlowEnd::ENCRYPTED) << told.conclusion;
  }
}

TEST(ExplainBelowIp, RulesSeeThePortsThatTheForwardingTableNames) {
  const Hooked input{TableFamily::kBridge, PacketHook::kInput};
  EXPECT_EQ(Bridge().with(dropping(input, Field::kIifname, Name{"pod0", false})).end,
            FlowEnd::DROPPED);
  EXPECT_EQ(Bridge().with(dropping(input, Field::kIifname, Name{"eth0", false})).end,
            FlowEnd::ENCRYPTED);
  const Hooked output{TableFamily::kBridge, PacketHook::kOutput};
  EXPECT_EQ(Bridge().with(dropping(output, Field::kOifname, Name{"eth0", false})).end,
            FlowEnd::DROPPED);
  EXPECT_EQ(Bridge().with(dropping(output, Field::kOifname, Name{"pod0", false})).end,
            FlowEnd::ENCRYPTED);
}

TEST(ExplainBelowIp, APortThatIsNotKnownMayBeAny) {
  Bridge world;
  world.node.facts.fdb.clear();
  const Hooked egress{TableFamily::kNetdev, PacketHook::kEgress, {"pod0"}};
  auto told = world.with(dropping(egress));
  EXPECT_EQ(told.end, FlowEnd::UNKNOWN) << told.conclusion;
  ASSERT_FALSE(told.reasons.empty());
  EXPECT_EQ(told.reasons[0], "does it take pod0? Rules there block it");
  told = world.with(one_rule(egress, {VerdictStep{RuleVerdict::kAccept, {}}}));
  EXPECT_EQ(told.end, FlowEnd::ENCRYPTED) << "any port lets it pass: " << told.conclusion;
  const Hooked input{TableFamily::kBridge, PacketHook::kInput};
  EXPECT_EQ(world.with(dropping(input, Field::kIifname, Name{"pod0", false})).end,
            FlowEnd::UNKNOWN);
  EXPECT_EQ(world.with(dropping(input)).end, FlowEnd::DROPPED) << "whatever the port";
}

// eth0 and eth1 are slaves of bond0, the bridge's port.
TEST(ExplainBelowIp, ASlaveOfABondMayBeTheOne) {
  Bridge world;
  world.node.link(5, "bond0", "bond", 3);
  world.node.link(6, "eth1", "", 5);
  world.node.facts.links[0].master = 5;
  world.node.facts.fdb[0].port = 5;
  EXPECT_EQ(world.with(dropping({TableFamily::kNetdev, PacketHook::kEgress, {"bond0"}})).end,
            FlowEnd::DROPPED);
  EXPECT_EQ(world.with(dropping({TableFamily::kNetdev, PacketHook::kEgress, {"eth1"}})).end,
            FlowEnd::UNKNOWN);
}

// The underlay is on br-prd.7, a VLAN of the bridge: neighbours are the VLAN's.
TEST(ExplainBelowIp, AVlanOnABridgeTakesItsPort) {
  Bridge world;
  world.node.vlan(5, "br-prd.7", 3, 7);
  for (auto& route : world.node.facts.routes)
    if (route.gateway || route.destination.contains(addr("10.45.0.11"))) route.oif = 5;
  world.node.facts.addresses[0].ifindex = 5;
  world.node.facts.neighbours[0].ifindex = 5;
  EXPECT_EQ(world.with(dropping({TableFamily::kNetdev, PacketHook::kEgress, {"pod0"}})).end,
            FlowEnd::ENCRYPTED);
  for (const char* device : {"br-prd.7", "br-prd", "eth0"}) {
    const auto told = world.with(dropping({TableFamily::kNetdev, PacketHook::kEgress, {device}}));
    EXPECT_EQ(told.end, FlowEnd::DROPPED) << device << ": " << told.conclusion;
  }
}

TEST(ExplainBelowIp, WhatIsRewrittenIsNotFollowed) {
  Assign assign;
  assign.target.field = Field::kIpDestination;
  assign.constant = wide(addr("10.101.2.11"));
  const auto told = Bridge().with(one_rule({TableFamily::kBridge, PacketHook::kInput}, {assign}));
  EXPECT_EQ(told.end, FlowEnd::UNKNOWN) << told.conclusion;
}

}  // namespace
}  // namespace espial
