// SPDX-License-Identifier: Apache-2.0
#include "cli/text/topology_text.h"

#include <gtest/gtest.h>

#include "config/config_file.h"
#include "golden.h"
#include "unit/facts_builder.h"

namespace espial {
namespace {

using test::addr;
using test::net;

// What OpenSVC, the SPD and a route said of the example mesh.
Topology learnt() {
  auto topology = test::mesh();
  topology.networks = {{"backendnet", {net("10.101.0.0/16")}, Origin::kOpensvc}};
  topology.self_underlays[0].from = Origin::kAddress;
  topology.self_backends[0].from = Origin::kOpensvc;
  for (auto& peer : topology.peers) {
    peer.state = PeerState::kLearnt;
    peer.from = peer.underlays[0].from = peer.backends[0].from = Origin::kOpensvc;
    peer.underlays[0].from.add(Origin::kPolicy);
  }
  Peer guess;
  guess.name = "10.45.0.14";
  guess.from = Origin::kRoute;
  guess.underlays = {{addr("10.45.0.14"), Origin::kRoute}};
  topology.peers.push_back(guess);
  topology.findings = {"node3: something to look at"};
  return topology;
}

TEST(RenderDiscovered, IsTheGoldenFileAndValid) {
  const auto text = render_discovered(learnt(), {});
  testing::expect_golden("discover.yaml", text);
  const auto parsed = parse_config(text, "f");
  EXPECT_TRUE(parsed.problems.empty()) << parsed.problems.front().text();
  ASSERT_EQ(parsed.config.peers.size(), 2u);
  EXPECT_EQ(parsed.config.peers[1].backends, std::vector{net("10.101.3.0/24")});
}

TEST(RenderDiscovered, WhatTheCheckRefusesIsCommentedOut) {
  auto topology = learnt();
  topology.peers[1].backends.push_back({net("10.101.2.128/25"), "backendnet", Origin::kPolicy});
  topology.peers[1].name = topology.peers[0].name;
  const auto text = render_discovered(topology, {});
  EXPECT_NE(text.find("# left out: 10.101.2.128/25 overlaps"), std::string::npos) << text;
  EXPECT_TRUE(parse_config(text, "f").problems.empty()) << text;
}

}  // namespace
}  // namespace espial
