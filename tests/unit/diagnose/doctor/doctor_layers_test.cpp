// SPDX-License-Identifier: Apache-2.0
// The doctor over rules below IP: bridges, devices, ARP and neighbour discovery, in both layouts.
#include <gtest/gtest.h>

#include <algorithm>

#include "sources/firewall/ebtables_list.h"
#include "unit/doctor_world.h"

namespace espial {
namespace {

using test::addr;
using test::mac;
using test::net;
using Lines = std::vector<std::string>;

Match matching(Field field, Wide first, Wide last) {
  Match match;
  Key key;
  key.field = field;
  match.keys.push_back(std::move(key));
  match.elements.push_back({{Interval{first, last}}, {}, {}, {}});
  return match;
}

Match from(const std::string& prefix) {
  const auto base = net(prefix);
  const auto first = wide(base.address());
  return matching(Field::kIpSource, first, first | 0xffff);
}

// One base chain "c" of table "t" with one rule that drops what the steps match.
struct Hooked {
  TableFamily family;
  PacketHook hook;
  std::vector<std::string> devices{};
  bool policy_drop = false;
};
Ruleset dropping(const Hooked& where, std::vector<RuleStep> steps) {
  Chain chain;
  chain.name = "c";
  chain.base = BaseChain{ChainType::kFilter, where.hook, 0, where.policy_drop, where.devices};
  steps.emplace_back(VerdictStep{RuleVerdict::kDrop, {}});
  chain.rules.push_back({5, std::move(steps), "by hand drop"});
  Table table;
  table.family = where.family;
  table.name = "t";
  table.chains.push_back(std::move(chain));
  Ruleset rules;
  rules.tables.push_back(std::move(table));
  return rules;
}

// Layout A: br-prd has the underlay, the NIC and a pod.
struct Shared : test::DoctorWorld {
  Shared() {
    facts().routes.clear();
    facts().addresses.clear();
    node.address(3, "10.45.0.11/24");
    node.address(3, "10.101.1.1/24");
    node.address(3, "fd00:101:1::1/64");
    for (const std::string n : {"2", "3"}) {
      node.route("10.101." + n + ".0/24", "10.45.0.1" + n, 3);
      facts().routes.push_back({net("fd00:101:" + n + "::/64"), 3, {}, 254, 0, {}});
    }
    facts().links[0].master = 3;
    node.veth(4, "pod0", 3);
    facts().neighbours = {{3, addr("10.101.1.9"), mac(9)}};
    for (const auto n : {std::uint8_t{2}, std::uint8_t{3}}) {
      facts().neighbours.push_back({3, addr("10.45.0.1" + std::to_string(n)), mac(n)});
      node.fdb(3, 2, mac(n));
    }
    node.fdb(3, 4, mac(9));
  }
};

template <class World>
std::vector<std::string> told(const World& world) {
  const auto report = world.look();
  EXPECT_TRUE(report.unknown.empty()) << report.unknown.front();
  Lines lines;
  for (const auto& finding : report.findings)
    lines.push_back(std::string(to_string(finding.cause)) + ": " + finding.summary);
  return lines;
}

TEST(DoctorLayers, ASharedBridgeIsHealthy) { EXPECT_EQ(told(Shared()), Lines{}); }

TEST(DoctorLayers, WhatPodsSendCrossesTheirPortAndTheBridge) {
  Shared world;
  for (const auto hook : {PacketHook::kPrerouting, PacketHook::kInput}) {
    world.rules = dropping({TableFamily::kBridge, hook}, {from("10.101.0.0/16")});
    const auto report = world.look();
    ASSERT_EQ(report.findings.size(), 1u);
    const auto& finding = report.findings.front();
    const std::string word = hook == PacketHook::kInput ? "INPUT" : "PREROUTING";
    EXPECT_EQ(finding.cause, Cause::RULE_DROPS);
    EXPECT_EQ(finding.summary, "packets of pods are dropped in " + word +
                                   " of bridge br-prd by bridge t c: by hand drop");
    EXPECT_EQ(finding.peers, (Lines{"node2", "node3"}));
    EXPECT_EQ(finding.remedies, Lines{"nft insert rule bridge t c ip saddr 10.101.0.0/16 ip daddr "
                                      "10.101.0.0/16 accept"});
  }
  world.rules = dropping({TableFamily::kBridge, PacketHook::kForward}, {from("10.101.0.0/16")});
  EXPECT_EQ(told(world), Lines{}) << "to the node itself a bridge does not forward";
}

TEST(DoctorLayers, WhatPodsGetCrossesTheBridgeAndTheirPort) {
  Shared world;
  for (const auto hook : {PacketHook::kOutput, PacketHook::kPostrouting}) {
    Match match = matching(Field::kOifname, 0, 0);
    match.elements.front().patterns = {Name{"pod0", false}};
    world.rules = dropping({TableFamily::kBridge, hook}, {match, from("10.101.0.0/16")});
    const auto lines = told(world);
    ASSERT_EQ(lines.size(), 2u) << to_string(hook);
    EXPECT_EQ(lines[0].substr(0, 11), "rule_drops:");
    EXPECT_EQ(lines[1].substr(0, 17), "path_mtu_blocked:") << "the node's own ICMP goes there, too";
    match.elements.front().patterns = {Name{"eth0", false}};
    world.rules = dropping({TableFamily::kBridge, hook}, {match, from("10.101.0.0/16")});
    EXPECT_EQ(told(world), Lines{}) << "only ESP leaves by eth0";
  }
}

// Cause and rule of each finding, then its remedies.
Lines told_of_ebtables(const std::string& text) {
  Shared world;
  auto tables = tables_from_ebtables_list(text);
  EXPECT_TRUE(tables.ok());
  if (tables.ok()) world.rules.tables = *tables;
  Lines lines;
  const auto report = world.look();
  EXPECT_TRUE(report.unknown.empty()) << report.unknown.front();
  for (const auto& finding : report.findings) {
    lines.push_back(std::string(to_string(finding.cause)) +
                    finding.summary.substr(finding.summary.find(" by ")));
    lines.insert(lines.end(), finding.remedies.begin(), finding.remedies.end());
  }
  return lines;
}

TEST(DoctorLayers, LegacyEbtablesIsNamedAndMendedInItsOwnWords) {
  EXPECT_EQ(
      told_of_ebtables("ebtables -t filter -A INPUT -p IPv4 --ip-src 10.101.1.0/24 -j DROP \n"),
      (Lines{"rule_drops by bridge filter INPUT: -A INPUT -p IPv4 --ip-src 10.101.1.0/24 -j DROP",
             "ebtables-legacy -I INPUT -p IPv4 --ip-src 10.101.0.0/16 --ip-dst 10.101.0.0/16 "
             "-j ACCEPT"}));
  const std::string to2 =
      "ebtables-legacy -t nat -I OUTPUT -p IPv4 --ip-src 10.45.0.11/32 --ip-dst "
      "10.45.0.12/32 --ip-proto ";
  const std::string to3 =
      "ebtables-legacy -t nat -I OUTPUT -p IPv4 --ip-src 10.45.0.11/32 --ip-dst "
      "10.45.0.13/32 --ip-proto ";
  EXPECT_EQ(told_of_ebtables("ebtables -t nat -A OUTPUT -p IPv4 --ip-proto udp -j DROP \n"),
            (Lines{"ike_blocked by bridge nat OUTPUT: -A OUTPUT -p IPv4 --ip-proto udp -j DROP",
                   to2 + "udp --ip-dport 500 -j ACCEPT", to2 + "udp --ip-dport 4500 -j ACCEPT",
                   to3 + "udp --ip-dport 500 -j ACCEPT", to3 + "udp --ip-dport 4500 -j ACCEPT"}));
  EXPECT_EQ(told_of_ebtables("ebtables -t nat -A OUTPUT -p IPv4 --ip-proto esp -j DROP \n"),
            (Lines{"esp_blocked by bridge nat OUTPUT: -A OUTPUT -p IPv4 --ip-proto esp -j DROP",
                   to2 + "esp -j ACCEPT", to3 + "esp -j ACCEPT"}));
  const auto lines = told_of_ebtables("ebtables -t filter -P INPUT DROP\n");
  ASSERT_GT(lines.size(), 4u);
  EXPECT_EQ(Lines(lines.begin(), lines.begin() + 4),
            (Lines{"neighbours_blocked by bridge filter INPUT policy drop",
                   "ebtables-legacy -I INPUT -p ARP -j ACCEPT",
                   "ebtables-legacy -I INPUT -p IPv6 --ip6-proto ipv6-icmp --ip6-icmp-type 136 -j "
                   "ACCEPT",
                   "ebtables-legacy -I INPUT -p IPv6 --ip6-proto ipv6-icmp --ip6-icmp-type 135 -j "
                   "ACCEPT"}));
  for (const std::string command :
       {"-p IPv6 --ip6-src fd00:101:1::/64 --ip6-dst fd00:101:2::/64",
        "-p IPv4 --ip-src 10.45.0.12/32 --ip-dst 10.45.0.11/32 --ip-proto icmp --ip-icmp-type "
        "fragmentation-needed"})
    EXPECT_EQ(std::count(lines.begin(), lines.end(),
                         "ebtables-legacy -I INPUT " + command + " -j ACCEPT"),
              1)
        << command;
  EXPECT_EQ(told_of_ebtables("ebtables -t filter -P FORWARD DROP\n"), Lines{})
      << "to the node itself a bridge does not forward";
}

TEST(DoctorLayers, EspAndIkeCrossThePortOfTheWire) {
  Shared world;
  world.rules = dropping({TableFamily::kNetdev, PacketHook::kIngress, {"eth0"}},
                         {matching(Field::kL4proto, 50, 50)});
  EXPECT_EQ(told(world),
            Lines{"esp_blocked: ESP are dropped in INGRESS of eth0 by netdev t c: by hand drop"});
  world.rules.tables[0].chains[0].base->devices = {"pod0"};
  EXPECT_EQ(told(world), Lines{}) << "ESP does not come from pods";
  world.rules =
      dropping({TableFamily::kBridge, PacketHook::kOutput}, {matching(Field::kL4proto, 17, 17)});
  const auto ike = told(world);
  ASSERT_EQ(ike.size(), 1u);
  EXPECT_EQ(ike[0],
            "ike_blocked: IKE are dropped in OUTPUT of bridge br-prd by bridge t c: by "
            "hand drop");
}

TEST(DoctorLayers, WhatWasDecryptedEntersTheDeviceOfItsEspAgain) {
  test::DoctorWorld separate;
  separate.rules =
      dropping({TableFamily::kNetdev, PacketHook::kIngress, {"eth0"}}, {from("10.101.0.0/16")});
  EXPECT_EQ(told(separate), Lines{"rule_drops: packets of pods are dropped in INGRESS of eth0 by "
                                  "netdev t c: by hand drop"});
  separate.rules.tables[0].family = TableFamily::kInet;
  ASSERT_EQ(told(separate).size(), 1u) << "an inet table has the same hook";
  auto& steps = separate.rules.tables[0].chains[0].rules[0].steps;
  steps.insert(steps.begin(), matching(Field::kIpsecIn, 0, 0));
  EXPECT_EQ(told(separate), Lines{}) << "a rule that spares what came out of IPsec";
  Shared shared;
  shared.rules =
      dropping({TableFamily::kNetdev, PacketHook::kIngress, {"eth0"}}, {from("10.101.0.0/16")});
  EXPECT_EQ(told(shared), Lines{}) << "the port sees the ESP only";
}

TEST(DoctorLayers, AnUnknownMatchBelowIpIsSaid) {
  Shared world;
  world.rules = dropping({TableFamily::kBridge, PacketHook::kInput}, {UnknownMatch{"ether saddr"}});
  const auto report = world.look();
  EXPECT_TRUE(report.findings.empty());
  ASSERT_FALSE(report.unknown.empty());
  EXPECT_NE(report.unknown.front().find("ether saddr (bridge t c: by hand drop)"),
            std::string::npos)
      << report.unknown.front();
}

TEST(DoctorLayers, ABridgeThatDropsArpIsNamedFirst) {
  Shared world;
  world.rules = dropping({TableFamily::kBridge, PacketHook::kInput, {}, true},
                         {matching(Field::kCtDirection, 7, 7)});
  auto& steps = world.rules.tables[0].chains[0].rules[0].steps;
  steps = {matching(Field::kEtherType, 0x0800, 0x0800), VerdictStep{RuleVerdict::kAccept, {}}};
  const auto report = world.look();
  ASSERT_FALSE(report.findings.empty());
  const auto& first = report.findings.front();
  EXPECT_EQ(first.cause, Cause::NEIGHBOURS_BLOCKED);
  std::vector<std::string> remedies;
  for (const auto& finding : report.findings)
    if (finding.cause == first.cause)
      remedies.insert(remedies.end(), finding.remedies.begin(), finding.remedies.end());
  EXPECT_NE(std::find(remedies.begin(), remedies.end(),
                      "nft insert rule bridge t c ether type arp accept"),
            remedies.end());
}

TEST(DoctorLayers, NeighbourDiscoveryThatInputDropsIsNamed) {
  test::DoctorWorld world;
  world.rules =
      dropping({TableFamily::kIp6, PacketHook::kInput}, {matching(Field::kIcmp6Type, 133, 136)});
  const auto report = world.look();
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings[0].cause, Cause::NEIGHBOURS_BLOCKED);
  EXPECT_EQ(report.findings[0].family, Family::kIpv6);
  EXPECT_EQ(report.findings[0].remedies, (Lines{"nft insert rule ip6 t c icmpv6 type 136 accept",
                                                "nft insert rule ip6 t c icmpv6 type 135 accept"}));
  world.rules = dropping({TableFamily::kArp, PacketHook::kInput}, {});
  ASSERT_FALSE(world.look().findings.empty());
  EXPECT_EQ(world.look().findings[0].remedies, Lines{"nft insert rule arp t c arp htype 1 accept"});
}

}  // namespace
}  // namespace espial
