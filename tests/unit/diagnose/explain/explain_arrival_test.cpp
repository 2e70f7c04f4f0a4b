// SPDX-License-Identifier: Apache-2.0
// One packet that another node sends to node1 or a pod of it: its ESP, its SA, its way to the pod.
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
using test::net;
using test::state;

// br-prd with the underlay and its port eth0; obr_backendnet with the pods and their port pod0.
struct ArrivalWorld {
  ArrivalWorld() {
    node.link(2, "eth0", "", 3);
    node.link(3, "br-prd", "bridge");
    node.veth(4, "pod0", 5);
    node.link(5, "obr_backendnet", "bridge");
    node.address(3, "10.45.0.11/24");
    node.address(5, "10.101.1.1/24");
    node.route("10.101.2.0/24", "10.45.0.12", 3);
    node.neighbour(3, "10.45.0.12", mac(2));
    node.neighbour(5, "10.101.1.10", mac(10));
    node.fdb(3, 2, mac(2));
    node.fdb(5, 4, mac(10));
    add_tunnel(facts(), "10.101.1.0/24", "10.101.2.0/24", "10.45.0.11", "10.45.0.12", 1);
    facts().states = {state("10.45.0.12", "10.45.0.11", 7, 1)};
    facts().xfrm_readable = true;
    for (const char* device : {"all", "br-prd", "obr_backendnet"})
      sysctls.devices[device] = {true, false};
  }
  KernelFacts& facts() { return node.facts; }
  Explanation to(const std::string& destination) const {
    return explain({node.facts, rules, sysctls}, addr("10.101.2.10"), addr(destination));
  }
  Explanation to_pod() const { return to("10.101.1.10"); }
  Explanation to_node() const { return to("10.101.1.1"); }

  test::Node node;
  Ruleset rules;
  SysctlFacts sysctls;
};

std::string arrival_places(const Explanation& told) {
  std::string out;
  for (const auto& step : told.steps) out += (out.empty() ? "" : ", ") + step.where;
  return out;
}

TEST(ExplainArrival, ItsEspIsDecryptedAndGoesToThePod) {
  const auto told = ArrivalWorld().to_pod();
  EXPECT_EQ(told.end, FlowEnd::ENCRYPTED) << told.conclusion;
  EXPECT_EQ(told.conclusion,
            "comes as ESP SPI 0x00000007 by br-prd, goes to the pod by obr_backendnet");
  EXPECT_EQ(arrival_places(told),
            "origin, policy, prerouting, input, sa, prerouting, route, policy, forward, "
            "postrouting");
  EXPECT_EQ(told.steps[2].packet, "10.45.0.12 > 10.45.0.11");
  EXPECT_EQ(told.steps[5].packet, "10.101.2.10 > 10.101.1.10");
}

TEST(ExplainArrival, ForTheNodeItselfThereIsNoForward) {
  const auto told = ArrivalWorld().to_node();
  EXPECT_EQ(told.end, FlowEnd::ENCRYPTED) << told.conclusion;
  EXPECT_EQ(told.conclusion, "comes as ESP SPI 0x00000007 by br-prd, for this node itself");
  EXPECT_EQ(arrival_places(told), "origin, policy, prerouting, input, sa, prerouting, input");
}

TEST(ExplainArrival, WhatDropsItOnItsWay) {
  constexpr unsigned kEsp = 50;
  constexpr unsigned kPing = 1;
  struct Case {
    Hooked hook;
    unsigned protocol;
    const char* place;
  };
  const Case cases[] = {
      {{TableFamily::kNetdev, PacketHook::kIngress, {"eth0"}}, kEsp, "ingress of eth0"},
      {{TableFamily::kBridge, PacketHook::kInput}, kEsp, "input of bridge br-prd"},
      {{TableFamily::kInet, PacketHook::kPrerouting}, kEsp, "prerouting"},
      {{TableFamily::kInet, PacketHook::kInput}, kEsp, "input"},
      {{TableFamily::kNetdev, PacketHook::kIngress, {"br-prd"}}, kPing, "ingress of br-prd"},
      {{TableFamily::kInet, PacketHook::kPrerouting}, kPing, "prerouting"},
      {{TableFamily::kInet, PacketHook::kForward}, kPing, "forward"},
      {{TableFamily::kBridge, PacketHook::kOutput}, kPing, "output of bridge obr_backendnet"},
      {{TableFamily::kNetdev, PacketHook::kEgress, {"pod0"}}, kPing, "egress of pod0"}};
  for (const auto& one : cases) {
    ArrivalWorld world;
    world.rules.tables = {
        dropping(one.hook, Field::kL4proto, Interval{one.protocol, one.protocol})};
    const auto told = world.to_pod();
    EXPECT_EQ(told.end, FlowEnd::DROPPED) << one.place << ": " << told.conclusion;
    EXPECT_EQ(told.steps.back().where, one.place);
    EXPECT_EQ(told.steps.back().packet,
              one.protocol == kEsp ? "10.45.0.12 > 10.45.0.11" : "10.101.2.10 > 10.101.1.10");
  }
}

TEST(ExplainArrival, NotOfItsConcern) {
  for (const Hooked& hook : {Hooked{TableFamily::kNetdev, PacketHook::kIngress, {"eth0"}},
                             Hooked{TableFamily::kBridge, PacketHook::kInput},
                             Hooked{TableFamily::kInet, PacketHook::kInput},
                             Hooked{TableFamily::kInet, PacketHook::kOutput}}) {
    ArrivalWorld world;
    world.rules.tables = {dropping(hook, Field::kL4proto, Interval{1, 1})};
    EXPECT_EQ(world.to_pod().end, FlowEnd::ENCRYPTED) << "what was decrypted never meets it";
  }
}

