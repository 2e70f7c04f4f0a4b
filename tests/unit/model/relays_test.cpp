// SPDX-License-Identifier: Apache-2.0
#include "model/relays.h"

#include <gtest/gtest.h>

namespace espial {
namespace {

Peer peer(const char* name, const char* underlay, std::vector<const char*> backends) {
  Peer made;
  made.name = name;
  made.state = PeerState::kConfigured;
  made.underlays = {{*IpAddress::parse(underlay), Origin::kFile}};
  for (const auto* backend : backends)
    made.backends.push_back({*Prefix::parse(backend), "net", Origin::kFile});
  return made;
}

// node2 is the hub; node4 has no tunnel of its own.
Topology three_peers() {
  Topology topology;
  topology.peers = {peer("node2", "10.45.0.12", {"10.101.1.0/24", "fd00:101:1::/64"}),
                    peer("node3", "10.45.0.13", {"10.101.2.0/24", "fd00:101:2::/64"}),
                    peer("node4", "10.45.0.14", {"10.101.3.0/24"})};
  return topology;
}

XfrmPolicyFact policy(PolicyDirection direction, const char* source, const char* remote) {
  XfrmPolicyFact made;
  made.direction = direction;
  made.source = *Prefix::parse(source);
  made.destination = *Prefix::parse("10.101.0.0/24");
  made.has_template = true;
  made.template_protocol = 50;
  made.template_source = *IpAddress::parse(remote);
  return made;
}
XfrmPolicyFact fwd(const char* source, const char* remote) {
  return policy(PolicyDirection::kForward, source, remote);
}

std::string text(const std::vector<XfrmPolicyFact>& policies, const Relays& former = {}) {
  const auto found = find_relays(three_peers(), policies, former);
  std::string all;
  for (const auto& source : found.sources) all += source.text() + " ";
  all += "by";
  for (const auto& remote : found.remotes) all += " " + remote.text();
  return all;
}

TEST(Relays, AMeshHasNone) {
  EXPECT_EQ(text({}), "by");
  EXPECT_EQ(text({fwd("10.101.1.0/24", "10.45.0.12"), fwd("10.101.2.0/24", "10.45.0.13"),
                  fwd("fd00:101:2::/64", "10.45.0.13"), fwd("10.101.2.64/26", "10.45.0.13")}),
            "by");
}

TEST(Relays, AHubsPolicyForExactlyTheSubnet) {
  EXPECT_EQ(text({fwd("10.101.3.0/24", "10.45.0.12")}), "10.101.3.0/24 by 10.45.0.12");
  EXPECT_EQ(text({policy(PolicyDirection::kIn, "fd00:101:2::/64", "10.45.0.12")}),
            "fd00:101:2::/64 by 10.45.0.12");
  // As a spare way beside the peer's own.
  EXPECT_EQ(text({fwd("10.101.2.0/24", "10.45.0.13"), fwd("10.101.2.0/24", "10.45.0.12")}),
            "10.101.2.0/24 by 10.45.0.12");
}

TEST(Relays, ANarrowerPolicyIsForItsAddressesOnly) {
  EXPECT_EQ(text({fwd("10.101.2.0/24", "10.45.0.13"), fwd("10.101.2.64/26", "10.45.0.12")}),
            "10.101.2.64/26 by 10.45.0.12");
}

TEST(Relays, AWiderPolicyIsForPeersWithoutTheirOwn) {
  const auto wide = fwd("10.101.0.0/16", "10.45.0.12");
  EXPECT_EQ(text({wide, fwd("10.101.2.0/24", "10.45.0.13")}), "10.101.3.0/24 by 10.45.0.12");
  EXPECT_EQ(text({fwd("0.0.0.0/0", "10.45.0.12"), fwd("10.101.2.0/24", "10.45.0.13")}),
            "10.101.3.0/24 by 10.45.0.12");
  // Route-based tunnels: each peer has 0/0, so each comes by its own.
  EXPECT_EQ(text({fwd("0.0.0.0/0", "10.45.0.12"), fwd("0.0.0.0/0", "10.45.0.13"),
                  fwd("0.0.0.0/0", "10.45.0.14")}),
            "by");
}

TEST(Relays, WhatProvesNothing) {
  auto block = fwd("10.101.3.0/24", "10.45.0.12");
  block.allow = false;
  auto bypass = fwd("10.101.3.0/24", "10.45.0.12");
  bypass.has_template = false;
  auto transport = fwd("10.101.3.0/24", "10.45.0.12");
  transport.tunnel_mode = false;
  EXPECT_EQ(
      text({block, bypass, transport, policy(PolicyDirection::kOut, "10.101.3.0/24", "10.45.0.12"),
            fwd("10.101.3.0/24", "10.45.0.99"), fwd("10.101.3.0/24", "0.0.0.0")}),
      "by");
}

TEST(Relays, StayWhileTheTopologyHasTheirAddresses) {
  const Relays former{{*Prefix::parse("10.101.3.0/24"), *Prefix::parse("10.101.9.0/24")},
                      {*IpAddress::parse("10.45.0.12"), *IpAddress::parse("10.45.0.99")}};
  EXPECT_EQ(text({}, former), "10.101.3.0/24 by 10.45.0.12");
}

}  // namespace
}  // namespace espial
