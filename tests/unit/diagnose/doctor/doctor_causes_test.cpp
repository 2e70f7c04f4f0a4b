// SPDX-License-Identifier: Apache-2.0
// What the doctor finds beside rules: underlays, switches of the kernel, charon, ESP.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "sources/proc/host_facts.h"
#include "sources/proc/sysctls.h"
#include "unit/doctor_world.h"

namespace espial {
namespace {

using test::addr;
using test::net;
using Lines = std::vector<std::string>;
using World = test::DoctorWorld;

DoctorFinding only(const DoctorReport& report) {
  EXPECT_EQ(report.findings.size(), 1u);
  return report.findings.empty() ? DoctorFinding{} : report.findings.front();
}

bool has_cause(const DoctorReport& report, Cause cause) {
  return std::any_of(report.findings.begin(), report.findings.end(),
                     [&](const DoctorFinding& finding) { return finding.cause == cause; });
}

TEST(DoctorUnderlay, ANeighbourWithoutLinkLayerAddressIsNoFirewall) {
  World world;
  world.echoes[0].answered = false;
  EXPECT_EQ(only(world.look()).effect, Effect::kRisk)
      << "ping may be filtered: SAs carried packets";
  auto& neighbours = world.facts().neighbours;
  neighbours.erase(neighbours.begin());
  const auto finding = only(world.look());
  EXPECT_EQ(finding.cause, Cause::UNDERLAY_UNREACHABLE);
  EXPECT_EQ(finding.effect, Effect::kLost) << "whatever its SAs carried before";
  EXPECT_EQ(finding.evidence,
            (Lines{"10.45.0.12 does not answer ping", "10.45.0.12 does not answer ARP on eth0"}));
  EXPECT_EQ(finding.remedies,
            Lines{"ping 10.45.0.12, then the node itself, its cable and its VLAN"});
}

TEST(DoctorUnderlay, TheAddressThatTunnelsEndAtCounts) {
  World world;
  world.topology.peers[0].underlays.push_back({addr("fd00:45::12"), Origin::kFile});
  world.echoes.push_back({addr("fd00:45::12"), false});
  EXPECT_TRUE(world.look().findings.empty()) << "no tunnel ends there";
  world.echoes.back().answered = true;
  world.echoes[0].answered = false;
  EXPECT_EQ(only(world.look()).cause, Cause::UNDERLAY_UNREACHABLE);
  world.facts().policies.clear();
  EXPECT_FALSE(has_cause(world.look(), Cause::UNDERLAY_UNREACHABLE)) << "one of the two answers";
}

TEST(DoctorUnderlay, OfTwoAddressesThatTunnelsEndAtEachCounts) {
  World world;
  const auto second = addr("10.45.0.112");
  world.topology.peers[0].underlays.push_back({second, Origin::kFile});
  for (auto& policy : world.facts().policies)
    if (policy.direction == PolicyDirection::kOut && policy.destination == net("fd00:101:2::/64"))
      policy.template_destination = second;
  world.echoes.push_back({second, false});
  const auto report = world.look();
  const auto at = std::find_if(
      report.findings.begin(), report.findings.end(),
      [](const DoctorFinding& finding) { return finding.cause == Cause::UNDERLAY_UNREACHABLE; });
  ASSERT_NE(at, report.findings.end());
  EXPECT_EQ(at->evidence[0], "10.45.0.112 does not answer ping");
}

TEST(DoctorUnderlay, BehindARouterItsRouterIsTheNeighbour) {
  World world;
  world.facts().addresses[0].prefix_length = 32;
  world.echoes[0].answered = false;
  auto& neighbours = world.facts().neighbours;
  neighbours.erase(neighbours.begin());
  world.node.route("10.45.0.12/32", "10.45.0.1", 2);
  EXPECT_EQ(only(world.look()).evidence[1], "10.45.0.1 does not answer ARP on eth0");
  neighbours.push_back({2, addr("10.45.0.1"), {}});
  EXPECT_EQ(only(world.look()).evidence.size(), 1u);
}

RuleFact rule_to(const std::string& destination, unsigned table) {
  RuleFact rule;
  rule.source = net("0.0.0.0/0");
  rule.destination = net(destination);
  rule.priority = 100;
  rule.table = table;
  return rule;
}
RuleFact main_rule() {
  auto rule = rule_to("0.0.0.0/0", 254);
  rule.priority = 32766;
  return rule;
}

TEST(DoctorUnderlay, ARouteAwayFromTheNetworkOfBothIsNamed) {
  World world;
  world.facts().rules = {rule_to("10.45.0.12/32", 77), main_rule()};
  world.facts().routes.push_back({net("0.0.0.0/0"), 2, addr("10.45.0.250"), 77, 0, {}});
  EXPECT_TRUE(world.look().findings.empty()) << "it answers all the same";
  world.echoes[0].answered = false;
  auto finding = only(world.look());
  EXPECT_EQ(finding.cause, Cause::UNDERLAY_ROUTE);
  EXPECT_EQ(finding.effect, Effect::kLost);
  EXPECT_EQ(finding.summary,
            "packets to 10.45.0.12 are sent to 10.45.0.250 by eth0, and node2 is on the network of "
            "eth0");
  EXPECT_EQ(finding.evidence,
            (Lines{"10.45.0.12 does not answer ping",
                   "route 0.0.0.0/0 via 10.45.0.250 table 77, asked by rule 100: from all to "
                   "10.45.0.12/32 lookup 77"}));
  EXPECT_EQ(finding.remedies, Lines{"ip route del 0.0.0.0/0 via 10.45.0.250 table 77"});
  EXPECT_EQ(finding.peers, Lines{"node2"});

  world.facts().rules[0].action = RuleAction::kProhibit;
  finding = only(world.look());
  EXPECT_EQ(finding.summary, "packets to 10.45.0.12, the underlay of node2, are rejected");
  EXPECT_EQ(finding.remedies, Lines{"ip rule del priority 100"});

  world.facts().rules = {main_rule()};
  world.facts().routes.erase(world.facts().routes.begin());
  EXPECT_EQ(world.first_cause(), Cause::UNDERLAY_ROUTE) << "the device's own network has no route";
}

TEST(DoctorUnderlay, TunnelsAreAskedFromWhereTheyBegin) {
  World world;
  EXPECT_EQ(source_to(tunnel_sources(world.facts()), addr("10.45.0.12")), addr("10.45.0.11"));
  EXPECT_EQ(source_to(tunnel_sources(world.facts()), addr("10.45.0.99")), std::nullopt)
      << "no tunnel";
  world.facts().addresses.erase(world.facts().addresses.begin());
  EXPECT_EQ(source_to(tunnel_sources(world.facts()), addr("10.45.0.12")), std::nullopt)
      << "not here";
}

TEST(DoctorUnderlay, ADeviceThatIsNotTheNetworksIsNamed) {
  World world;
  world.node.link(9, "tun0");
  world.facts().routes.push_back({net("10.45.0.12/32"), 9, {}, 254, 0, {}});
  world.echoes[0].answered = false;
  EXPECT_EQ(only(world.look()).summary,
            "packets to 10.45.0.12 are sent by tun0, and node2 is on the network of eth0");
}

TEST(DoctorOwnRoutes, WhatArrivesForPodsGoesElsewhere) {
  World world;
  world.node.link(9, "docker0", "bridge");
  world.facts().rules = {rule_to("10.101.1.0/24", 78), main_rule()};
  world.facts().rules[0].iif = "eth0";
  world.facts().routes.push_back({net("10.101.0.0/16"), 9, {}, 78, 0, {}});
  auto finding = only(world.look());
  EXPECT_EQ(finding.cause, Cause::OWN_ROUTE);
  EXPECT_EQ(finding.summary,
            "packets to 10.101.1.0/24 are sent through docker0, not delivered to br-prd");
  EXPECT_EQ(finding.remedies, Lines{"ip route del 10.101.0.0/16 table 78"});
  EXPECT_EQ(finding.peers, (Lines{"node2", "node3"}));
  EXPECT_EQ(finding.family, Family::kIpv4);

  world.facts().rules[0].action = RuleAction::kBlackhole;
  EXPECT_EQ(only(world.look()).summary,
            "packets to 10.101.1.0/24 are rejected, not delivered to br-prd");
  world.facts().rules[0].iif = "eth9";
  EXPECT_TRUE(world.look().findings.empty()) << "for what comes by another device";
  world.facts().rules[0].iif = "eth0";
  world.facts().rules[0].source = net("10.101.3.0/24");
  EXPECT_EQ(only(world.look()).peers, Lines{"node3"});
  world.facts().rules[0].source = net("10.101.3.7/32");
  EXPECT_FALSE(world.look().unknown.empty()) << "only a part of what node3 sends";
}

TEST(DoctorOwnRoutes, TwoDevicesOfOneSubnetAreBothRight) {
  World world;
  world.node.link(9, "obr_backendnet", "bridge");
  world.facts().addresses.push_back({9, addr("10.101.1.254"), 24});
  for (auto& route : world.facts().routes)
    if (route.destination == net("10.101.1.0/24")) route.oif = 9;
  EXPECT_TRUE(world.look().findings.empty());
}

TEST(DoctorOwnRoutes, ABridgeThatIsDownHasNoRoute) {
  World world;
  auto& routes = world.facts().routes;
  routes.erase(
      std::remove_if(routes.begin(), routes.end(),
                     [](const auto& route) { return route.destination == net("10.101.1.0/24"); }),
      routes.end());
  world.facts().links[1].up = false;
  const auto finding = only(world.look());
  EXPECT_EQ(finding.summary,
            "packets to 10.101.1.0/24 have no route, though br-prd has an address in it");
  EXPECT_EQ(finding.remedies, Lines{"ip link set br-prd up"});
}

TEST(DoctorUnderlay, ABlackHoleIsNamedWithTheMtuToSet) {
  World world;
  world.echoes[1].asked_bytes = 1500;
  EXPECT_TRUE(world.look().findings.empty()) << "what was asked and answered is no finding";
  world.echoes[1].largest = 1296;
  const auto finding = only(world.look());
  EXPECT_EQ(finding.cause, Cause::MTU_BLACK_HOLE);
  EXPECT_EQ(finding.effect, Effect::kLost);
  EXPECT_EQ(finding.peers, Lines{"node3"});
  EXPECT_EQ(finding.evidence, Lines{"ping of 1500 bytes to 10.45.0.13 is not answered, of 1296 "
                                    "bytes it is"});
  EXPECT_EQ(finding.remedies, Lines{"ip route replace 10.45.0.13/32 dev eth0 mtu 1296"});
  world.node.route("10.45.0.13/32", "10.45.0.1", 2);
  EXPECT_EQ(only(world.look()).remedies,
            Lines{"ip route replace 10.45.0.13/32 via 10.45.0.1 dev eth0 mtu 1296"});
}

TEST(DoctorUnderlay, TheMtuOfARouteCountsBeforeItsDevices) {
  World world;
  for (auto& link : world.facts().links) link.mtu = 1500;
  RouteFact route{net("10.45.0.12/32"), 2, {}, 254, 0, {}};
  const RouteIndex routes(world.facts());
  EXPECT_EQ(mtu_of(routes, route), 1500u);
  route.mtu = 1400;
  EXPECT_EQ(mtu_of(routes, route), 1400u);
}

TEST(DoctorSwitches, AllCountsForEveryDeviceWhereTheKernelSaysSo) {
  World world;
  world.sysctls.devices[kAllDevices].disable_xfrm_v4 = true;
  auto finding = only(world.look());
  EXPECT_EQ(finding.cause, Cause::XFRM_DISABLED);
  EXPECT_EQ(finding.remedies, Lines{"sysctl -w net.ipv4.conf.all.disable_xfrm=0"});
  world.sysctls.devices["eth0"].disable_xfrm_v4 = true;
  EXPECT_EQ(only(world.look()).remedies,
            Lines{"sysctl -w net.ipv4.conf.all.disable_xfrm=0 net.ipv4.conf.eth0.disable_xfrm=0"});
  world.sysctls.devices[kAllDevices] = world.sysctls.devices["eth0"] = {true, false};
  world.sysctls.devices[kAllDevices].forwarding_v4 = false;
  EXPECT_TRUE(world.look().findings.empty()) << "of forwarding the device's own decides";
}

TEST(DoctorSwitches, PoliciesThatNobodyAsksWhenClearPacketsArrive) {
  World world;
  world.sysctls.devices["br-prd"].disable_policy_v4 = true;
  EXPECT_TRUE(world.look().findings.empty()) << "no tunnel ends there";
  world.sysctls.devices["eth0"].disable_policy_v4 = true;
  const auto finding = only(world.look());
  EXPECT_EQ(finding.cause, Cause::POLICY_DISABLED);
  EXPECT_EQ(finding.effect, Effect::kRisk);
  EXPECT_EQ(finding.peers, (Lines{"node2", "node3"}));
  EXPECT_EQ(finding.remedies, Lines{"sysctl -w net.ipv4.conf.eth0.disable_policy=0"});
}

// ESP comes by eth0, and this node would answer by eth1.
World two_ways() {
  World world;
  world.node.link(4, "eth1");
  world.node.address(4, "10.46.0.11/24");
  world.facts().routes.push_back({net("10.45.0.12/32"), 4, {}, 254, 0, {}});
  world.facts().neighbours.push_back({4, addr("10.45.0.12"), {}});
  world.sysctls.devices["eth1"] = {true, false};
  return world;
}

TEST(DoctorSwitches, AStrictReversePathFilterDropsEspThatComesAnotherWay) {
  auto world = two_ways();
  EXPECT_FALSE(has_cause(world.look(), Cause::REVERSE_PATH_FILTER)) << "off";
  world.sysctls.devices["eth0"].reverse_path_filter = 1;
  world.sysctls.reverse_path_drops = 17;
  world.echoes[0].answered = false;  // its answers are dropped, too
  for (auto& sa : world.facts().states) sa.packets = 0;
  const auto report = world.look();
  ASSERT_FALSE(report.findings.empty());
  const auto& finding = report.findings.front();
  EXPECT_EQ(finding.cause, Cause::REVERSE_PATH_FILTER);
  EXPECT_EQ(finding.peers, Lines{"node2"}) << "node3 is answered by eth0";
  EXPECT_EQ(finding.evidence, (Lines{"10.45.0.12 arrives by eth0, and is answered by eth1",
                                     "net.ipv4.conf.eth0.rp_filter = 1 (the larger of it and "
                                     "net.ipv4.conf.all.rp_filter counts)",
                                     "IPReversePathFilter: 17 packets"}));
  EXPECT_EQ(finding.remedies, Lines{"sysctl -w net.ipv4.conf.eth0.rp_filter=2"});
}

TEST(DoctorSwitches, TheLargerReversePathFilterCountsAndLooseDropsNothing) {
  auto world = two_ways();
  world.sysctls.devices[kAllDevices].reverse_path_filter = 1;
  world.sysctls.devices["eth0"].reverse_path_filter = 0;
  EXPECT_TRUE(has_cause(world.look(), Cause::REVERSE_PATH_FILTER));
  world.sysctls.devices["eth0"].reverse_path_filter = 2;
  EXPECT_FALSE(has_cause(world.look(), Cause::REVERSE_PATH_FILTER));
  World one_way;
  one_way.sysctls.devices[kAllDevices].reverse_path_filter = 1;
  EXPECT_TRUE(one_way.look().findings.empty());
}

Ruleset forward_drops() {
  Ruleset rules;
  Table table;
  table.family = TableFamily::kIp;
  table.name = "filter";
  Chain base;
  base.name = "FORWARD";
  base.base = BaseChain{};
  base.base->hook = PacketHook::kForward;
  base.base->policy_drop = true;
  // The mesh is let through, as OpenSVC does; pods of one node are not thought of.
  Rule accept;
  accept.text = "ip saddr 10.101.0.0/16 oifname eth0 accept";
  for (const auto field : {Field::kOifname, Field::kIifname}) {
    Match match;
    Key key;
    key.field = field;
    match.keys = {key};
    match.elements = {{{Name{"eth0", false}}, {}, {}, {}}};
    accept.steps = {match, VerdictStep{RuleVerdict::kAccept, {}}};
    base.rules.push_back(accept);
  }
  table.chains = {base};
  rules.tables = {table};
  return rules;
}

TEST(DoctorSwitches, RulesThatBridgedPacketsMeetToo) {
  World world;
  world.rules = forward_drops();
  EXPECT_TRUE(world.look().findings.empty()) << world.look().findings.front().summary;
  world.sysctls.bridge_rules_v4 = true;
  world.sysctls.bridge_rules_v6 = true;
  const auto finding = only(world.look());
  EXPECT_EQ(finding.cause, Cause::BRIDGE_RULES);
  EXPECT_EQ(finding.family, Family::kIpv4) << "the table is of IPv4";
  EXPECT_EQ(finding.summary,
            "packets between pods of this node on br-prd are dropped in FORWARD by ip filter "
            "FORWARD policy drop");
  EXPECT_EQ(finding.remedies, Lines{"sysctl -w net.bridge.bridge-nf-call-iptables=0"});
  world.rules = {};
  EXPECT_TRUE(world.look().findings.empty());
}

// FORWARD lets by what comes from an index, and everything that comes by eth0.
Ruleset by_index(const std::string& index, RuleVerdict verdict) {
  auto rules = forward_drops();
  auto& chain = rules.tables[0].chains[0];
  auto& rule = chain.rules.front();
  rule.handle = 5;
  rule.text = "ip ttl 64 iif 7 counter packets 0 bytes 0 accept";
  auto& match = std::get<Match>(rule.steps[0]);
  match.keys[0].field = Field::kIif;
  match.elements = {{{Name{index, false}}, {}, {}, {}}};  // as nft's JSON has it
  rule.steps[1] = VerdictStep{verdict, {}};
  return rules;
}

TEST(DoctorStaleDevices, TheDeviceThatWasMeantIsNamed) {
  World world;
  world.rules = by_index("7", RuleVerdict::kAccept);
  const auto report = world.look();
  ASSERT_EQ(report.findings.size(), 2u);
  const auto& finding = report.findings[0];
  EXPECT_EQ(finding.cause, Cause::STALE_DEVICE);
  EXPECT_EQ(finding.effect, Effect::kLost);
  EXPECT_EQ(finding.peers, (Lines{"node2", "node3"}));
  EXPECT_EQ(finding.summary, "a rule names an interface index that no longer exists: iif 7");
  EXPECT_EQ(finding.remedies,
            Lines{"nft replace rule ip filter FORWARD handle 5 ip ttl 64 iifname br-prd counter "
                  "packets 0 bytes 0 accept"});
  EXPECT_EQ(report.findings[1].cause, Cause::RULE_DROPS);
}

TEST(DoctorStaleDevices, AnIndexThatHurtsNobodyIsARisk) {
  World world;
  world.rules = by_index("7", RuleVerdict::kDrop);
  world.rules.tables[0].chains[0].base->policy_drop = false;
  const auto finding = only(world.look());
  EXPECT_EQ(finding.cause, Cause::STALE_DEVICE);
  EXPECT_EQ(finding.effect, Effect::kRisk);
  EXPECT_TRUE(finding.remedies.empty());
  EXPECT_TRUE(finding.peers.empty());
}

TEST(DoctorStaleDevices, ADeviceMayBeCalledByANumber) {
  World world;
  world.rules = by_index("7", RuleVerdict::kAccept);
  world.node.link(9, "7");
  const auto finding = only(world.look());
  EXPECT_EQ(finding.cause, Cause::RULE_DROPS);
}

TEST(DoctorStaleDevices, ARuleThatDoesNotPrintTheIndexAsSuchGetsNoRemedy) {
  World world;
  world.rules = by_index("7", RuleVerdict::kAccept);
  world.rules.tables[0].chains[0].rules[0].text = "iif 77 accept";
  EXPECT_TRUE(world.look().findings[0].remedies.empty());
  world.rules = by_index("7", RuleVerdict::kAccept);
  world.rules.tables[0].tool = RuleTool::kIptablesNft;
  EXPECT_TRUE(world.look().findings[0].remedies.empty());
}

TEST(DoctorIke, WithoutCharonWhatLeaksIsItsAbsence) {
  World world;
  world.host.ike_listens = false;
  EXPECT_TRUE(world.look().findings.empty()) << "SAs made by hand need no charon";
  world.facts().policies.clear();
  auto report = world.look();
  EXPECT_EQ(report.findings.front().cause, Cause::NO_IKE_DAEMON);
  EXPECT_EQ(report.findings.front().effect, Effect::kLeaks);
  EXPECT_EQ(report.findings.front().peers, (Lines{"node2", "node3"}));
  EXPECT_TRUE(has_cause(report, Cause::NO_POLICY));
  world.charon.readable = true;
  EXPECT_FALSE(has_cause(world.look(), Cause::NO_IKE_DAEMON)) << "it answers, on other ports";
  world.charon.readable = false;
  world.host.ike_listens.reset();
  EXPECT_FALSE(has_cause(world.look(), Cause::NO_IKE_DAEMON)) << "not known";
}

TEST(DoctorIke, AKernelWithoutEspExplainsEverythingElse) {
  World world;
  world.host = {false, false};
  world.facts().states.clear();
  world.facts().policies.clear();
  const auto report = world.look();
  ASSERT_GE(report.findings.size(), 2u);
  EXPECT_EQ(report.findings[0].cause, Cause::KERNEL_WITHOUT_ESP);
  EXPECT_EQ(report.findings[1].cause, Cause::NO_IKE_DAEMON);
  world.host.esp.reset();
  EXPECT_EQ(world.first_cause(), Cause::NO_IKE_DAEMON);
}

TEST(DoctorIke, ATrapThatWaitsForTrafficIsARisk) {
  World world;
  world.facts().states.clear();
  world.host.ike_listens = false;
  EXPECT_EQ(only(world.look()).effect, Effect::kRisk) << "nothing has asked for an SA yet";
  for (const auto& peer : world.topology.peers)
    world.facts().states.push_back(
        test::state("10.45.0.11", peer.underlays[0].address.text(), 0, 1));
  const auto report = world.look();
  EXPECT_EQ(report.findings.front().cause, Cause::NO_IKE_DAEMON);
  EXPECT_EQ(report.findings.front().effect, Effect::kLost);
}

// node2's traffic waits for an SA; charon answers and has a connection to it.
World waiting() {
  World world;
  auto& states = world.facts().states;
  states.erase(std::remove_if(states.begin(), states.end(),
                              [](const XfrmStateFact& sa) {
                                return sa.source == addr("10.45.0.12") ||
                                       sa.destination == addr("10.45.0.12");
                              }),
               states.end());
  states.push_back(test::state("10.45.0.11", "10.45.0.12", 0, 1));
  world.charon.readable = true;
  world.charon.connections = {{"to-node2", {"10.45.0.11"}, {"10.45.0.12"}, {}}};
  return world;
}

TEST(DoctorIke, AnAttemptThatStillConnectsIsNotAnswered) {
  auto world = waiting();
  world.charon.ike_sas = {{"to-node2", "CONNECTING", "10.45.0.12", "", {}, {}, {}}};
  const auto report = world.look();
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings.front().cause, Cause::IKE_UNANSWERED);
  EXPECT_EQ(report.findings.front().effect, Effect::kLost);
  EXPECT_EQ(report.findings.front().peers, Lines{"node2"});
  EXPECT_EQ(report.findings.front().evidence, Lines{"IKE_SA to-node2 is CONNECTING"});
}

TEST(DoctorIke, AnAttemptThatIsOverWasRefused) {
  auto world = waiting();
  auto report = world.look();
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings.front().cause, Cause::IKE_REFUSED);
  EXPECT_EQ(report.findings.front().evidence,
            Lines{"connection to-node2: packets wait for an SA, and charon has no IKE_SA"});
  world.charon.ike_sas = {{"to-node2", "ESTABLISHED", "10.45.0.12", "", {}, {}, {}}};
  report = world.look();
  EXPECT_EQ(report.findings.front().cause, Cause::IKE_REFUSED);
  EXPECT_NE(report.findings.front().summary.find("CHILD_SA"), std::string::npos);
}