TEST(ExplainArrival, WithoutPolicyItComesInClear) {
  ArrivalWorld world;
  world.facts().policies.clear();
  auto told = world.to_pod();
  EXPECT_EQ(told.end, FlowEnd::CLEAR);
  EXPECT_EQ(told.conclusion, "comes in clear by br-prd, goes to the pod by obr_backendnet");
  EXPECT_EQ(arrival_places(told),
            "origin, policy, prerouting, route, policy, forward, postrouting");
  world.rules.tables = {dropping({TableFamily::kBridge, PacketHook::kPrerouting})};
  EXPECT_EQ(world.to_pod().conclusion.find("dropped in prerouting of bridge br-prd by "), 0u);
  world.facts().xfrm_defaults.block_forward = true;
  EXPECT_EQ(world.to_pod().conclusion, "dropped: no forward policy, and the default is to block");
  EXPECT_NE(world.to_node().conclusion.find("prerouting of bridge"), std::string::npos)
      << "another default";
}

TEST(ExplainArrival, PoliciesThatDoNotAskForAnSaThatIsThere) {
  ArrivalWorld world;
  world.facts().states.clear();
  auto told = world.to_pod();
  EXPECT_EQ(told.end, FlowEnd::FAIL_CLOSED);
  EXPECT_EQ(told.conclusion, "not accepted until there is an SA 10.45.0.12 > 10.45.0.11");
  for (auto& policy : world.facts().policies) policy.level_use = true;
  EXPECT_EQ(world.to_pod().end, FlowEnd::CLEAR) << "optional, and no SA";
  for (auto& policy : world.facts().policies) policy.allow = false;
  EXPECT_EQ(world.to_pod().end, FlowEnd::DROPPED);
}

TEST(ExplainArrival, EspWithoutACipherAndInUdp) {
  ArrivalWorld world;
  world.facts().states[0].null_encryption = true;
  EXPECT_EQ(world.to_pod().end, FlowEnd::CLEAR);
  world.facts().states[0].null_encryption = false;
  world.facts().states[0].encapsulation = Encapsulation::kUdp;
  world.rules.tables = {
      dropping({TableFamily::kInet, PacketHook::kInput}, Field::kL4proto, Interval{50, 50})};
  EXPECT_EQ(world.to_pod().end, FlowEnd::ENCRYPTED) << "it is UDP";
  world.rules.tables = {
      dropping({TableFamily::kInet, PacketHook::kInput}, Field::kL4proto, Interval{17, 17})};
  EXPECT_EQ(world.to_pod().end, FlowEnd::DROPPED);
}

TEST(ExplainArrival, RulesKnowThatItCameThroughIpsec) {
  ArrivalWorld world;
  world.rules.tables = {
      dropping({TableFamily::kInet, PacketHook::kForward}, Field::kIpsecIn, Interval{0, 0})};
  EXPECT_EQ(world.to_pod().end, FlowEnd::ENCRYPTED);
  world.facts().policies.clear();
  EXPECT_EQ(world.to_pod().end, FlowEnd::DROPPED);
}

TEST(ExplainEnforced, EspialDropsWhatIsInClearEitherWay) {
  ArrivalWorld world;
  world.facts().policies.clear();
  ExplainInput input{world.facts(), world.rules, world.sysctls, {{net("10.101.2.0/24"), "node2"}}};
  for (const bool out : {true, false}) {
    const auto near = addr("10.101.1.10");
    const auto far = addr("10.101.2.10");
    const auto told = out ? explain(input, near, far) : explain(input, far, near);
    EXPECT_EQ(told.end, FlowEnd::DROPPED);
    EXPECT_EQ(told.conclusion,
              std::string("dropped by espial: node2 is in enforce; otherwise it ") +
                  (out ? "leaves in clear over br-prd to 10.45.0.12"
                       : "comes in clear by br-prd, goes to the pod by obr_backendnet"));
    EXPECT_EQ(told.steps.back().where, "espial");
  }
  EXPECT_EQ(explain(input, addr("10.101.1.10"), addr("10.101.3.10")).end, FlowEnd::DROPPED)
      << "no route";
  input.exempting = true;
  EXPECT_EQ(explain(input, addr("10.101.1.10"), addr("10.101.2.10")).end, FlowEnd::UNKNOWN);
  world = ArrivalWorld();
  input.exempting = false;
  EXPECT_EQ(explain(input, addr("10.101.2.10"), addr("10.101.1.10")).end, FlowEnd::ENCRYPTED);
}

TEST(ExplainArrival, WhatCannotBeTold) {
  ArrivalWorld world;
  const auto unknown = [](const Explanation& told) {
    return told.end == FlowEnd::UNKNOWN && !told.reasons.empty();
  };
  EXPECT_TRUE(unknown(world.to("10.99.0.1"))) << "neither starts nor ends here";
  world.facts().xfrm_readable = false;
  EXPECT_TRUE(unknown(world.to_pod()));
  ArrivalWorld tunnel;
  tunnel.node.link(9, "ipsec0", "tun");
  for (auto& route : tunnel.facts().routes)
    if (route.destination == net("10.101.2.0/24")) route.oif = 9;
  EXPECT_TRUE(unknown(tunnel.to_pod())) << "user space turns it into what it likes";
  ArrivalWorld away;
  for (auto& policy : away.facts().policies) policy.template_destination = addr("10.45.0.99");
  away.facts().states = {state("10.45.0.12", "10.45.0.99", 7, 1)};
  EXPECT_TRUE(unknown(away.to_pod())) << "its ESP goes to an address of another";
}

}  // namespace
}  // namespace espial
