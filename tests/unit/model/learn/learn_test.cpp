// SPDX-License-Identifier: Apache-2.0
#include "model/learn/learn.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <random>

#include "unit/facts_builder.h"

namespace espial {
namespace {

using test::add_tunnel;
using test::addr;
using test::net;
using test::Node;
using test::policy;
using test::state;

// node1 of the example mesh, layout A, with charon's policies towards node2 and node3.
Node node1() {
  Node node;
  node.facts.xfrm_readable = true;
  node.link(2, "br-prd", "bridge");
  node.link(3, "eth0", "", 2);
  node.address(2, "10.45.0.11/24");
  node.address(2, "10.101.1.1/24");
  add_tunnel(node.facts, "10.101.1.0/24", "10.101.2.0/24", "10.45.0.11", "10.45.0.12", 1);
  add_tunnel(node.facts, "10.101.1.0/24", "10.101.3.0/24", "10.45.0.11", "10.45.0.13", 2);
  node.route("10.101.2.0/24", "10.45.0.12", 2);
  node.route("10.101.3.0/24", "10.45.0.13", 2);
  return node;
}

Config file() {
  Config config;
  config.node = "node1";
  config.networks = {{"backendnet", {net("10.101.0.0/16"), net("fd00:101::/32")}}};
  return config;
}

Config file_with_node2() {
  auto config = file();
  config.peers = {{"node2", {addr("10.45.0.12")}, {net("10.101.2.0/24")}, Mode::AUDIT}};
  return config;
}

std::string shown(const Peer& peer) {
  std::string out = peer.name + " " + std::string(to_string(peer.state)) + ":";
  for (const auto& underlay : peer.underlays) out += " " + underlay.address.text();
  for (const auto& backend : peer.backends) out += " " + backend.prefix.text();
  return out;
}

std::vector<std::string> shown(const Topology& topology) {
  std::vector<std::string> out;
  for (const auto& peer : topology.peers) out.push_back(shown(peer));
  return out;
}

bool found(const Topology& topology, const std::string& words) {
  return std::any_of(topology.findings.begin(), topology.findings.end(),
                     [&](const auto& line) { return line.find(words) != std::string::npos; });
}

std::string all(const Topology& topology) {
  std::string out;
  for (const auto& line : topology.findings) out += line + "\n";
  return out;
}

using Lines = std::vector<std::string>;

TEST(MergeTopology, TheSpdAloneYieldsTheMesh) {
  const auto topology = merge_topology(Config{}, node1().facts, {});
  EXPECT_EQ(shown(topology), (Lines{"10.45.0.12 learnt: 10.45.0.12 10.101.2.0/24",
                                    "10.45.0.13 learnt: 10.45.0.13 10.101.3.0/24"}));
  ASSERT_EQ(topology.self_underlays.size(), 1u);
  EXPECT_EQ(topology.self_underlays[0].address, addr("10.45.0.11"));
  EXPECT_TRUE(topology.self_underlays[0].from.has(Origin::kPolicy));
  EXPECT_TRUE(topology.self_underlays[0].from.has(Origin::kAddress));
  ASSERT_EQ(topology.self_backends.size(), 1u);
  EXPECT_EQ(topology.self_backends[0].prefix, net("10.101.1.0/24"));
  EXPECT_EQ(topology.self_backends[0].network, "10.101.1.0/24");  // no network contains it
  const auto& peer = topology.peers[0];
  EXPECT_TRUE(peer.backends[0].from.has(Origin::kPolicy));
  EXPECT_TRUE(peer.backends[0].from.has(Origin::kRoute));
  EXPECT_FALSE(peer.from.has(Origin::kFile));
  EXPECT_EQ(all(topology), "");
}

TEST(MergeTopology, TheFileNamesWhatWasLearnt) {
  const auto topology = merge_topology(file_with_node2(), node1().facts, {});
  EXPECT_EQ(shown(topology), (Lines{"10.45.0.13 learnt: 10.45.0.13 10.101.3.0/24",
                                    "node2 configured: 10.45.0.12 10.101.2.0/24"}));
  const auto* node2 = topology.find("node2");
  EXPECT_EQ(node2->mode, Mode::AUDIT);
  EXPECT_TRUE(node2->backends[0].from.has(Origin::kFile));
  EXPECT_TRUE(node2->backends[0].from.has(Origin::kPolicy));
  EXPECT_EQ(node2->backends[0].network, "backendnet");
  EXPECT_EQ(all(topology), "");
}

TEST(MergeTopology, APeerOfTheFileWithoutUnderlayIsFoundByItsSubnet) {
  auto config = file();
  config.peers = {{"node2", {}, {net("10.101.2.0/24")}, {}}};
  EXPECT_EQ(shown(merge_topology(config, node1().facts, {}))[1],
            "node2 configured: 10.45.0.12 10.101.2.0/24");
}

TEST(MergeTopology, TheEntryOfThisNodesNameIsThisNode) {
  auto config = file();
  config.peers = {{"node1", {addr("10.45.0.11")}, {net("10.101.1.0/24")}, {}}};
  const auto topology = merge_topology(config, {}, {});
  EXPECT_TRUE(topology.peers.empty());
  EXPECT_EQ(topology.self_underlays[0].address, addr("10.45.0.11"));
  EXPECT_EQ(topology.self_backends[0].prefix, net("10.101.1.0/24"));
}

TEST(MergeTopology, WithoutDiscoveryOnlyTheFileCounts) {
  auto config = file_with_node2();
  config.discover = false;
  const auto saved = merge_topology(file(), node1().facts, {});
  const auto topology = merge_topology(config, node1().facts, saved);
  EXPECT_EQ(shown(topology), (Lines{"node2 configured: 10.45.0.12 10.101.2.0/24"}));
  EXPECT_TRUE(topology.self_underlays.empty());
}

TEST(MergeTopology, BothFamiliesOverOneIke) {
  Node node;
  add_tunnel(node.facts, "10.101.1.0/24", "10.101.2.0/24", "10.45.0.11", "10.45.0.12", 1);
  add_tunnel(node.facts, "fd00:101:1::/64", "fd00:101:2::/64", "10.45.0.11", "10.45.0.12", 2);
  EXPECT_EQ(shown(merge_topology(Config{}, node.facts, {})),
            (Lines{"10.45.0.12 learnt: 10.45.0.12 10.101.2.0/24 fd00:101:2::/64"}));
}

TEST(MergeTopology, StatesNameFurtherUnderlaysByReqidOrKnownAddress) {
  auto node = node1();
  node.facts.states = {state("10.45.0.11", "203.0.113.7", 0x1000, 1),
                       state("10.45.0.13", "10.45.0.11", 0x2000, 2),
                       state("10.45.0.11", "203.0.113.9", 0x3000, 99),
                       state("10.45.0.11", "203.0.113.8", 0, 1)};  // larval
  const auto topology = merge_topology(Config{}, node.facts, {});
  EXPECT_EQ(shown(topology)[0], "10.45.0.12 learnt: 10.45.0.12 203.0.113.7 10.101.2.0/24");
  EXPECT_EQ(topology.peers[0].underlays[1].from, Origins(Origin::kState));
  EXPECT_TRUE(topology.peers[1].underlays[0].from.has(Origin::kState));
  EXPECT_TRUE(found(topology, "203.0.113.9: belongs to no known peer"));
}

TEST(MergeTopology, AReqidOfTwoPeersNamesNobody) {
  Node node;
  add_tunnel(node.facts, "10.101.1.0/24", "10.101.2.0/24", "10.45.0.11", "10.45.0.12", 1);
  add_tunnel(node.facts, "10.101.1.0/24", "10.101.3.0/24", "10.45.0.11", "10.45.0.13", 1);
  node.facts.states = {state("10.45.0.11", "203.0.113.7", 0x1000, 1)};
  const auto topology = merge_topology(Config{}, node.facts, {});
  for (const auto& peer : topology.peers) EXPECT_EQ(peer.underlays.size(), 1u) << peer.name;
  EXPECT_TRUE(found(topology, "203.0.113.7: belongs to no known peer"));
}

TEST(MergeTopology, ARouteThroughAKnownPeerAddsASubnetBeforeAnyPolicy) {
  auto node = node1();
  node.route("fd00:101:2::/64", "10.45.0.12", 2);
  node.route("10.77.2.0/24", "10.45.0.12", 2);
  node.route("0.0.0.0/0", "10.45.0.12", 2);     // a default route names no subnet
  node.route("10.45.0.0/16", "10.45.0.12", 2);  // contains underlays
  const auto topology = merge_topology(file_with_node2(), node.facts, {});
  EXPECT_EQ(shown(*topology.find("node2")),
            "node2 configured: 10.45.0.12 10.77.2.0/24 10.101.2.0/24 fd00:101:2::/64");
  EXPECT_EQ(topology.find("node2")->backends[2].from, Origins(Origin::kRoute));
}

TEST(MergeTopology, ARouteInsideANetworkMakesACandidate) {
  auto node = node1();
  node.route("10.101.9.0/24", "10.45.0.19", 2);
  node.route("172.30.0.0/24", "10.45.0.18", 2);  // in no network
  const auto topology = merge_topology(file(), node.facts, {});
  EXPECT_EQ(shown(topology), (Lines{"10.45.0.12 learnt: 10.45.0.12 10.101.2.0/24",
                                    "10.45.0.13 learnt: 10.45.0.13 10.101.3.0/24",
                                    "10.45.0.19 candidate: 10.45.0.19 10.101.9.0/24"}));
  // A saved candidate stays a candidate, a policy makes it a peer.
  EXPECT_EQ(shown(merge_topology(file(), node1().facts, topology))[2],
            "10.45.0.19 candidate: 10.45.0.19 10.101.9.0/24");
  add_tunnel(node.facts, "10.101.1.0/24", "10.101.9.0/24", "10.45.0.11", "10.45.0.19", 9);
  EXPECT_EQ(shown(merge_topology(file(), node.facts, topology))[2],
            "10.45.0.19 learnt: 10.45.0.19 10.101.9.0/24");
}

TEST(MergeTopology, ARouterTowardsKnownSubnetsIsNoCandidate) {
  Node node;
  add_tunnel(node.facts, "10.101.1.0/24", "10.101.2.0/24", "10.45.0.11", "192.0.2.12", 1);
  node.route("10.101.2.0/24", "10.45.0.1", 2);
  EXPECT_EQ(shown(merge_topology(file(), node.facts, {})),
            (Lines{"192.0.2.12 learnt: 192.0.2.12 10.101.2.0/24"}));
}

TEST(MergeTopology, LocalAddressesNameTheNodesSide) {
  Node node;
  node.link(1, "lo");
  node.link(2, "eth0");
  node.link(3, "obr_backendnet", "bridge");
  node.link(4, "docker0", "bridge");
  node.veth(5, "veth5", 4);
  node.address(1, "127.0.0.1/8");
  node.address(2, "10.45.0.11/24");
  node.address(2, "fe80::1/64");
  node.address(3, "10.101.1.1/24");
  node.address(4, "172.17.0.1/16");
  const auto topology = merge_topology(file(), node.facts, {});
  ASSERT_EQ(topology.self_underlays.size(), 1u);
  EXPECT_EQ(topology.self_underlays[0].address, addr("10.45.0.11"));
  ASSERT_EQ(topology.self_backends.size(), 1u);
  EXPECT_EQ(topology.self_backends[0].prefix, net("10.101.1.0/24"));
  EXPECT_EQ(topology.self_backends[0].from, Origins(Origin::kAddress));
}

TEST(MergeTopology, AFlatNetworkDoesNotMakeThePeersSubnetsOurs) {
  auto node = node1();
  node.address(2, "10.101.1.1/16");
  const auto topology = merge_topology(file(), node.facts, {});
  ASSERT_EQ(topology.self_backends.size(), 1u);
  EXPECT_EQ(topology.self_backends[0].prefix, net("10.101.1.0/24"));
  EXPECT_TRUE(found(topology, "10.101.0.0/16 on this node contains subnets of peers"));
}

TEST(MergeTopology, WhatVanishesStaysAsSavedAndIsAFinding) {
  const auto healthy = merge_topology(file(), node1().facts, {});
  KernelFacts stopped = node1().facts;  // charon stopped cleanly: no policy, no route of its own
  stopped.policies.clear();
  stopped.routes.clear();
  const auto topology = merge_topology(file(), stopped, healthy);
  EXPECT_EQ(shown(topology), shown(healthy));
  EXPECT_EQ(topology.peers[0].from, Origins(Origin::kSaved));
  EXPECT_EQ(topology.self_backends[0].prefix, net("10.101.1.0/24"));
  EXPECT_TRUE(found(topology, "10.45.0.12: known from earlier only"));
  // A second round on the result keeps it, and what comes back loses the mark.
  EXPECT_EQ(merge_topology(file(), stopped, topology), topology);
  EXPECT_EQ(merge_topology(file(), node1().facts, topology), healthy);
  // Unreadable XFRM is no evidence that anything vanished.
  stopped.xfrm_readable = false;
  EXPECT_EQ(all(merge_topology(file(), stopped, healthy)), "");
}

TEST(MergeTopology, RemovingAFileOnlyPeerFromTheFileRemovesIt) {
  auto config = file();
  config.peers = {{"node9", {addr("10.45.0.19")}, {net("10.101.9.0/24")}, {}}};
  const auto before = merge_topology(config, node1().facts, {});
  ASSERT_NE(before.find("node9"), nullptr);
  EXPECT_EQ(merge_topology(file(), node1().facts, before).find("node9"), nullptr);
}

TEST(MergeTopology, ASavedPeerThatTheFileNamesTakesThatName) {
  const auto before = merge_topology(file(), node1().facts, {});
  const auto topology = merge_topology(file_with_node2(), {}, before);
  EXPECT_EQ(shown(topology), (Lines{"10.45.0.13 learnt: 10.45.0.13 10.101.3.0/24",
                                    "node2 configured: 10.45.0.12 10.101.2.0/24"}));
}

TEST(MergeTopology, APeerThatMovedKeepsItsName) {
  const auto before = merge_topology(file(), node1().facts, {});
  Node moved;
  add_tunnel(moved.facts, "10.101.1.0/24", "10.101.2.0/24", "10.45.0.11", "10.45.0.99", 7);
  EXPECT_EQ(shown(merge_topology(file(), moved.facts, before))[0],
            "10.45.0.12 learnt: 10.45.0.12 10.45.0.99 10.101.2.0/24");
  // Against the file the same is said aloud.
  const auto topology = merge_topology(file_with_node2(), moved.facts, {});
  EXPECT_EQ(shown(topology)[0], "node2 configured: 10.45.0.12 10.45.0.99 10.101.2.0/24");
  EXPECT_TRUE(found(topology, "names underlay 10.45.0.99, the file does not"));
}

TEST(MergeTopology, TheFileWinsASubnetThatAPolicyGivesToAnother) {
  auto node = node1();
  auto config = file_with_node2();
  config.peers[0].backends.push_back(net("10.101.3.0/24"));
  const auto topology = merge_topology(config, node.facts, {});
  EXPECT_EQ(shown(*topology.find("node2")),
            "node2 configured: 10.45.0.12 10.101.2.0/24 10.101.3.0/24");
  EXPECT_TRUE(topology.find("10.45.0.13")->backends.empty());
  EXPECT_TRUE(found(topology, "10.101.3.0/24: node2 (file) and 10.45.0.13 (policy) claim it"));
}

TEST(MergeTopology, ASubnetThatBothSidesClaimIsNobodys) {
  Node node;
  add_tunnel(node.facts, "10.0.0.0/9", "10.0.0.0/9", "192.0.2.1", "192.0.2.2", 1);
  const auto topology = merge_topology(Config{}, node.facts, {});
  EXPECT_TRUE(topology.self_backends.empty());
  EXPECT_TRUE(topology.peers[0].backends.empty());
  EXPECT_TRUE(found(
      topology,
      "10.0.0.0/9: 192.0.2.2 (policy) and this node (policy) claim it: it is given to neither"));
}

TEST(MergeTopology, NestedSubnetsAreKeptAndSaid) {
  Node node;
  add_tunnel(node.facts, "10.101.1.0/24", "10.101.0.0/16", "192.0.2.1", "192.0.2.2", 1);
  const auto topology = merge_topology(Config{}, node.facts, {});
  EXPECT_EQ(topology.self_backends.size(), 1u);
  EXPECT_EQ(topology.peers[0].backends.size(), 1u);
  EXPECT_TRUE(found(topology, "10.101.1.0/24 of this node lies inside 10.101.0.0/16 of 192.0.2.2"));
}

struct Odd {
  const char* name;
  XfrmPolicyFact policy;
  const char* finding;  // empty: nothing to say
};

void PrintTo(const Odd& test, std::ostream* out) { *out << test.name; }

XfrmPolicyFact odd(const std::string& source, const std::string& destination,
                   const std::string& from = "10.45.0.11", const std::string& to = "10.45.0.66") {
  return policy(PolicyDirection::kOut, source, destination, from, to, 66);
}

XfrmPolicyFact transport() {
  auto fact = odd("10.45.0.11/32", "10.45.0.66/32", "0.0.0.0", "0.0.0.0");
  fact.tunnel_mode = false;
  return fact;
}
XfrmPolicyFact bypass() {
  auto fact = odd("0.0.0.0/0", "0.0.0.0/0", "0.0.0.0", "0.0.0.0");
  fact.has_template = false;
  return fact;
}
XfrmPolicyFact block() {
  auto fact = odd("10.7.0.0/16", "10.8.0.0/16");
  fact.allow = false;
  return fact;
}

class OddPolicies : public testing::TestWithParam<Odd> {};

TEST_P(OddPolicies, DoNotSwallowTheWorld) {
  auto node = node1();
  const auto without = merge_topology(file(), node.facts, {});
  node.facts.policies.push_back(GetParam().policy);
  const auto topology = merge_topology(file(), node.facts, {});
  const std::string finding = GetParam().finding;
  if (finding.empty()) {
    EXPECT_EQ(topology, without);
    return;
  }
  EXPECT_TRUE(found(topology, finding)) << all(topology);
  EXPECT_EQ(topology.self_backends, without.self_backends);
  for (const auto& peer : topology.peers) {
    if (const auto* before = without.find(peer.name))
      EXPECT_EQ(peer.backends, before->backends);
    else
      EXPECT_TRUE(peer.backends.empty()) << shown(peer);
  }
}

const Odd kOdd[] = {
    {"any_any", odd("10.101.1.0/24", "0.0.0.0/0"), "0.0.0.0/0 is no backend subnet"},
    {"half_of_the_world", odd("10.101.1.0/24", "128.0.0.0/1"), "128.0.0.0/1 is no backend"},
    {"seven_bits", odd("10.101.1.0/24", "10.0.0.0/7"), "10.0.0.0/7 is no backend subnet"},
    {"v6_any", odd("10.101.1.0/24", "::/0"), "::/0 is no backend subnet"},
    {"v6_fifteen_bits", odd("10.101.1.0/24", "2000::/15"), "2000::/15 is no backend subnet"},
    {"around_underlays", odd("10.101.1.0/24", "10.0.0.0/8"), "10.0.0.0/8 contains underlay"},
    {"own_side_around_underlays", odd("10.45.0.0/24", "224.0.0.0/4"), "10.45.0.0/24 contains"},
    {"host_to_host", odd("10.45.0.11/32", "10.45.0.66/32"), "10.45.0.66/32 contains underlay"},
    {"link_local", odd("10.101.1.0/24", "169.254.0.0/16"), "169.254.0.0/16 is no backend"},
    {"multicast", odd("10.101.1.0/24", "224.0.0.0/24"), "224.0.0.0/24 is no backend subnet"},
    {"loopback", odd("10.101.1.0/24", "127.0.0.0/8"), "127.0.0.0/8 is no backend subnet"},
    {"transport", transport(), "transport mode names no backend subnet"},
    {"wildcard_template", odd("10.101.1.0/24", "10.101.6.0/24", "0.0.0.0", "0.0.0.0"),
     "its template names no peer address"},
    {"towards_this_node", odd("10.101.1.0/24", "10.101.6.0/24", "10.45.0.11", "10.45.0.11"),
     "10.45.0.11 is an address of this node"},
    {"bypass", bypass(), ""},
    {"block", block(), ""},
};

INSTANTIATE_TEST_SUITE_P(All, OddPolicies, testing::ValuesIn(kOdd),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(MergeTopology, APeerCannotOwnAnAddressOfThisNode) {
  auto config = file();
  config.peers = {{"node2", {addr("10.45.0.11")}, {net("10.101.2.0/24")}, {}}};
  const auto topology = merge_topology(config, node1().facts, {});
  EXPECT_EQ(topology.self_underlays.size(), 1u);
  EXPECT_TRUE(found(topology, "10.45.0.11"));
}

TEST(MergeTopology, PeersBeyondTheLimitAreAFinding) {
  auto config = file_with_node2();
  config.max_peers = 2;
  auto node = node1();
  node.route("10.101.9.0/24", "10.45.0.19", 2);
  const auto topology = merge_topology(config, node.facts, {});
  EXPECT_EQ(shown(topology), (Lines{"10.45.0.13 learnt: 10.45.0.13 10.101.3.0/24",
                                    "node2 configured: 10.45.0.12 10.101.2.0/24"}));
  EXPECT_TRUE(found(topology, "1 peers beyond max_peers=2"));
}

TEST(MergeTopology, TheOrderOfTheFactsDoesNotMatter) {
  auto node = node1();
  node.route("10.101.9.0/24", "10.45.0.19", 2);
  node.facts.states = {state("10.45.0.11", "203.0.113.7", 1, 1),
                       state("10.45.0.11", "203.0.113.8", 2, 2),
                       state("10.45.0.11", "203.0.113.9", 3, 3)};
  add_tunnel(node.facts, "10.101.1.0/24", "10.101.3.0/24", "10.45.0.11", "10.45.0.14", 4);
  const auto expected = merge_topology(file(), node.facts, {});
  std::mt19937 random(42);
  for (int round = 0; round < 20; ++round) {
    std::shuffle(node.facts.policies.begin(), node.facts.policies.end(), random);
    std::shuffle(node.facts.states.begin(), node.facts.states.end(), random);
    std::shuffle(node.facts.routes.begin(), node.facts.routes.end(), random);
    std::shuffle(node.facts.addresses.begin(), node.facts.addresses.end(), random);
    EXPECT_EQ(merge_topology(file(), node.facts, {}), expected);
  }
}

TEST(MergeTopology, ForgetRemovesOnePeer) {
  auto topology = merge_topology(file(), node1().facts, {});
  EXPECT_FALSE(forget_peer(topology, "node7"));
  EXPECT_TRUE(forget_peer(topology, "10.45.0.12"));
  EXPECT_EQ(topology.find("10.45.0.12"), nullptr);
  EXPECT_EQ(topology.peers.size(), 1u);
}

// Peer i of a large mesh: 10.64+.x.y underlays, 100.64+... /24 subnets.
std::string dotted(unsigned base, unsigned i) {
  return std::to_string(base) + "." + std::to_string(i >> 16 & 0xff) + "." +
         std::to_string(i >> 8 & 0xff) + "." + std::to_string(i & 0xff);
}

// A mesh of count peers with policies, states and routes.
KernelFacts large_mesh(unsigned count) {
  Node node;
  node.link(2, "eth0");
  node.address(2, "192.0.2.1/24");
  for (unsigned i = 1; i <= count; ++i) {
    const auto subnet = dotted(10, i << 8) + "/24";
    const auto remote = dotted(11, i);
    add_tunnel(node.facts, "172.16.1.0/24", subnet, "192.0.2.1", remote, i);
    node.facts.states.push_back(state("192.0.2.1", remote, i, i));
    node.facts.states.push_back(state(remote, "192.0.2.1", i, i));
    node.route(subnet, remote, 2);
  }
  return std::move(node.facts);
}

// Every peer behind the same selector, as with one policy per XFRM interface.
KernelFacts equal_selectors(unsigned count) {
  Node node;
  for (unsigned i = 1; i <= count; ++i)
    add_tunnel(node.facts, "172.16.1.0/24", "10.0.0.0/8", "192.0.2.1", dotted(11, i), i);
  return std::move(node.facts);
}

// Processor time of this thread, the least of five merges: other load on the machine, the build
// type and sanitizers do not matter to the ratio of two of them.
double merge_seconds(const Config& config, const KernelFacts& facts, const Topology& saved) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  double least = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto started = now();
    (void)merge_topology(config, facts, saved);
    least = std::min(least, now() - started);
  }
  return least;
}

// Ten times the peers may cost ten times the time and some for sorting and caches; a quadratic
// step would cost a hundred times.
constexpr double kMostGrowth = 30;

TEST(MergeTopology, TenThousandPeersCostTenTimesAThousand) {
  auto config = file();
  config.max_peers = 10'000;
  const auto small = large_mesh(1'000);
  const auto large = large_mesh(10'000);
  const auto topology = merge_topology(config, large, {});
  EXPECT_EQ(topology.peers.size(), 10'000u);
  EXPECT_EQ(all(topology), "");
  EXPECT_EQ(merge_topology(config, large, topology), topology);
  const auto one = merge_seconds(config, small, {});
  const auto ten = merge_seconds(config, large, topology);
  EXPECT_LT(ten, kMostGrowth * one);
  RecordProperty("milliseconds", static_cast<int>(ten * 1000));
}

TEST(MergeTopology, TenThousandEqualSelectorsAreQuickAndFewFindings) {
  Config config;
  config.max_peers = 100;
  const auto large = equal_selectors(10'000);
  const auto topology = merge_topology(config, large, {});
  EXPECT_EQ(topology.peers.size(), 100u);
  EXPECT_LT(topology.findings.size(), 30u);
  EXPECT_LT(merge_seconds(config, large, {}),
            kMostGrowth * merge_seconds(config, equal_selectors(1'000), {}));
}

// The peer's own mode, else the file's default; never for what only a route says.
TEST(Learn, ModesComeFromTheFile) {
  auto node = node1();
  node.route("10.101.4.0/24", "10.45.0.14", 2);
  auto config = file_with_node2();
  for (const auto& [mode, expected] : {std::pair{std::optional<Mode>(), Mode::MONITOR},
                                       std::pair{std::optional(Mode::ENFORCE), Mode::ENFORCE}}) {
    config.mode = mode;
    const auto topology = merge_topology(config, node.facts, {});
    ASSERT_EQ(topology.peers.size(), 3U);
    const auto& node2 = *topology.find("node2");
    EXPECT_EQ(node2.mode, Mode::AUDIT);
    EXPECT_EQ(node2.mode_from, ModeSource::kFile);
    EXPECT_EQ(node2.by_file, (ModeChoice{Mode::AUDIT, ModeSource::kFile}));
    const auto& learnt = *topology.find("10.45.0.13");
    EXPECT_EQ(learnt.mode, expected);
    EXPECT_EQ(learnt.mode_from, ModeSource::kDefault);
    const auto& candidate = *topology.find("10.45.0.14");
    EXPECT_EQ(candidate.state, PeerState::kCandidate);
    EXPECT_EQ(candidate.mode, Mode::MONITOR);
  }
}

}  // namespace
}  // namespace espial
