// SPDX-License-Identifier: Apache-2.0
#include "model/contested.h"

#include <gtest/gtest.h>

namespace espial {
namespace {

Peer peer(const char* name, PeerState state, Mode mode, const char* underlay,
          std::vector<const char*> backends) {
  Peer made;
  made.name = name;
  made.state = state;
  made.mode = mode;
  made.underlays = {{*IpAddress::parse(underlay), Origin::kPolicy}};
  for (const auto* backend : backends)
    made.backends.push_back({*Prefix::parse(backend), "net", Origin::kPolicy});
  return made;
}

std::vector<std::string> findings(const Peer& learnt) {
  Topology topology;
  topology.self_backends = {{*Prefix::parse("10.101.0.0/24"), "net", Origin::kAddress}};
  topology.peers = {
      learnt, peer("node2", PeerState::kConfigured, Mode::MONITOR, "10.45.0.12", {"10.101.1.0/24"}),
      peer("node3", PeerState::kLearnt, Mode::ENFORCE, "10.45.0.13", {"10.101.2.0/24"}),
      peer("node4", PeerState::kLearnt, Mode::MONITOR, "10.45.0.14", {"10.101.3.0/24"})};
  return find_contested(topology).findings;
}

Peer learnt(const char* backend, Mode mode = Mode::MONITOR, const char* underlay = "10.45.0.99") {
  return peer("10.45.0.99", PeerState::kLearnt, mode, underlay, {backend});
}

TEST(Contested, WhatIsNewIsNobodyElses) {
  EXPECT_TRUE(findings(learnt("10.101.9.0/24")).empty());
  EXPECT_TRUE(findings(learnt("10.0.0.0/8")).empty()) << "a wider one takes nothing away";
  EXPECT_TRUE(findings(learnt("10.101.3.9/32")).empty()) << "neither knows better";
}

TEST(Contested, ConfiguredAddressesStay) {
  for (const char* backend : {"10.101.1.9/32", "10.101.1.128/25", "10.101.1.0/24"})
    EXPECT_EQ(
        findings(learnt(backend)),
        (std::vector<std::string>{std::string("10.45.0.99: ") + backend +
                                  " is learnt, but stays with node2, which has 10.101.1.0/24"}));
  EXPECT_EQ(findings(learnt("10.101.1.9/32", Mode::ENFORCE)).size(), 1U);
}

TEST(Contested, AStricterModeStays) {
  EXPECT_EQ(findings(learnt("10.101.2.9/32")).size(), 1U);
  EXPECT_TRUE(findings(learnt("10.101.2.9/32", Mode::ENFORCE)).empty());
}

TEST(Contested, OurOwnStay) {
  EXPECT_EQ(findings(learnt("10.101.0.9/32")),
            (std::vector<std::string>{"10.45.0.99: 10.101.0.9/32 is learnt, but stays with this "
                                      "node, which has 10.101.0.0/24"}));
}

// An underlay address is no backend any more: cleartext to it would be nobody's business.
TEST(Contested, AnUnderlayInsideASubnetTakesNothingEither) {
  EXPECT_EQ(findings(learnt("10.101.9.0/24", Mode::MONITOR, "10.101.1.9")).size(), 1U);
}

}  // namespace
}  // namespace espial
