// SPDX-License-Identifier: Apache-2.0
// The rule walk over rule sets of the usual firewalls, as their own tools printed them.
#include "diagnose/rules/rule_walk.h"

#include <gtest/gtest.h>

#include <string>

#include "diagnose/audit/nat_before_ipsec.h"
#include "diagnose/lookup/fib.h"
#include "firewall/cases.h"
#include "unit/facts_builder.h"

namespace espial {
namespace {

using test::firewall_case;

constexpr WalkStep kForwardOnly[] = {{Layer::kIp, PacketHook::kForward}};
constexpr WalkStep kInputOnly[] = {{Layer::kIp, PacketHook::kInput}};

// A packet between backends whose every field is known.
Packet tcp(const char* source, const char* destination, std::uint16_t port) {
  Packet packet;
  packet.source = IpAddress::parse(source);
  packet.destination = IpAddress::parse(destination);
  packet.family = packet.source->family();
  packet.protocol = 6;
  packet.source_port = 40000;
  packet.destination_port = port;
  packet.tcp_flags = 2;
  packet.iif = "br-prd";
  packet.oif = "eth0";
  packet.mark = 0;
  packet.tracking = Tracking::kNew;
  packet.ipsec_in = Tri::kNo;
  packet.ipsec_out = Tri::kYes;
  return packet;
}

Packet backend(std::uint16_t port = 80) { return tcp("10.101.1.10", "10.101.2.10", port); }
Packet backend6(std::uint16_t port = 80) { return tcp("fd00:101:1::10", "fd00:101:2::10", port); }

std::string first_culprit(const Walk& walk) {
  return walk.culprits.empty() ? "" : walk.culprits.front().text();
}

// Rules by hand, for what the tools above do not show.
Ruleset one_chain(std::vector<Rule> rules, bool drop = false) {
  Chain chain;
  chain.name = "f";
  chain.base = BaseChain{ChainType::kFilter, PacketHook::kForward, 0, drop, {}};
  chain.rules = std::move(rules);
  Table table;
  table.name = "t";
  table.chains.push_back(std::move(chain));
  Ruleset ruleset;
  ruleset.tables.push_back(std::move(table));
  return ruleset;
}

Rule rule(std::vector<RuleStep> steps) {
  Rule rule;
  rule.handle = 7;
  rule.steps = std::move(steps);
  rule.text = "by hand";
  return rule;
}

TEST(RuleWalk, DockersForwardPolicyDropsWhatIsNotDockers) {
  const auto rules = firewall_case("docker");
  const auto walk = walk_rules(rules, backend(), kForwardOnly);
  EXPECT_EQ(walk.fate, Fate::kDropped);
  EXPECT_EQ(first_culprit(walk), "ip filter FORWARD policy drop");
  EXPECT_EQ(first_culprit(walk_rules(rules, backend6(), kForwardOnly)),
            "ip6 filter FORWARD policy drop");
  auto reply = backend();
  reply.oif = "docker0";
  EXPECT_EQ(walk_rules(rules, reply, kForwardOnly).fate, Fate::kDropped);
  reply.tracking = Tracking::kEstablished;
  EXPECT_EQ(walk_rules(rules, reply, kForwardOnly).fate, Fate::kPassed);
  reply.tracking = Tracking::kUnknown;
  const auto unknown = walk_rules(rules, reply, kForwardOnly);
  EXPECT_EQ(unknown.fate, Fate::kUnknown);
  ASSERT_EQ(unknown.reasons.size(), 1u);
  EXPECT_EQ(unknown.reasons[0],
            "--ctstate (ip filter FORWARD: -A FORWARD -o docker0 -m conntrack --ctstate "
            "RELATED,ESTABLISHED -j ACCEPT)");
}

TEST(RuleWalk, AnAcceptEndsItsOwnBaseChainOnly) {
  const auto rules = firewall_case("opensvc");
  for (const auto& packet : {backend(), backend6()}) {
    const std::string family = packet.family == Family::kIpv4 ? "ip" : "ip6";
    const auto walk = walk_rules(rules, packet, kForwardOnly);
    EXPECT_EQ(walk.fate, Fate::kDropped);
    EXPECT_EQ(first_culprit(walk), family + " filter FORWARD policy drop");
  }
  const auto walk = walk_rules(rules, backend(), kForwardOnly);
  ASSERT_EQ(walk.trace.size(), 1u) << "newer chains of a priority come first";
  EXPECT_EQ(walk.trace[0], "forward, priority 0: dropped by ip filter FORWARD policy drop");
}

// At the end of a chain that was entered by goto the policy counts, not the rule behind it.
TEST(RuleWalk, AGotoDoesNotComeBack) {
  for (const auto verdict : {RuleVerdict::kJump, RuleVerdict::kGoto}) {
    auto rules = one_chain(
        {rule({VerdictStep{verdict, "own"}}), rule({VerdictStep{RuleVerdict::kDrop, {}}})});
    Chain own;
    own.name = "own";
    rules.tables[0].chains.push_back(own);
    EXPECT_EQ(walk_rules(rules, backend(), kForwardOnly).fate,
              verdict == RuleVerdict::kJump ? Fate::kDropped : Fate::kPassed);
  }
}

TEST(RuleWalk, FirewalldsZones) {
  const auto rules = firewall_case("firewalld");
  EXPECT_EQ(walk_rules(rules, backend(), kForwarded).fate, Fate::kPassed);
  auto in = backend(443);
  std::swap(in.iif, in.oif);
  const auto refused = walk_rules(rules, in, kForwardOnly);
  EXPECT_EQ(refused.fate, Fate::kRejected);
  EXPECT_EQ(first_culprit(refused), "inet firewalld filter_FORWARD: reject with icmpx 3");
  auto rewritten = in;
  rewritten.new_destination = Tri::kYes;
  EXPECT_EQ(walk_rules(rules, rewritten, kForwardOnly).fate, Fate::kPassed) << "ct status dnat";
  in.destination = IpAddress::parse("10.101.1.10");
  EXPECT_EQ(walk_rules(rules, in, kForwardOnly).fate, Fate::kPassed);
  in.tracking = Tracking::kInvalid;
  const auto invalid = walk_rules(rules, in, kForwardOnly);
  EXPECT_EQ(invalid.fate, Fate::kDropped);
  EXPECT_EQ(
      first_culprit(invalid),
      "inet firewalld filter_FORWARD: ct state vmap { 0x1 : drop, 0x2 : accept, 0x4 : accept }");
  auto ssh = backend(22);
  ssh.iif = "eth0";
  EXPECT_EQ(walk_rules(rules, ssh, kInputOnly).fate, Fate::kPassed);
  ssh.destination_port = 23;
  const auto telnet = walk_rules(rules, ssh, kInputOnly);
  EXPECT_EQ(telnet.fate, Fate::kRejected);
  EXPECT_EQ(first_culprit(telnet), "inet firewalld filter_IN_public: reject with icmpx 3");
}

// A node of the usual mesh, as rules ask for it.
KernelFacts own_facts() {
  test::Node node;
  node.link(1, "lo");
  node.link(2, "eth0");
  node.link(3, "br-prd", "bridge");
  node.address(2, "10.45.0.11/24");
  node.address(3, "10.101.1.1/24");
  node.address(3, "fd00:101:1::1/64");
  node.route("10.101.2.0/24", "10.45.0.12", 2);
  node.facts.routes.push_back({test::net("fd00:101:2::/64"), 2, {}, 254, 0, {}});
  RouteFact black{test::net("10.9.0.0/16"), 0, {}, 254, 0, {}};
  black.kind = RouteKind::kBlackhole;
  node.facts.routes.push_back(black);
  return node.facts;
}

struct OwnNode {
  KernelFacts facts = own_facts();
  RouteIndex routes{facts};
  Fib fib{facts, routes};
};

TEST(Fib, AnAddressIsLocalBroadcastOrElsewhere) {
  const OwnNode own;
  const auto type = [&](const char* address, const char* device = "") {
    return static_cast<int>(own.fib.type_of(test::addr(address), device).value_or(99));
  };
  EXPECT_EQ(type("10.101.1.1"), 2);
  EXPECT_EQ(type("10.101.1.1", "br-prd"), 2);
  EXPECT_EQ(type("10.101.1.1", "eth0"), 1) << "an address of another device";
  EXPECT_EQ(type("127.0.0.1"), 2);
  EXPECT_EQ(type("10.101.1.255"), 3);
  EXPECT_EQ(type("10.101.1.0"), 99) << "by the kernel's version";
  EXPECT_EQ(type("255.255.255.255"), 3);
  EXPECT_EQ(type("224.0.0.1"), 5);
  EXPECT_EQ(type("10.101.2.10"), 1);
  EXPECT_EQ(type("192.0.2.1"), 1) << "IPv4 asks no route";
  EXPECT_EQ(type("fd00:101:1::1"), 2);
  EXPECT_EQ(type("fd00:101:1::"), 4) << "subnet-router anycast";
  EXPECT_EQ(type("fd00:101:1::9"), 1);
  EXPECT_EQ(type("ff02::1"), 5);
  EXPECT_EQ(type("2001:db8::1"), 7) << "IPv6 does";
}

TEST(Fib, ARouteNamesItsDeviceOrNone) {
  const OwnNode own;
  const auto device = [&](const char* address, const char* only = "") {
    return own.fib.device_to(test::addr(address), {}, only).value_or("unknown");
  };
  EXPECT_EQ(device("10.101.2.10"), "eth0");
  EXPECT_EQ(device("10.101.2.10", "eth0"), "eth0");
  EXPECT_EQ(device("10.101.2.10", "br-prd"), "") << "it would be answered by another device";
  EXPECT_EQ(device("10.101.1.1"), "") << "this node itself";
  EXPECT_EQ(device("192.0.2.1"), "");
  EXPECT_EQ(device("10.9.1.1"), "") << "a black hole is no way";
  EXPECT_EQ(device("fd00:101:2::10", "eth0"), "eth0");
}

TEST(RuleWalk, ReversePathFiltersOfFirewallsAskTheRoutes) {
  Match match;
  Key key;
  key.field = Field::kFibDevice;
  key.fib.iif = true;
  match.keys.push_back(key);
  match.elements.push_back({{Interval{0, 0}}, {}, {}, {}});
  auto rules = one_chain({rule({match, VerdictStep{RuleVerdict::kDrop, {}}})});
  const OwnNode own;
  auto packet = tcp("10.101.2.10", "10.101.1.10", 80);
  const auto fate = [&](const char* iif) {
    packet.iif = iif;
    return walk_rules(rules, packet, kForwardOnly, &own.fib).fate;
  };
  EXPECT_EQ(fate("eth0"), Fate::kPassed);
  EXPECT_EQ(fate("br-prd"), Fate::kDropped);
  packet.mark = 7;
  EXPECT_EQ(fate("br-prd"), Fate::kUnknown) << "a mark may choose another route";
  EXPECT_EQ(walk_rules(rules, packet, kForwardOnly).fate, Fate::kUnknown);
}

TEST(RuleWalk, UfwsLimitsAndAddressTypesAreHonestlyUnknown) {
  const auto rules = firewall_case("ufw");
  EXPECT_EQ(walk_rules(rules, backend(22), kForwardOnly).fate, Fate::kDropped);
  auto web = tcp("10.101.2.9", "10.101.1.10", 8050);
  EXPECT_EQ(walk_rules(rules, web, kForwardOnly).fate, Fate::kPassed);
  auto echo = backend();
  echo.protocol = 1;
  echo.icmp_type = 8;
  EXPECT_EQ(walk_rules(rules, echo, kInputOnly).fate, Fate::kPassed);
  // Local or not, this one is dropped: by ufw-not-local or by the policy.
  EXPECT_EQ(walk_rules(rules, backend(25), kInputOnly).fate, Fate::kDropped);
  const auto ssh = walk_rules(rules, backend(22), kInputOnly);
  EXPECT_EQ(ssh.fate, Fate::kUnknown);
  EXPECT_NE(ssh.reasons.front().find("--dst-type (ip filter ufw-not-local"), std::string::npos)
      << ssh.reasons.front();
  const OwnNode own;
  EXPECT_EQ(walk_rules(rules, backend(22), kInputOnly, &own.fib).fate, Fate::kDropped)
      << "10.101.2.10 is none of this node's";
  EXPECT_EQ(walk_rules(rules, tcp("10.101.2.10", "10.101.1.1", 22), kInputOnly, &own.fib).fate,
            Fate::kPassed);
}

TEST(RuleWalk, MasqueradeBeforeIpsecInNft) {
  const auto rules = firewall_case("masquerade_nft");
  auto packet = backend();
  EXPECT_FALSE(nat_before_ipsec(rules, packet, kForwarded)) << "rt ipsec missing does not hold";
  packet.ipsec_out = Tri::kNo;
  auto nat = nat_before_ipsec(rules, packet, kForwarded);
  ASSERT_TRUE(nat);
  EXPECT_TRUE(nat->certain);
  EXPECT_EQ(nat->what,
            "source rewritten by ip nat postrouting: ip saddr 10.101.0.0/16 rt ipsec 0 oifname "
            "\"eth0\" masquerade");
  packet.ipsec_out = Tri::kUnknown;
  nat = nat_before_ipsec(rules, packet, kForwarded);
  ASSERT_TRUE(nat);
  EXPECT_FALSE(nat->certain);
  packet.destination = IpAddress::parse("10.101.3.4");
  EXPECT_FALSE(nat_before_ipsec(rules, packet, kForwarded)) << "returns first";
  packet = tcp("10.102.1.1", "10.101.2.1", 80);
  const auto walk = walk_rules(rules, packet, kForwarded);
  EXPECT_EQ(walk.source_nat, Tri::kYes);
  EXPECT_EQ(walk.packet.source->text(), "192.0.2.7");
}

TEST(RuleWalk, MasqueradeBeforeIpsecInBothWorldsOfIptables) {
  const auto rules = firewall_case("masquerade_iptables");
  auto packet = backend();
  EXPECT_FALSE(nat_before_ipsec(rules, packet, kForwarded)) << "--pol ipsec accepts first";
  packet.oif = "br-prd";
  auto nat = nat_before_ipsec(rules, packet, kForwarded);
  ASSERT_TRUE(nat);
  EXPECT_EQ(nat->what,
            "source rewritten by ip nat POSTROUTING: -A POSTROUTING -s 10.101.0.0/16 ! -o docker0 "
            "-j MASQUERADE");
  packet = tcp("10.102.1.1", "10.101.2.1", 80);
  EXPECT_FALSE(nat_before_ipsec(rules, packet, kForwarded)) << "--pol none does not hold";
  packet = tcp("10.103.1.1", "10.101.2.1", 80);
  nat = nat_before_ipsec(rules, packet, kForwarded);
  ASSERT_TRUE(nat) << "iptables-legacy counts, too";
  EXPECT_EQ(nat->rules[0].rule.tool, RuleTool::kIptablesLegacy);
}

TEST(RuleWalk, WhatIsNotTrackedMeetsNoNat) {
  const auto rules = firewall_case("notrack");
  auto walk = walk_rules(rules, backend(), kForwarded);
  EXPECT_EQ(walk.fate, Fate::kPassed);
  EXPECT_EQ(walk.packet.tracking, Tracking::kUntracked);
  EXPECT_EQ(walk.source_nat, Tri::kNo);
  walk = walk_rules(rules, tcp("10.9.1.1", "10.101.2.1", 80), kForwarded);
  EXPECT_EQ(walk.fate, Fate::kRejected);
  auto marked = tcp("10.9.1.1", "10.101.2.1", 80);
  marked.mark = 0x101;
  walk = walk_rules(rules, marked, kForwarded);
  EXPECT_EQ(walk.fate, Fate::kPassed);
  EXPECT_EQ(walk.source_nat, Tri::kYes);
  EXPECT_FALSE(walk.packet.source) << "masquerade takes the device's address";
}

TEST(RuleWalk, PhysdevOfBridgeNetfilterIsUnknown) {
  auto rules = firewall_case("bridge");
  auto hairpin = backend();
  hairpin.oif = hairpin.iif;
  const auto walk = walk_rules(rules, hairpin, kForwardOnly);
  EXPECT_EQ(walk.fate, Fate::kUnknown);
  EXPECT_NE(walk.reasons.front().find("physdev"), std::string::npos);
  EXPECT_EQ(walk_rules(rules, backend(), kForwardOnly).fate, Fate::kUnknown)
      << "nft 1.0.6 shows a set of wildcards as nothing";
}

TEST(RuleWalk, BridgesAndDevicesHaveHooksOfTheirOwn) {
  const auto rules = firewall_case("bridge");
  auto vxlan = backend(4789);
  vxlan.protocol = 17;
  vxlan.iif = "pod0";
  EXPECT_EQ(walk_rules(rules, vxlan, kBridged).fate, Fate::kDropped);
  vxlan.iif = "pod1";
  EXPECT_EQ(walk_rules(rules, vxlan, kBridged).fate, Fate::kPassed);
  EXPECT_EQ(walk_rules(rules, backend6(), kBridged).fate, Fate::kDropped);
  constexpr WalkStep kIngress[] = {{Layer::kDevice, PacketHook::kIngress}};
  auto guarded = tcp("10.101.9.1", "10.101.1.1", 1);
  EXPECT_EQ(walk_rules(rules, guarded, kIngress).fate, Fate::kPassed);
  guarded.iif = "v1";
  const auto walk = walk_rules(rules, guarded, kIngress);
  EXPECT_EQ(walk.fate, Fate::kDropped);
  EXPECT_EQ(first_culprit(walk), "netdev guard in: ip saddr 10.101.9.0/24 drop");
}

TEST(RuleWalk, DestinationNatLeavesTheRestToRouting) {
  const auto rules = firewall_case("docker");
  auto packet = backend(8080);
  packet.iif = "eth0";
  const auto walk = walk_rules(rules, packet, kForwarded);
  EXPECT_EQ(walk.fate, Fate::kUnknown) << "addrtype LOCAL is not known";
  EXPECT_EQ(walk.destination_nat, Tri::kUnknown);
  const OwnNode own;
  EXPECT_EQ(walk_rules(rules, packet, kForwarded, &own.fib).fate, Fate::kDropped)
      << "a remote pod is no address of this node: only FORWARD's policy counts";
  packet.destination = IpAddress::parse("10.45.0.11");
  const auto here = walk_rules(rules, packet, kForwarded, &own.fib);
  EXPECT_EQ(here.fate, Fate::kRerouted);
  EXPECT_EQ(here.packet.new_destination, Tri::kYes) << "ct status dnat";
}

TEST(RuleWalk, WhatIsUnknownDoesNotMatterWhereBothWaysEndAlike) {
  const VerdictStep drop{RuleVerdict::kDrop, {}};
  const VerdictStep accept{RuleVerdict::kAccept, {}};
  const auto fate = [](const Ruleset& rules) {
    return walk_rules(rules, backend(), kForwardOnly).fate;
  };
  EXPECT_EQ(fate(one_chain({rule({UnknownMatch{"x"}, drop})}, true)), Fate::kDropped);
  EXPECT_EQ(fate(one_chain({rule({UnknownMatch{"x"}, accept})})), Fate::kPassed);
  EXPECT_EQ(fate(one_chain({rule({UnknownMatch{"x"}, drop})})), Fate::kUnknown);
  EXPECT_EQ(fate(one_chain({rule({Unknown{"x"}})})), Fate::kUnknown);
  EXPECT_EQ(fate(one_chain({rule({UnknownMatch{"x"}, NoEffect{"counter"}}), rule({accept})}, true)),
            Fate::kPassed);
}

TEST(RuleWalk, NotrackAfterConntrackStillUntracksWhatIsInvalid) {
  const auto rules = one_chain({rule({NoTrack{}})});
  auto packet = backend();
  EXPECT_EQ(walk_rules(rules, packet, kForwardOnly).packet.tracking, Tracking::kNew);
  packet.tracking = Tracking::kInvalid;
  EXPECT_EQ(walk_rules(rules, packet, kForwardOnly).packet.tracking, Tracking::kUntracked);
}

TEST(RuleWalk, WithoutConntrackNoNatChainIsAsked) {
  auto rules = one_chain({rule({VerdictStep{RuleVerdict::kDrop, {}}})});
  auto& base = *rules.tables[0].chains[0].base;
  base.type = ChainType::kNat;
  base.hook = PacketHook::kPostrouting;
  EXPECT_EQ(walk_rules(rules, backend(), kForwarded).fate, Fate::kUnknown);
  Match state;
  Key key;
  key.field = Field::kCtState;
  state.keys.push_back(key);
  rules.tables[0].chains[0].rules.push_back(rule({state}));
  EXPECT_EQ(walk_rules(rules, backend(), kForwarded).fate, Fate::kDropped)
      << "a rule that needs conntrack, anywhere, makes it run";
}

TEST(RuleWalk, AnExplosionOfJumpsIsBounded) {
  auto rules = one_chain({rule({VerdictStep{RuleVerdict::kJump, "c0"}})});
  for (int i = 0; i < 15; ++i) {
    Chain chain;
    chain.name = "c" + std::to_string(i);
    for (int k = 0; k < 8; ++k)
      chain.rules.push_back(rule({VerdictStep{RuleVerdict::kJump, "c" + std::to_string(i + 1)}}));
    rules.tables[0].chains.push_back(std::move(chain));
  }
  rules.tables[0].chains.push_back({"c15", {}, {}, {}});
  const auto walk = walk_rules(rules, backend(), kForwardOnly);
  EXPECT_EQ(walk.fate, Fate::kUnknown);
  EXPECT_EQ(walk.reasons.front(), "more rules than espial can trace");
}

}  // namespace
}  // namespace espial
