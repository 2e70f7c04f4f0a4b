// SPDX-License-Identifier: Apache-2.0
// SAs in forms that are easily mistaken: one per processor, two during a rekey, reserved SPIs,
// IPv6 inside of IPv4, packet offload. None of them may look like another state of the mesh.
#include <gtest/gtest.h>

#include <algorithm>

#include "diagnose/audit/mesh_audit.h"
#include "unit/facts_builder.h"

namespace espial {
namespace {

using test::addr;
using test::net;
using test::state;

constexpr std::uint64_t kSaNow = 1'700'000'000;

struct SaWorld {
  SaWorld() {
    node.link(2, "eth0");
    node.address(2, "10.45.0.11/24");
    node.route("10.101.2.0/24", "10.45.0.12", 2);
    node.facts.xfrm_readable = true;
    topology.peers.pop_back();
    test::add_tunnel(node.facts, "10.101.1.0/24", "10.101.2.0/24", "10.45.0.11", "10.45.0.12", 2);
  }
  // One SA each way.
  void sas(std::uint32_t spi, std::uint64_t added, std::optional<std::uint32_t> cpu = {}) {
    for (auto [from, to] : {std::pair{"10.45.0.11", "10.45.0.12"}, {"10.45.0.12", "10.45.0.11"}}) {
      auto sa = state(from, to, spi++, 2);
      sa.added = added;
      sa.cpu = cpu;
      sa.hard.seconds_added = 4000;
      sa.soft.seconds_added = 3600;
      node.facts.states.push_back(sa);
    }
  }
  XfrmStateFact& out(std::size_t pair) { return node.facts.states[2 * pair]; }
  PeerAudit audit() const {
    return audit_mesh({topology, node.facts, kSaNow, {}, {}}).peers.front();
  }
  std::vector<PairProblem> problems() const {
    std::vector<PairProblem> all;
    for (const auto& pair : audit().pairs)
      for (const auto& finding : pair.findings) all.push_back(finding.problem);
    return all;
  }

