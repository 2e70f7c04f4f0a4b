// SPDX-License-Identifier: Apache-2.0
// The doctor over the example mesh and the rule sets of the usual firewalls.
#include "diagnose/doctor/doctor.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/protocols.h"
#include "diagnose/rules/rule_walk.h"
#include "firewall/cases.h"
#include "unit/doctor_world.h"

namespace espial {
namespace {

using test::addr;
using test::firewall_case;
using test::net;
using test::state;

using World = test::DoctorWorld;
using Lines = std::vector<std::string>;

bool has(const Lines& lines, const std::string& part) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

TEST(Doctor, AHealthyNodeIsQuiet) {
  const auto report = World().look();
  EXPECT_TRUE(report.findings.empty()) << report.findings.front().summary;
  EXPECT_TRUE(report.unknown.empty()) << report.unknown.front();
}

// A common mistake: OpenSVC's accept does not reach Docker's base chain.
TEST(Doctor, DockersPolicyBehindOpenSvcsAcceptIsNamedWithItsRemedy) {
  World world;
  world.rules = firewall_case("opensvc");
  const auto report = world.look();
  ASSERT_EQ(report.findings.size(), 2u) << "one for each family, whatever the number of peers";
  for (const auto& finding : report.findings) {
    EXPECT_EQ(finding.cause, Cause::RULE_DROPS);
    EXPECT_EQ(finding.effect, Effect::kLost);
    EXPECT_EQ(finding.peers, (Lines{"node2", "node3"}));
    EXPECT_NE(finding.summary.find("FORWARD by ip"), std::string::npos) << finding.summary;
    ASSERT_FALSE(finding.remedies.empty());
  }
  const auto& four = report.findings[0].summary.find("ip filter") != std::string::npos
                         ? report.findings[0]
                         : report.findings[1];
  EXPECT_EQ(four.remedies,
            Lines{"iptables-nft -I FORWARD -s 10.101.0.0/16 -d 10.101.0.0/16 -j ACCEPT"});
  EXPECT_TRUE(has(four.evidence, "10.101.1.0/24 > 10.101.2.0/24"));
  EXPECT_TRUE(has(four.evidence, "10.101.3.0/24 > 10.101.1.0/24"));
}

TEST(Doctor, DockersOwnChainForAdministratorsIsUsedWhereItIs) {
  World world;
  world.rules = firewall_case("docker");
  const auto report = world.look();
  ASSERT_FALSE(report.findings.empty());
  EXPECT_TRUE(std::any_of(report.findings.begin(), report.findings.end(), [](const auto& finding) {
    return has(finding.remedies, "-I DOCKER-USER -s 10.101.0.0/16 -d 10.101.0.0/16 -j ACCEPT");
  })) << report.findings.front().remedies.front();
}

// Chains written by hand: a drop of one direction, and a second table behind the first.
Ruleset drops(const std::string& table, PacketHook hook, const std::string& chain,
              std::uint8_t protocol) {
  Ruleset rules;
  Table one;
  one.family = TableFamily::kInet;
  one.name = table;
  Chain base;
  base.name = chain;
  base.base = BaseChain{};
  base.base->hook = hook;
  Rule rule;
  rule.handle = 7;
  rule.text = "drop";
  if (protocol != 0) {
    Match match;
    Key key;
    key.field = Field::kL4proto;
    match.keys = {key};
    match.elements = {{{Interval{protocol, protocol}}, {}, {}, {}}};
    rule.steps.push_back(match);
  }
  rule.steps.push_back(VerdictStep{RuleVerdict::kDrop, {}});
  base.rules = {rule};
  one.chains = {base};
  rules.tables = {one};
  return rules;
}

TEST(Doctor, TwoTablesInARowGetTwoRemedies) {
  World world;
  world.rules = drops("first", PacketHook::kForward, "fwd", 0);
  world.rules.tables.push_back(drops("second", PacketHook::kForward, "fwd", 0).tables[0]);
  const auto report = world.look();
  ASSERT_FALSE(report.findings.empty());
  EXPECT_TRUE(has(report.findings[0].remedies,
                  "nft insert rule inet first fwd ip saddr 10.101.0.0/16 ip daddr "
                  "10.101.0.0/16 accept"));
  EXPECT_TRUE(has(report.findings[0].remedies, "nft insert rule inet second fwd"));
}

TEST(Doctor, BlockedEspAndIkeComeBeforeEverythingElse) {
  World world;
  world.rules = drops("t", PacketHook::kInput, "in", 50);
  auto report = world.look();
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].cause, Cause::ESP_BLOCKED);
  EXPECT_TRUE(has(report.findings[0].remedies,
                  "nft insert rule inet t in ip saddr 10.45.0.12/32 ip daddr 10.45.0.11/32 meta "
                  "l4proto esp accept"))
      << report.findings[0].remedies.front();

  world.rules = drops("t", PacketHook::kOutput, "out", 17);
  EXPECT_EQ(world.first_cause(), Cause::IKE_BLOCKED);
  world.rules = drops("t", PacketHook::kInput, "in", 1);
  report = world.look();
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].cause, Cause::PATH_MTU_BLOCKED);
  EXPECT_EQ(report.findings[0].effect, Effect::kRisk);
}