constexpr std::chrono::system_clock::time_point kNow{std::chrono::seconds{1714564800}};

IkeTrouble trouble(IkeTroubleKind kind, const char* line) {
  return {kind, "to-node2", "", line, kNow - std::chrono::seconds{5}};
}

TEST(DoctorIke, WhatCharonLoggedNamesTheCause) {
  auto world = waiting();
  world.now = kNow;
  world.charon.troubles = {
      trouble(IkeTroubleKind::kAuthentication, "received AUTHENTICATION_FAILED notify error")};
  auto report = world.look();
  ASSERT_FALSE(report.findings.empty());
  const auto& first = report.findings.front();
  EXPECT_EQ(first.cause, Cause::IKE_AUTHENTICATION);
  EXPECT_EQ(first.effect, Effect::kLost);
  EXPECT_EQ(first.peers, Lines{"node2"});
  EXPECT_EQ(first.summary,
            "node2 and this node do not authenticate each other: keys, certificates or identities "
            "differ");
  EXPECT_EQ(
      first.evidence,
      (Lines{"charon at 2024-05-01T11:59:55.000Z: received AUTHENTICATION_FAILED notify error",
             "connection to-node2: packets wait for an SA"}));
  EXPECT_FALSE(has_cause(report, Cause::IKE_REFUSED)) << "one finding per cause";
  EXPECT_FALSE(has_cause(report, Cause::IKE_UNREACHABLE));

  for (const auto& [kind, cause] : std::initializer_list<std::pair<IkeTroubleKind, Cause>>{
           {IkeTroubleKind::kIkeProposals, Cause::IKE_PROPOSALS},
           {IkeTroubleKind::kChildProposals, Cause::CHILD_PROPOSALS},
           {IkeTroubleKind::kSelectors, Cause::TRAFFIC_SELECTORS},
           {IkeTroubleKind::kCertificateTime, Cause::IKE_CERTIFICATE_TIME}}) {
    world.charon.troubles = {trouble(kind, "a line")};
    EXPECT_EQ(world.look().findings.front().cause, cause);
    EXPECT_FALSE(world.look().findings.front().remedies.empty());
  }
}

