// SPDX-License-Identifier: Apache-2.0
// Pairs whose route leads into a tunnel device of OpenSVC: which of the two headers is protected,
// and whether the routes are those that cluster.conf asks for.
#include <gtest/gtest.h>

#include "diagnose/audit/mesh_audit.h"
#include "unit/facts_builder.h"

namespace espial {
namespace {

using test::addr;
using test::net;
using test::policy;
using test::state;

constexpr std::uint64_t kTunnelNow = 1'700'000'000;
constexpr int kTunnel = 9;

// node1 with 10.101.2.0/24 behind tun2, an ipip device to node2, and no policy at all.
struct TunnelWorld {
  TunnelWorld() {
    node.link(2, "eth0");
    node.address(2, "10.45.0.11/24");
    tunnel() = TunnelEnds{addr("10.45.0.11"), addr("10.45.0.12"), false};
    facts().routes.push_back({net("10.101.2.0/24"), kTunnel, {}, 254, 0, {}});
    facts().xfrm_readable = true;
    topology.peers.pop_back();
    opensvc.state = OpensvcState::kReadable;
    OpensvcNetwork network;
    network.name = "backendnet";
    network.prefix = net("10.101.0.0/16");
    network.tunnel = OpensvcTunnel::kAlways;
    network.members = {{"node2", net("10.101.2.0/24"), true, "10.45.0.12", addr("10.45.0.12")}};
    opensvc.networks = {network};
  }
  KernelFacts& facts() { return node.facts; }
  std::optional<TunnelEnds>& tunnel() {
    for (auto& link : facts().links)
      if (link.ifindex == kTunnel) return link.tunnel;
    return node.link(kTunnel, "tun2", "ipip").tunnel;
  }
  OpensvcNetwork& network() { return opensvc.networks.front(); }
  // Policies between the underlays, for the tunnel's own packets.
  void encrypt_outer(std::uint8_t protocol, bool in = true) {
    auto out =
        policy(PolicyDirection::kOut, "10.45.0.11/32", "10.45.0.12/32", "0.0.0.0", "0.0.0.0", 7);
    out.protocol = protocol;
    out.tunnel_mode = false;
    facts().policies.push_back(out);
    std::swap(out.source, out.destination);
    out.direction = PolicyDirection::kIn;
    if (in) facts().policies.push_back(out);
    for (auto [from, to] : {std::pair{"10.45.0.11", "10.45.0.12"}, {"10.45.0.12", "10.45.0.11"}}) {
      facts().states.push_back(state(from, to, 0x1000, 7));
      facts().states.back().tunnel_mode = false;
    }
  }
  PairAudit pair() const {
    AuditInput input{topology, node.facts, kTunnelNow, {}, {}, &opensvc};
    return audit_mesh(input).peers.front().pairs.front();
  }