TEST(Doctor, PodsThatAreNotToldTheirPathMtuLoseLargePackets) {
  World world;
  world.rules = drops("t", PacketHook::kOutput, "out", 1);
  auto report = world.look();
  ASSERT_EQ(report.findings.size(), 1u);
  const auto& finding = report.findings[0];
  EXPECT_EQ(finding.cause, Cause::PATH_MTU_BLOCKED);
  EXPECT_EQ(finding.effect, Effect::kLost);
  EXPECT_EQ(finding.family, Family::kIpv4);
  EXPECT_EQ(finding.summary,
            "ICMP that tells pods of their path MTU are dropped in OUTPUT by inet t out: drop");
  EXPECT_EQ(finding.remedies,
            Lines{"nft insert rule inet t out ip saddr 10.101.0.0/16 ip daddr 10.101.0.0/16 icmp "
                  "type destination-unreachable accept"});
  world.rules = drops("t", PacketHook::kOutput, "out", 58);
  EXPECT_EQ(world.look().findings.at(0).family, Family::kIpv6);
  world.facts().policies.clear();
  report = world.look();
  EXPECT_TRUE(std::none_of(report.findings.begin(), report.findings.end(), [](const auto& other) {
    return other.cause == Cause::PATH_MTU_BLOCKED;
  })) << "without IPsec nothing grows";
}

TEST(Doctor, ForwardingThatIsOff) {
  World world;
  world.sysctls.devices["br-prd"].forwarding_v4 = false;
  auto report = world.look();
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].cause, Cause::FORWARDING_OFF);
  EXPECT_EQ(report.findings[0].evidence, Lines{"net.ipv4.conf.br-prd.forwarding = 0"});
  EXPECT_EQ(report.findings[0].remedies,
            Lines{"sysctl -w net.ipv4.ip_forward=1 net.ipv4.conf.br-prd.forwarding=1"});
  world.sysctls.devices["br-prd"].forwarding_v4 = true;
  world.sysctls.forwarding_v6 = false;
  report = world.look();
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].remedies, Lines{"sysctl -w net.ipv6.conf.all.forwarding=1"});
  world.sysctls.forwarding_v6.reset();
  EXPECT_TRUE(world.look().findings.empty()) << "what could not be read is no finding";
}

TEST(Doctor, XfrmSwitchedOffLeaksWhateverThePoliciesSay) {
  World world;
  world.sysctls.devices["eth0"].disable_xfrm_v4 = true;
  const auto report = world.look();
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].cause, Cause::XFRM_DISABLED);
  EXPECT_EQ(report.findings[0].effect, Effect::kLeaks);
  EXPECT_EQ(report.findings[0].peers, (Lines{"node2", "node3"}));
}

TEST(Doctor, AnUnderlayThatIsSilentComesFirst) {
  World world;
  world.echoes[0].answered = false;
  auto report = world.look();
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].effect, Effect::kRisk) << "its SAs carry packets: ping is filtered";
  for (auto& sa : world.facts().states)
    if (sa.source == world.echoes[0].address) sa.packets = 0;
  report = world.look();
  EXPECT_EQ(report.findings[0].effect, Effect::kLost) << "nothing ever came back";
  for (auto& sa : world.facts().states) sa.packets = 0;
  world.rules = firewall_case("opensvc");
  report = world.look();
  EXPECT_EQ(report.findings[0].cause, Cause::UNDERLAY_UNREACHABLE);
  EXPECT_EQ(report.findings[0].peers, Lines{"node2"});
  EXPECT_EQ(report.findings[1].cause, Cause::RULE_DROPS);
}

TEST(Doctor, TheAuditsFindingsAreGrouped) {
  World world;
  world.facts().policies.clear();
  const auto report = world.look();
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings[0].cause, Cause::NO_POLICY);
  EXPECT_EQ(report.findings[0].effect, Effect::kLeaks);
}

TEST(Doctor, ATrapNeedsNoSaUntilTrafficWaits) {
  World world;
  world.facts().states.clear();
  EXPECT_TRUE(world.look().findings.empty());
  for (const auto& peer : world.topology.peers)
    world.facts().states.push_back(state("10.45.0.11", peer.underlays[0].address.text(), 0, 1));
  EXPECT_EQ(world.first_cause(), Cause::NO_SA);
}

TEST(Doctor, APortThatIsClosedIsNeitherAFaultNorUnknown) {
  World world;
  world.rules = drops("t", PacketHook::kForward, "fwd", 0);
  auto& steps = world.rules.tables[0].chains[0].rules[0].steps;
  Match ssh;
  ssh.keys.emplace_back().field = Field::kDestinationPort;
  ssh.keys.back().protocol = kProtocolTcp;
  ssh.elements.emplace_back().patterns = {Interval{22, 22}};
  steps.insert(steps.begin(), ssh);
  const auto report = world.look();
  EXPECT_TRUE(report.findings.empty());
  EXPECT_EQ(report.unknown, Lines{});
}

TEST(Doctor, WhatCannotBeToldIsSaid) {
  World world;
  world.rules = drops("t", PacketHook::kForward, "fwd", 0);
  auto& steps = world.rules.tables[0].chains[0].rules[0].steps;
  steps.insert(steps.begin(), UnknownMatch{"geoip"});
  world.rules.unread = {"nft: not permitted"};
  const auto report = world.look();
  EXPECT_TRUE(report.findings.empty());
  EXPECT_TRUE(has(report.unknown, "geoip"));
  EXPECT_TRUE(has(report.unknown, "nft: not permitted"));
}

}  // namespace
}  // namespace espial