  test::Node node;
  Topology topology = test::mesh();
};

using Problems = std::vector<PairProblem>;

TEST(SaForms, OnePerProcessorIsOneTunnel) {
  SaWorld world;
  world.sas(0x100, kSaNow - 100);  // the one that any processor may use
  for (std::uint32_t cpu = 0; cpu < 8; ++cpu) world.sas(0x200 + 2 * cpu, kSaNow - 50, cpu);
  const auto audit = world.audit();
  EXPECT_EQ(audit.verdict, PairVerdict::kProtected);
  EXPECT_TRUE(world.problems().empty());
  EXPECT_EQ(audit.sas.installed_out, 9u);
  EXPECT_EQ(audit.sas.installed_in, 9u);
  // The first packet of another processor asks for one more, while the common one carries it.
  auto larval = state("10.45.0.11", "10.45.0.12", 0, 2);
  larval.cpu = 9;
  world.node.facts.states.push_back(larval);
  EXPECT_EQ(world.audit().verdict, PairVerdict::kProtected);
  EXPECT_EQ(world.audit().sas.larval, 1u);
  EXPECT_EQ(world.audit().sas.installed_out, 9u);
}

TEST(SaForms, EachProcessorsSaHasNumbersOfItsOwn) {
  SaWorld world;
  for (std::uint32_t cpu = 0; cpu < 2; ++cpu) world.sas(0x200 + 2 * cpu, kSaNow - 50 + cpu, cpu);
  world.out(0).sequence_sent = 4'200'000'000;
  EXPECT_EQ(world.problems(), Problems{PairProblem::SEQUENCE})
      << "a newer SA of another processor is no successor";
  EXPECT_GT(world.audit().sas.sequence_used, 0.9);
}

TEST(SaForms, TheFormerSaOfARekeyIsNoneThatRunsOut) {
  SaWorld world;
  world.sas(0x100, kSaNow - 3700);
  world.out(0).sequence_sent = 4'200'000'000;
  EXPECT_EQ(world.problems(), (Problems{PairProblem::SEQUENCE}));
  world.sas(0x102, kSaNow - 1);  // made before the old one is broken
  EXPECT_TRUE(world.problems().empty()) << "the kernel sends with the newest";
  EXPECT_LT(world.audit().sas.sequence_used, 0.1);
  EXPECT_EQ(world.audit().sas.installed_out, 2u);
  EXPECT_EQ(world.audit().sas.expires, kSaNow - 1 + 4000);
  world.node.facts.states.erase(world.node.facts.states.begin(),
                                world.node.facts.states.begin() + 2);
  EXPECT_TRUE(world.problems().empty());
}

TEST(SaForms, AnSaThatNoLongerSendsMayLackACipher) {
  SaWorld world;
  world.sas(0x100, kSaNow - 100);
  world.out(0).null_encryption = true;
  EXPECT_EQ(world.audit().verdict, PairVerdict::kExposed);
  world.sas(0x102, kSaNow - 1);
  EXPECT_EQ(world.audit().verdict, PairVerdict::kProtected);
  EXPECT_EQ(world.audit().sas.null_encryption, 1u) << "it is told while it is there";
}

TEST(SaForms, AReservedSpiIsNoTunnel) {
  SaWorld world;
  auto reserved = state("10.45.0.12", "10.45.0.11", 0xc0de, 2);
  reserved.keyless = true;  // a key manager negotiates
  world.node.facts.states.push_back(reserved);
  EXPECT_EQ(world.audit().verdict, PairVerdict::kFailClosed);
  EXPECT_EQ(world.audit().sas.installed_in, 0u);
  EXPECT_EQ(world.audit().sas.larval, 1u);
  EXPECT_EQ(world.problems(), (Problems{PairProblem::NO_SA, PairProblem::NO_SA}));
}

TEST(SaForms, Ipv6InsideOfIpv4) {
  SaWorld world;
  world.topology.self_backends.push_back({net("fd00:101:1::/64"), "backend6", Origin::kFile});
  world.topology.peers.front().backends.push_back(
      {net("fd00:101:2::/64"), "backend6", Origin::kFile});
  world.sas(0x100, kSaNow - 100);
  world.node.facts.routes.push_back({net("fd00:101:2::/64"), 2, {}, 254, 0, {}});
  ASSERT_EQ(world.audit().pairs.size(), 2u);
  EXPECT_EQ(world.audit().pairs[1].verdict, PairVerdict::kExposed) << "IPv4's policies are no help";
  test::add_tunnel(world.node.facts, "fd00:101:1::/64", "fd00:101:2::/64", "10.45.0.11",
                   "10.45.0.12", 3);
  EXPECT_EQ(world.audit().pairs[1].verdict, PairVerdict::kFailClosed) << "nor are its SAs";
  for (auto [from, to] : {std::pair{"10.45.0.11", "10.45.0.12"}, {"10.45.0.12", "10.45.0.11"}})
    world.node.facts.states.push_back(state(from, to, 0x300, 3));
  EXPECT_EQ(world.audit().verdict, PairVerdict::kProtected);
  EXPECT_TRUE(world.problems().empty());
  EXPECT_EQ(world.audit().sas.installed_out, 2u);
}

TEST(SaForms, PacketOffloadIsSaidAndCryptoOffloadIsNot) {
  SaWorld world;
  world.sas(0x100, kSaNow - 100);
  world.out(0).offload_crypto = true;
  EXPECT_TRUE(world.problems().empty()) << "the programs still see ESP";
  world.out(0).offload_packet = true;
  const auto audit = world.audit();
  EXPECT_EQ(audit.verdict, PairVerdict::kProtected);
  EXPECT_EQ(audit.sas.offloaded, 1u);
  ASSERT_EQ(audit.pairs[0].findings.size(), 1u);
  EXPECT_TRUE(audit.pairs[0].offloaded);
  EXPECT_EQ(audit.pairs[0].findings[0].problem, PairProblem::PACKET_OFFLOAD);
  EXPECT_NE(audit.pairs[0].findings[0].evidence.find("espial cannot prove"), std::string::npos);
  world.topology.peers.front().mode = Mode::ENFORCE;
  const auto enforced = world.audit().pairs[0].findings[0];
  EXPECT_NE(enforced.evidence.find("enforce drops them there"), std::string::npos);
  EXPECT_NE(enforced.remedy.find("hw_offload = no"), std::string::npos);
}

}  // namespace
}  // namespace espial
