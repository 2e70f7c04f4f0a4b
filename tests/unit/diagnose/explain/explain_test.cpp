// SPDX-License-Identifier: Apache-2.0
// One packet of node1 of the example mesh, followed through worlds with one thing wrong.
#include "diagnose/explain/explain.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "firewall/cases.h"
#include "unit/facts_builder.h"

namespace espial {
namespace {

using test::add_tunnel;
using test::addr;
using test::firewall_case;
using test::net;
using test::state;

// Healthy, with both families and SAs to node2: SPI 1 for IPv4, SPI 2 for IPv6.
struct World {
  World() {
    node.link(2, "eth0");
    node.link(3, "br-prd", "bridge");
    node.address(2, "10.45.0.11/24");
    node.address(2, "fd00:45::11/64");
    node.address(3, "10.101.1.1/24");
    node.address(3, "fd00:101:1::1/64");
    node.route("10.101.2.0/24", "10.45.0.12", 2);
    node.route("fd00:101:2::/64", "fd00:45::12", 2);
    add_tunnel(facts(), "10.101.1.0/24", "10.101.2.0/24", "10.45.0.11", "10.45.0.12", 1);
    add_tunnel(facts(), "fd00:101:1::/64", "fd00:101:2::/64", "10.45.0.11", "10.45.0.12", 2);
    facts().states = {state("10.45.0.11", "10.45.0.12", 1, 1),
                      state("10.45.0.11", "10.45.0.12", 2, 2)};
    facts().xfrm_readable = true;
    for (const char* device : {"all", "eth0", "br-prd"}) sysctls.devices[device] = {true, false};
    sysctls.forwarding_v6 = true;
  }
  KernelFacts& facts() { return node.facts; }
  Explanation from(const std::string& source, const std::string& destination) const {
    return explain({node.facts, rules, sysctls}, addr(source), addr(destination));
  }
  Explanation hosts() const { return from("10.101.1.1", "10.101.2.1"); }
  Explanation pods() const { return from("10.101.1.10", "10.101.2.10"); }