TEST(DoctorIke, TheLastTroubleOfThePeerCounts) {
  auto world = waiting();
  world.now = kNow;
  auto former = trouble(IkeTroubleKind::kSelectors, "long ago");
  former.at -= std::chrono::hours{1};
  IkeTrouble of_other{IkeTroubleKind::kIkeProposals, "to-node3", "", "another", kNow};
  IkeTrouble began{IkeTroubleKind::kUnknownPeer, "", "10.45.0.12", "no IKE config found", kNow};
  world.charon.troubles = {former, of_other};
  EXPECT_EQ(world.look().findings.front().cause, Cause::TRAFFIC_SELECTORS) << "packets wait still";
  world.charon.troubles = {former, of_other, began};
  EXPECT_EQ(world.look().findings.front().cause, Cause::IKE_UNKNOWN_PEER);
  world.facts().states.pop_back();  // nothing waits
  world.charon.troubles = {former};
  EXPECT_FALSE(has_cause(world.look(), Cause::TRAFFIC_SELECTORS)) << "an hour ago";
}

TEST(DoctorIke, NothingIsSaidOfOtherPeersConnectionsOrWithoutAReason) {
  auto world = waiting();
  world.charon.connections[0].remote_addresses = {"10.45.0.13"};
  EXPECT_FALSE(has_cause(world.look(), Cause::IKE_REFUSED)) << "node2 has no connection";
  world = waiting();
  world.charon.ike_sas = {{"to-node3", "CONNECTING", "10.45.0.13", "", {}, {}, {}}};
  EXPECT_FALSE(has_cause(world.look(), Cause::IKE_UNANSWERED)) << "node3 is protected";
  world.facts().states.pop_back();
  EXPECT_FALSE(has_cause(world.look(), Cause::IKE_REFUSED)) << "nothing waits";
}