  test::Node node;
  Topology topology = test::mesh();
  OpensvcFacts opensvc;
};

std::vector<PairProblem> tunnel_problems(const PairAudit& pair) {
  std::vector<PairProblem> all;
  for (const auto& finding : pair.findings) all.push_back(finding.problem);
  return all;
}
using Problems = std::vector<PairProblem>;

TEST(TunnelJudge, WithoutPoliciesTheTunnelIsClearAndNamed) {
  const auto pair = TunnelWorld().pair();
  EXPECT_EQ(pair.verdict, PairVerdict::kExposed);
  ASSERT_EQ(pair.findings.front().problem, PairProblem::NO_POLICY);
  EXPECT_NE(pair.findings.front().evidence.find(
                "tun2 (ipip 10.45.0.11 > 10.45.0.12, protocol 4) carries them in clear"),
            std::string::npos)
      << pair.findings.front().evidence;
}

TEST(TunnelJudge, PoliciesOfTheSubnetsTakePacketsBeforeTheDevice) {
  TunnelWorld world;
  test::add_tunnel(world.facts(), "10.101.1.0/24", "10.101.2.0/24", "10.45.0.11", "10.45.0.12", 2);
  world.facts().states = {state("10.45.0.11", "10.45.0.12", 0x102, 2),
                          state("10.45.0.12", "10.45.0.11", 0x202, 2)};
  const auto pair = world.pair();
  EXPECT_EQ(pair.verdict, PairVerdict::kProtected);
  EXPECT_TRUE(pair.findings.empty()) << pair.findings.front().evidence;
}

TEST(TunnelJudge, PoliciesOfTheTunnelsPacketsProtect) {
  TunnelWorld world;
  world.encrypt_outer(4);
  const auto pair = world.pair();
  EXPECT_EQ(pair.verdict, PairVerdict::kProtected);
  EXPECT_EQ(tunnel_problems(pair),
            (Problems{PairProblem::TUNNEL_ENCRYPTED, PairProblem::TUNNEL_ENCRYPTED}));
  EXPECT_FALSE(pair.policy_missing[0] || pair.policy_missing[1]);
}

TEST(TunnelJudge, EachDirectionIsJudgedAlone) {
  TunnelWorld world;
  world.encrypt_outer(4, false);
  const auto pair = world.pair();
  EXPECT_EQ(pair.verdict, PairVerdict::kMisconfigured) << "what comes may be clear";
  EXPECT_TRUE(pair.policy_missing[static_cast<int>(Direction::RECEIVE)]);
  EXPECT_FALSE(pair.policy_missing[static_cast<int>(Direction::TRANSMIT)]);
}

TEST(TunnelJudge, APolicyForAnotherProtocolIsNoneOfTheTunnels) {
  TunnelWorld world;
  world.encrypt_outer(47);
  EXPECT_EQ(world.pair().verdict, PairVerdict::kExposed);
  world.tunnel()->gre = true;
  EXPECT_EQ(world.pair().verdict, PairVerdict::kProtected);
}

TEST(TunnelJudge, ABypassOfTheTunnelsPacketsThatIsAskedFirstExposes) {
  TunnelWorld world;
  world.encrypt_outer(4);
  for (auto& one : world.facts().policies) one.priority = 1000;
  auto bypass = world.facts().policies.front();
  bypass.has_template = false;
  bypass.protocol = 0;
  bypass.priority = 10;
  world.facts().policies.push_back(bypass);
  EXPECT_EQ(world.pair().verdict, PairVerdict::kExposed);
  world.facts().policies.back().priority = 2000;
  EXPECT_EQ(world.pair().verdict, PairVerdict::kProtected);
  world.facts().policies.back().priority = 10;
  world.facts().policies.back().destination = net("10.45.0.99/32");
  EXPECT_EQ(world.pair().verdict, PairVerdict::kProtected) << "it is of another host";
}

TEST(TunnelJudge, APolicyThatTakesPacketsBeforeTheDeviceIsNotMended) {
  TunnelWorld world;
  world.encrypt_outer(4);
  test::add_tunnel(world.facts(), "10.101.1.0/24", "10.101.2.0/24", "10.45.0.11", "10.45.0.12", 2);
  for (auto [from, to] : {std::pair{"10.45.0.11", "10.45.0.12"}, {"10.45.0.12", "10.45.0.11"}}) {
    world.facts().states.push_back(state(from, to, 0x2000, 2));
    world.facts().states.back().null_encryption = true;
  }
  EXPECT_EQ(world.pair().verdict, PairVerdict::kExposed) << "ESP without encryption goes straight";
  for (auto& one : world.facts().policies)
    if (one.reqid == 2) one.template_protocol = 51;
  EXPECT_EQ(world.pair().verdict, PairVerdict::kExposed) << "and so does AH";
  for (auto& one : world.facts().policies)
    if (one.reqid == 2) one.has_template = false;  // a bypass leaves them to the device
  EXPECT_EQ(world.pair().verdict, PairVerdict::kProtected);
  for (auto& one : world.facts().policies)
    if (one.reqid == 2) one.allow = false;
  EXPECT_EQ(world.pair().verdict, PairVerdict::kMisconfigured) << "a block stays one";
}

TEST(TunnelJudge, ABlockOfTheTunnelsPacketsIsNoLeak) {
  TunnelWorld world;
  world.encrypt_outer(4);
  for (auto& one : world.facts().policies) one.allow = false;
  EXPECT_EQ(world.pair().verdict, PairVerdict::kMisconfigured);
  EXPECT_EQ(world.pair().findings.front().problem, PairProblem::BLOCK_POLICY);
}

TEST(TunnelJudge, WithoutAnSaTheTunnelHoldsBack) {
  TunnelWorld world;
  world.encrypt_outer(4);
  world.facts().states.clear();
  EXPECT_EQ(world.pair().verdict, PairVerdict::kFailClosed);
  world.encrypt_outer(4);
  for (auto& one : world.facts().states) one.null_encryption = true;
  EXPECT_EQ(world.pair().verdict, PairVerdict::kExposed);
}

TEST(TunnelJudge, ATunnelToSomebodyElseDoesNotProtectThisPeer) {
  TunnelWorld world;
  world.tunnel()->remote = addr("10.45.0.13");
  world.encrypt_outer(4);
  for (auto& one : world.facts().policies)
    (one.direction == PolicyDirection::kOut ? one.destination : one.source) = net("10.45.0.13/32");
  EXPECT_EQ(world.pair().verdict, PairVerdict::kMisconfigured);
  EXPECT_EQ(world.pair().findings.front().problem, PairProblem::WRONG_ENDPOINT);
}

TEST(TunnelJudge, ASourceThatTheRouteChoosesIsFound) {
  TunnelWorld world;
  world.tunnel()->local = addr("0.0.0.0");
  world.encrypt_outer(4);
  EXPECT_EQ(world.pair().verdict, PairVerdict::kProtected);
}

// cluster.conf against the routes.

Problems said(TunnelWorld& world, OpensvcTunnel tunnel) {
  world.network().tunnel = tunnel;
  return tunnel_problems(world.pair());
}

struct TunnelSetting : ::testing::Test, TunnelWorld {
  TunnelSetting() { encrypt_outer(4); }
  bool contradicts(OpensvcTunnel tunnel) {
    const auto all = said(*this, tunnel);
    return std::count(all.begin(), all.end(), PairProblem::TUNNEL_SETTING) == 1;
  }
};

TEST_F(TunnelSetting, ATunnelThatIsNotWanted) {
  EXPECT_FALSE(contradicts(OpensvcTunnel::kAlways));
  EXPECT_TRUE(contradicts(OpensvcTunnel::kNever));
  EXPECT_EQ(pair().verdict, PairVerdict::kMisconfigured);
  EXPECT_EQ(pair().findings.front().evidence,
            "network backendnet has tunnel = never, and the route to 10.101.2.0/24 goes into the "
            "tunnel tun2 (ipip)");
  EXPECT_TRUE(contradicts(OpensvcTunnel::kAuto)) << "node2 is on a local link";
  facts().addresses.front().prefix_length = 32;
  EXPECT_FALSE(contradicts(OpensvcTunnel::kAuto));
}

TEST_F(TunnelSetting, ATunnelThatIsMissing) {
  facts().routes.back().oif = 2;
  EXPECT_TRUE(contradicts(OpensvcTunnel::kAlways));
  EXPECT_FALSE(contradicts(OpensvcTunnel::kNever));
  EXPECT_FALSE(contradicts(OpensvcTunnel::kAuto));
  facts().addresses.front().prefix_length = 32;
  EXPECT_TRUE(contradicts(OpensvcTunnel::kAuto));
}

TEST_F(TunnelSetting, ATunnelOfAnotherKind) {
  network().tunnel_mode = "gre";
  EXPECT_TRUE(contradicts(OpensvcTunnel::kAlways));
  network().tunnel_mode = "ipip";
  EXPECT_FALSE(contradicts(OpensvcTunnel::kAlways));
}

TEST_F(TunnelSetting, CharonsTableIsNoContradictionAndAnUnreadableFileSaysNothing) {
  facts().routes.push_back({net("10.101.2.0/24"), 2, addr("10.45.0.12"), 220, 0, {}});
  EXPECT_FALSE(contradicts(OpensvcTunnel::kAlways));
  opensvc.state = OpensvcState::kUnreadable;
  EXPECT_FALSE(contradicts(OpensvcTunnel::kNever));
}

}  // namespace
}  // namespace espial