  test::Node node;
  Ruleset rules;
  SysctlFacts sysctls;
};

std::string places(const Explanation& told) {
  std::string out;
  for (const auto& step : told.steps) out += (out.empty() ? "" : " ") + step.where;
  return out;
}

const FlowStep* step(const Explanation& told, const std::string& where) {
  const auto at = std::find_if(told.steps.begin(), told.steps.end(),
                               [&](const FlowStep& one) { return one.where == where; });
  return at == told.steps.end() ? nullptr : &*at;
}

bool has(const std::vector<std::string>& lines, const std::string& part) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

// A base chain with one step.
Table chain(PacketHook hook, ChainType type, RuleStep one, const std::string& text) {
  Table table;
  table.name = "t";
  Chain base;
  base.name = "c";
  base.base = BaseChain{};
  base.base->hook = hook;
  base.base->type = type;
  base.rules = {Rule{7, {std::move(one)}, text}};
  table.chains = {base};
  return table;
}

Table masquerade() {
  Nat nat;
  nat.kind = Nat::Kind::kMasquerade;
  return chain(PacketHook::kPostrouting, ChainType::kNat, nat, "masquerade");
}

TEST(Explain, HostToHostIsEncryptedInTheKernelsOrder) {
  const auto told = World().hosts();
  EXPECT_EQ(told.end, FlowEnd::ENCRYPTED) << told.conclusion;
  EXPECT_EQ(told.conclusion, "leaves as ESP SPI 0x00000001, to 10.45.0.12 over eth0");
  EXPECT_EQ(places(told), "origin route policy output postrouting sa route output postrouting");
  EXPECT_EQ(step(told, "sa")->packet, "10.101.1.1 > 10.101.2.1");
  EXPECT_EQ(told.steps.back().packet, "10.45.0.11 > 10.45.0.12");
}

TEST(Explain, PodsOfBothFamiliesGoThroughForward) {
  const auto four = World().pods();
  EXPECT_EQ(four.end, FlowEnd::ENCRYPTED) << four.conclusion;
  EXPECT_EQ(places(four),
            "origin prerouting route policy forward postrouting sa route output postrouting");
  const auto six = World().from("fd00:101:1::10", "fd00:101:2::10");
  EXPECT_EQ(six.end, FlowEnd::ENCRYPTED) << six.conclusion;
  EXPECT_EQ(six.conclusion, "leaves as ESP SPI 0x00000002, to 10.45.0.12 over eth0");
}

// Drops in FORWARD, as captured from a real node: both chains have priority 0, so the newer one,
// Docker's, is asked first and OpenSVC's never.
TEST(Explain, DroppedInForwardBeforeOpenSvcsAccept) {
  World world;
  world.rules = firewall_case("opensvc");
  const auto told = world.pods();
  EXPECT_EQ(told.end, FlowEnd::DROPPED);
  EXPECT_EQ(told.conclusion, "dropped in forward by ip filter FORWARD policy drop");
  EXPECT_EQ(places(told), "origin prerouting route policy forward");
  EXPECT_EQ(told.steps.back().details.size(), 1u);
  EXPECT_EQ(world.hosts().end, FlowEnd::ENCRYPTED) << "what the node sends meets no FORWARD";
}

TEST(Explain, DroppedInForwardBehindOpenSvcsAccept) {
  World world;
  world.rules = firewall_case("opensvc");
  for (auto& table : world.rules.tables)
    for (auto& one : table.chains)
      if (one.name == "osvc-forward") one.base->priority = -5;
  const auto told = world.pods();
  EXPECT_EQ(told.end, FlowEnd::DROPPED);
  const auto& details = told.steps.back().details;
  ASSERT_EQ(details.size(), 2u);
  EXPECT_NE(details[0].find("accepted by ip filter osvc-forward: "), std::string::npos)
      << details[0];
  EXPECT_NE(details[1].find("dropped by ip filter FORWARD policy drop"), std::string::npos);
}

TEST(Explain, WithoutPolicyItLeavesInClear) {
  World world;
  world.facts().policies.clear();
  auto told = world.hosts();
  EXPECT_EQ(told.end, FlowEnd::CLEAR);
  EXPECT_EQ(told.conclusion, "leaves in clear over eth0 to 10.45.0.12");
  EXPECT_EQ(step(told, "policy")->what, "none");
  world.facts().xfrm_defaults.block_out = true;
  told = world.hosts();
  EXPECT_EQ(told.end, FlowEnd::DROPPED) << told.conclusion;
}

TEST(Explain, PoliciesThatDoNotEncrypt) {
  World world;
  auto& policy = world.facts().policies[0];
  policy.allow = false;
  EXPECT_EQ(world.hosts().end, FlowEnd::DROPPED);
  policy.allow = true;
  policy.has_template = false;
  EXPECT_EQ(world.hosts().end, FlowEnd::CLEAR);
  policy.has_template = true;
  world.facts().states[0].null_encryption = true;
  EXPECT_EQ(world.hosts().end, FlowEnd::CLEAR) << "ESP without a cipher";
  world.facts().states.clear();
  policy.level_use = true;
  EXPECT_EQ(world.hosts().end, FlowEnd::CLEAR) << "optional, and no SA";
}

TEST(Explain, WithoutSaItIsHeldAndOfAPodNeverSeesForward) {
  World world;
  world.facts().states.clear();
  EXPECT_EQ(world.hosts().end, FlowEnd::FAIL_CLOSED);
  EXPECT_EQ(places(world.hosts()), "origin route policy sa output");
  EXPECT_EQ(world.pods().end, FlowEnd::FAIL_CLOSED);
  EXPECT_EQ(places(world.pods()), "origin prerouting route policy sa");
}

// A policy for ICMP is asked before one of a higher value; one for another code is not this one's.
TEST(Explain, APolicyForTheProtocolDecidesIfItFits) {
  World world;
  auto bypass = world.facts().policies[0];
  bypass.has_template = false;
  bypass.protocol = 1;
  world.facts().policies[0].priority = 9;
  world.facts().policies.push_back(bypass);
  EXPECT_EQ(world.hosts().end, FlowEnd::CLEAR);
  world.facts().policies.back().source_port = {3, 0xffff};
  EXPECT_EQ(world.hosts().end, FlowEnd::ENCRYPTED) << "ICMP type 3 is no ping";
  world.facts().policies.back().source_port = {8, 0xffff};
  EXPECT_EQ(world.hosts().end, FlowEnd::CLEAR);
  world.facts().policies.back().protocol = 6;
  EXPECT_EQ(world.hosts().end, FlowEnd::ENCRYPTED);
}

TEST(Explain, RoutingRulesAndRoutesThatReject) {
  World world;
  RuleFact rule;
  rule.source = net("0.0.0.0/0");
  rule.destination = net("10.101.2.0/24");
  rule.priority = 10;
  rule.action = RuleAction::kProhibit;
  world.facts().rules = {rule};
  auto told = world.hosts();
  EXPECT_EQ(told.end, FlowEnd::DROPPED);
  EXPECT_EQ(told.conclusion, "dropped: rejected by rule 10: from all to 10.101.2.0/24 prohibit");

  world.facts().rules.clear();
  EXPECT_EQ(world.from("10.101.1.1", "10.99.0.1").conclusion, "dropped: no route to 10.99.0.1");
  world.facts().routes.push_back({net("10.99.0.0/16"), 0, {}, 254, 0, {}, RouteKind::kBlackhole});
  told = world.from("10.101.1.1", "10.99.0.1");
  EXPECT_EQ(told.conclusion, "dropped: rejected by route blackhole 10.99.0.0/16");
}

TEST(Explain, MasqueradedBeforeIpsecItMissesThePolicy) {
  for (const bool six : {false, true}) {
    World world;
    world.rules.tables = {masquerade()};
    const auto told = six ? world.from("fd00:101:1::10", "fd00:101:2::10") : world.pods();
    if (six) {
      // Which address of the outer device is not told by an outer header of the other family.
      EXPECT_EQ(told.end, FlowEnd::UNKNOWN) << told.conclusion;
      continue;
    }
    EXPECT_EQ(told.end, FlowEnd::CLEAR) << told.conclusion;
    ASSERT_NE(step(told, "nat"), nullptr);
    EXPECT_EQ(step(told, "nat")->packet, "10.45.0.11 > 10.101.2.10");
    EXPECT_TRUE(has(step(told, "postrouting")->details, "masquerade"));
    EXPECT_EQ(step(told, "policy")->packet, "10.101.1.10 > 10.101.2.10") << "before it, it had one";
  }
}

TEST(Explain, ForwardingThatIsOffOrNotKnown) {
  World world;
  world.sysctls.devices["br-prd"].forwarding_v4 = false;
  EXPECT_EQ(world.pods().conclusion,
            "dropped: this node does not forward, net.ipv4.conf.br-prd.forwarding = 0");
  EXPECT_EQ(world.hosts().end, FlowEnd::ENCRYPTED);
  world.sysctls.devices["br-prd"].forwarding_v4.reset();
  const auto told = world.pods();
  EXPECT_EQ(told.end, FlowEnd::UNKNOWN);
  EXPECT_TRUE(has(told.reasons, "net.ipv4.conf.br-prd.forwarding could not be read"));
}

TEST(Explain, WithIpsecSwitchedOffForTheDevice) {
  World world;
  world.sysctls.devices["eth0"].disable_xfrm_v4 = true;
  EXPECT_EQ(world.hosts().end, FlowEnd::CLEAR);
  EXPECT_EQ(world.from("fd00:101:1::1", "fd00:101:2::1").end, FlowEnd::ENCRYPTED);
}

TEST(Explain, AForwardPolicyThatWantsIpsecDropsWhatAPodSends) {
  World world;
  auto policy = world.facts().policies[0];
  policy.direction = PolicyDirection::kForward;
  world.facts().policies.push_back(policy);
  EXPECT_EQ(world.pods().end, FlowEnd::DROPPED);
  EXPECT_EQ(world.hosts().end, FlowEnd::ENCRYPTED);
}

TEST(Explain, ItsEspMeetsOutput) {
  World world;
  Match match;
  Key key;
  key.field = Field::kL4proto;
  match.keys = {key};
  match.elements = {{{Interval{50, 50}}, {}, {}, {}}};
  auto table = chain(PacketHook::kOutput, ChainType::kFilter, match, "meta l4proto esp drop");
  table.chains[0].rules[0].steps.push_back(VerdictStep{RuleVerdict::kDrop, {}});
  world.rules.tables = {table};
  const auto told = world.pods();
  EXPECT_EQ(told.end, FlowEnd::DROPPED);
  EXPECT_EQ(told.conclusion, "dropped in output by inet t c: meta l4proto esp drop");
  EXPECT_EQ(told.steps.back().packet, "10.45.0.11 > 10.45.0.12");
}

TEST(Explain, ATunnelDeviceIsFollowedIntoItsOuterPacket) {
  World world;
  auto& link = world.node.link(4, "tun2", "ipip");
  link.tunnel = TunnelEnds{addr("10.45.0.11"), addr("10.45.0.12"), false};
  world.sysctls.devices["tun2"] = {true, false};
  world.facts().policies.clear();
  world.facts().routes.push_back({net("10.102.0.0/16"), 4, {}, 254, 0, {}});
  auto told = world.from("10.101.1.1", "10.102.0.1");
  EXPECT_EQ(told.end, FlowEnd::CLEAR) << told.conclusion;
  EXPECT_EQ(told.steps.back().packet, "10.45.0.11 > 10.45.0.12");
  add_tunnel(world.facts(), "10.45.0.11/32", "10.45.0.12/32", "10.45.0.11", "10.45.0.12", 1);
  told = world.from("10.101.1.1", "10.102.0.1");
  EXPECT_EQ(told.end, FlowEnd::ENCRYPTED) << told.conclusion;
}

// Pods and underlay on one bridge: what a pod sends comes in and leaves by the same device.
TEST(Explain, OnASharedBridgePodsAreForwardedAllTheSame) {
  World world;
  for (auto& fact : world.facts().addresses) fact.ifindex = 3;
  for (auto& fact : world.facts().routes) fact.oif = 3;
  const auto told = world.pods();
  EXPECT_EQ(told.end, FlowEnd::ENCRYPTED) << told.conclusion;
  EXPECT_NE(step(told, "forward"), nullptr) << places(told);
  EXPECT_EQ(world.from("10.101.1.10", "10.101.1.11").end, FlowEnd::UNKNOWN);
}

TEST(Explain, WhatCannotBeToldIsUnknown) {
  World world;
  const auto unknown = [&](const Explanation& told) {
    return told.end == FlowEnd::UNKNOWN && !told.reasons.empty();
  };
  EXPECT_TRUE(unknown(world.from("10.99.0.1", "10.101.2.1"))) << "it does not start here";
  EXPECT_TRUE(unknown(world.from("10.101.1.10", "10.101.1.1"))) << "it does not leave";
  EXPECT_TRUE(unknown(world.from("10.101.1.10", "10.101.1.11"))) << "the bridge carries it";
  world.rules.unread = {"nft: not found"};
  EXPECT_TRUE(unknown(world.hosts()));
  world.rules.unread.clear();
  world.rules.tables = {
      chain(PacketHook::kOutput, ChainType::kFilter, Unknown{"geoip"}, "geoip drop")};
  EXPECT_TRUE(unknown(world.hosts()));
  EXPECT_TRUE(has(world.hosts().reasons, "geoip"));
  world.rules.tables.clear();
  world.facts().xfrm_readable = false;
  EXPECT_TRUE(unknown(world.hosts()));
}

TEST(Explain, AMarkThatARoutingRuleAsksForIsNotFollowed) {
  World world;
  Assign assign;
  assign.target.field = Field::kMark;
  assign.constant = 1;
  world.rules.tables = {
      chain(PacketHook::kPrerouting, ChainType::kFilter, assign, "meta mark set 1")};
  EXPECT_EQ(world.pods().end, FlowEnd::ENCRYPTED) << "nobody asks";
  world.facts().policies[0].mark = {0, 0xff};
  EXPECT_EQ(world.pods().end, FlowEnd::UNKNOWN);
}

}  // namespace
}  // namespace espial