TEST(DoctorWire, WhatTheDaemonSeesOfAPeerIsToldWhereTheAuditHasNothingToSay) {
  World world;
  world.firing = {
      {"CleartextHost", "node3", "2 packets"},
      {"OneWayEncryption", "node2", "this node encrypts and node2 does not: 40 packets"}};
  const auto finding = only(world.look());
  EXPECT_EQ(finding.cause, Cause::ONE_WAY_ESP);
  EXPECT_EQ(finding.effect, Effect::kLeaks);
  EXPECT_EQ(finding.summary, "node2: ESP in one direction, cleartext in the other");
  EXPECT_EQ(finding.evidence, Lines{"this node encrypts and node2 does not: 40 packets"});
  EXPECT_EQ(finding.remedies, Lines{"espial audit, here and on node2"});
  EXPECT_EQ(finding.peers, Lines{"node2"});
}

TEST(HostFacts, PortsOfUdpSockets) {
  const char* text =
      "  sl  local_address rem_address   st\n"
      "  12: 00000000:01F4 00000000:0000 07 00000000:00000000\n"
      " 13: 00000000000000000000000000000000:0044 0000:0000 07\n"
      "broken\n 14: 00000000:\n 15: 00000000:11\n";
  const auto has_port = [&](std::uint16_t port) {
    std::istringstream in(text);
    return has_udp_port(in, port);
  };
  EXPECT_TRUE(has_port(500));
  EXPECT_TRUE(has_port(68));
  EXPECT_FALSE(has_port(4500));
  EXPECT_FALSE(has_port(0x11)) << "cut off";
}

