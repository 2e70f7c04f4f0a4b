// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "model/learn/learn.h"
#include "sources/state/saved_topology.h"
#include "unit/facts_builder.h"

namespace espial {
namespace {

using test::add_tunnel;
using test::addr;
using test::net;
using test::Node;

Config bare() {
  Config config;
  config.node = "Node1";
  return config;
}

// node1's kernel before charon has loaded anything.
Node kernel() {
  Node node;
  node.facts.xfrm_readable = true;
  node.link(2, "eth0");
  node.link(3, "obr_backendnet", "bridge");
  node.address(2, "10.45.0.11/24");
  node.address(3, "10.101.1.1/24");
  return node;
}

void tunnel_to(Node& node, const std::string& n) {
  add_tunnel(node.facts, "10.101.1.0/24", "10.101." + n + ".0/24", "10.45.0.11", "10.45.0.1" + n,
             static_cast<std::uint32_t>(std::stoi(n)));
}

OpensvcFacts cluster(int nodes) {
  OpensvcFacts facts;
  facts.state = OpensvcState::kReadable;
  OpensvcNetwork network;
  network.name = "backendnet";
  network.prefix = net("10.101.0.0/16");
  for (int n = 1; n <= nodes; ++n) {
    const auto number = std::to_string(n);
    facts.nodes.push_back("node" + number);
    network.members.push_back({"node" + number, net("10.101." + number + ".0/24"), true,
                               "10.45.0.1" + number, addr("10.45.0.1" + number)});
  }
  facts.networks.push_back(network);
  return facts;
}

OpensvcFacts silent(OpensvcState state = OpensvcState::kUnreadable) {
  OpensvcFacts facts;
  facts.state = state;
  facts.reason = "closed";
  return facts;
}

std::string shown(const Topology& topology) {
  std::string out;
  for (const auto& peer : topology.peers) {
    out += peer.name + " " + std::string(to_string(peer.state)) + ":";
    for (const auto& underlay : peer.underlays) out += " " + underlay.address.text();
    for (const auto& backend : peer.backends)
      out += " " + backend.prefix.text() + "(" + backend.network + ")";
    out += "\n";
  }
  return out;
}

std::string all(const Topology& topology) {
  std::string out;
  for (const auto& line : topology.findings) out += line + "\n";
  return out;
}

const std::string kTwo =
    "node2 learnt: 10.45.0.12 10.101.2.0/24(backendnet)\n"
    "node3 learnt: 10.45.0.13 10.101.3.0/24(backendnet)\n";

TEST(MergeOpensvc, NamesEverythingBeforeAnyPolicy) {
  const auto topology = merge_topology(bare(), kernel().facts, {}, cluster(3));
  EXPECT_EQ(shown(topology), kTwo);
  ASSERT_EQ(topology.self_backends.size(), 1u);
  EXPECT_EQ(topology.self_backends[0].prefix, net("10.101.1.0/24"));
  EXPECT_TRUE(topology.self_backends[0].from.has(Origin::kOpensvc));
  ASSERT_EQ(topology.networks.size(), 1u);
  EXPECT_EQ(topology.networks[0].from, Origins(Origin::kOpensvc));
  EXPECT_EQ(all(topology), "");
}

TEST(MergeOpensvc, GivesPeersOfTheSpdTheirNames) {
  auto node = kernel();
  tunnel_to(node, "2");
  const auto before = merge_topology(bare(), node.facts, {});
  ASSERT_EQ(before.peers.size(), 1u);
  EXPECT_EQ(before.peers[0].name, "10.45.0.12");
  const auto after = merge_topology(bare(), node.facts, before, cluster(3));
  EXPECT_EQ(shown(after), kTwo);
  EXPECT_TRUE(after.peers[0].from.has(Origin::kPolicy));
}

TEST(MergeOpensvc, IsThisNodeByItsAddressToo) {
  Config config;
  config.node = "host.example";
  const auto topology = merge_topology(config, kernel().facts, {}, cluster(2));
  ASSERT_EQ(topology.peers.size(), 1u);
  EXPECT_EQ(topology.peers[0].name, "node2");
  EXPECT_EQ(topology.self_backends.size(), 1u);
}

TEST(MergeOpensvc, SaysWhenThisNodeIsNoMember) {
  Config config;
  config.node = "other";
  const auto topology = merge_topology(config, {}, {}, cluster(2));
  EXPECT_EQ(topology.peers.size(), 2u);
  EXPECT_NE(all(topology).find("other: OpenSVC names no subnet for this node"), std::string::npos);
}

TEST(MergeOpensvc, ANodeThatLeftIsRemoved) {
  const auto before = merge_topology(bare(), kernel().facts, {}, cluster(3));
  const auto after = merge_topology(bare(), kernel().facts, before, cluster(2));
  ASSERT_EQ(after.peers.size(), 1u);
  EXPECT_EQ(after.peers[0].name, "node2");
  EXPECT_EQ(all(after), "");
}

TEST(MergeOpensvc, ANodeThatLeftStaysWhileAPolicyNamesIt) {
  auto node = kernel();
  tunnel_to(node, "3");
  auto topology = merge_topology(bare(), node.facts, {}, cluster(3));
  for (int round = 0; round < 3; ++round) {
    // Also over a restart.
    topology = topology_from_json(topology_to_json(topology)).value();
    topology = merge_topology(bare(), node.facts, topology, cluster(2));
    ASSERT_NE(topology.find("node3"), nullptr) << round;
    EXPECT_TRUE(topology.find("node3")->left_opensvc);
    EXPECT_NE(all(topology).find("node3: left the OpenSVC cluster"), std::string::npos);
  }
  topology = merge_topology(bare(), node.facts, topology, silent());
  ASSERT_NE(topology.find("node3"), nullptr);
  topology = merge_topology(bare(), kernel().facts, topology, cluster(2));
  EXPECT_EQ(topology.find("node3"), nullptr);
}

TEST(MergeOpensvc, SilenceRemovesNothing) {
  const auto before = merge_topology(bare(), kernel().facts, {}, cluster(3));
  for (const auto state : {OpensvcState::kUnreadable, OpensvcState::kAbsent}) {
    auto saved = topology_from_json(topology_to_json(before)).value();
    for (int round = 0; round < 2; ++round) {
      saved = merge_topology(bare(), kernel().facts, saved, silent(state));
      EXPECT_EQ(shown(saved), kTwo);
      EXPECT_EQ(saved.networks.size(), 1u);
    }
    // And when it speaks again, a node that left in between is removed.
    EXPECT_EQ(merge_topology(bare(), kernel().facts, saved, cluster(2)).peers.size(), 1u);
  }
}

TEST(MergeOpensvc, SwitchedOffItsPeersAreOnlyRemembered) {
  const auto before = merge_topology(bare(), kernel().facts, {}, cluster(2));
  const auto after = merge_topology(bare(), kernel().facts, before, silent(OpensvcState::kOff));
  ASSERT_EQ(after.peers.size(), 1u);
  EXPECT_EQ(after.peers[0].from, Origins(Origin::kSaved));
  EXPECT_TRUE(after.networks.empty());
}

TEST(MergeOpensvc, ASubnetThatMovedIsNotKeptAtTheFormerNode) {
  const auto before = merge_topology(bare(), kernel().facts, {}, cluster(3));
  auto facts = cluster(3);
  std::swap(facts.networks[0].members[1].subnet, facts.networks[0].members[2].subnet);
  const auto after = merge_topology(bare(), kernel().facts, before, facts);
  EXPECT_EQ(shown(after),
            "node2 learnt: 10.45.0.12 10.101.3.0/24(backendnet)\n"
            "node3 learnt: 10.45.0.13 10.101.2.0/24(backendnet)\n");
}

TEST(MergeOpensvc, TheFileWinsAndContradictionsAreSaid) {
  auto config = bare();
  config.networks = {{"backendnet", {net("10.77.0.0/16")}}};
  config.peers = {{"n2", {addr("10.45.0.12")}, {}, {}},
                  {"node3", {addr("10.45.0.33")}, {net("10.101.2.0/24")}, {}}};
  const auto topology = merge_topology(config, kernel().facts, {}, cluster(3));
  EXPECT_NE(topology.find("n2"), nullptr);
  EXPECT_EQ(topology.find("node2"), nullptr);
  const auto said = all(topology);
  EXPECT_NE(said.find("network backendnet: OpenSVC says 10.101.0.0/16, the file says 10.77.0.0/16"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("node3: OpenSVC reaches it at 10.45.0.13"), std::string::npos) << said;
  EXPECT_NE(said.find("10.101.2.0/24: node3 (file) and n2 (opensvc) claim it"), std::string::npos)
      << said;
}

TEST(MergeOpensvc, PoliciesThatContradictAreSaid) {
  auto node = kernel();
  // node2's subnet, but to another address; and node3's address with node2's subnet.
  add_tunnel(node.facts, "10.101.1.0/24", "10.101.2.0/24", "10.45.0.11", "10.45.0.99", 1);
  const auto moved = merge_topology(bare(), node.facts, {}, cluster(3));
  EXPECT_NE(all(moved).find("node2: a policy for 10.101.2.0/24 names underlay 10.45.0.99, OpenSVC"),
            std::string::npos)
      << all(moved);
  node = kernel();
  add_tunnel(node.facts, "10.101.1.0/24", "10.101.2.0/24", "10.45.0.11", "10.45.0.13", 1);
  const auto swapped = merge_topology(bare(), node.facts, {}, cluster(3));
  EXPECT_NE(all(swapped).find("10.101.2.0/24: node2 (opensvc) and node3 (policy) claim it"),
            std::string::npos)
      << all(swapped);
}

TEST(MergeOpensvc, WithoutDiscoverOnlyTheFileCounts) {
  auto config = bare();
  config.discover = false;
  EXPECT_TRUE(merge_topology(config, kernel().facts, {}, cluster(3)).peers.empty());
}

}  // namespace
}  // namespace espial