TEST(HostFacts, SymbolsOfEsp) {
  const auto has_esp = [](const char* text) {
    std::istringstream in(text);
    return has_esp_symbol(in);
  };
  EXPECT_TRUE(has_esp("0000000000000000 t esp4_rcv_cb\t[esp4]\n"));
  EXPECT_TRUE(has_esp("0000000000000000 t foo\n0000000000000000 t esp4_err\n"));
  EXPECT_FALSE(has_esp("0000000000000000 t xfrm4_esp_rcv\n0000000000000000 t resp4_x\n"));
  EXPECT_FALSE(has_esp("0000000000000000 t bpf_prog_1_esp4_y\t[bpf]\nesp4_\n\n"));
}

TEST(Sysctls, CountersOfNetstat) {
  const auto counter = [](const char* name) {
    std::istringstream in(
        "TcpExt: SyncookiesSent IPReversePathFilter Last\nTcpExt: 1 23 4\n"
        "IpExt: InNoRoutes InTruncatedPkts\nIpExt: 5 6\nMPTcpExt: Short\n");
    return netstat_counter(in, name);
  };
  EXPECT_EQ(counter("IPReversePathFilter"), 23u);
  EXPECT_EQ(counter("InTruncatedPkts"), 6u);
  EXPECT_EQ(counter("Short"), std::nullopt);
  EXPECT_EQ(counter("TcpExt:"), std::nullopt);
}

// Every pair is exposed, and charon's own view is not at hand.
struct Unprotected : World {
  Unprotected() { facts().policies.clear(); }
  void says(const char* address, IkeAnswer at500, IkeAnswer at4500) {
    ike.push_back({addr(address), 500, at500});
    ike.push_back({addr(address), 4500, at4500});
  }
};

TEST(DoctorIke, TheUnderlaysOfUnprotectedPeersAreAsked) {
  World healthy;
  const auto asked = [](const World& world) {
    return unprotected(world.topology,
                       audit_mesh({world.topology, world.node.facts, 1'700'000'000, {}, {}}))
        .size();
  };
  EXPECT_EQ(asked(healthy), 0u) << "nothing is sent where nothing is wrong";
  EXPECT_EQ(asked(Unprotected()), 2u);
}

TEST(DoctorIke, APortWithoutAnAnswerIsNamed) {
  Unprotected world;
  world.says("10.45.0.12", IkeAnswer::kRefused, IkeAnswer::kRefused);
  world.says("10.45.0.13", IkeAnswer::kAnswered, IkeAnswer::kSilent);
  const auto report = world.look();
  ASSERT_GE(report.findings.size(), 2u);
  EXPECT_EQ(report.findings[0].cause, Cause::IKE_UNREACHABLE);
  EXPECT_EQ(report.findings[0].summary,
            "no IKE daemon runs on node2: nothing listens at UDP 500 of 10.45.0.12");
  EXPECT_EQ(report.findings[0].evidence, (Lines{"nothing listens at UDP 500 of 10.45.0.12",
                                                "nothing listens at UDP 4500 of 10.45.0.12"}));
  EXPECT_EQ(report.findings[1].summary,
            "node3 cannot be reached by IKE: UDP 4500 of 10.45.0.13 does not answer IKE");
  EXPECT_EQ(report.findings[1].effect, Effect::kLeaks);
}

TEST(DoctorIke, WhoAnswersOrIsExplainedIsNot) {
  Unprotected world;
  world.says("10.45.0.12", IkeAnswer::kAnswered, IkeAnswer::kAnswered);
  world.says("10.45.0.13", IkeAnswer::kNotSent, IkeAnswer::kNotSent);
  EXPECT_FALSE(has_cause(world.look(), Cause::IKE_UNREACHABLE));
  world.ike.clear();
  world.says("10.45.0.12", IkeAnswer::kSilent, IkeAnswer::kSilent);
  EXPECT_TRUE(has_cause(world.look(), Cause::IKE_UNREACHABLE));
  world.echoes[0].answered = false;
  world.facts().neighbours.erase(world.facts().neighbours.begin());
  const auto report = world.look();
  EXPECT_EQ(report.findings[0].cause, Cause::UNDERLAY_UNREACHABLE);
  EXPECT_FALSE(has_cause(report, Cause::IKE_UNREACHABLE));
}

}  // namespace
}  // namespace espial
