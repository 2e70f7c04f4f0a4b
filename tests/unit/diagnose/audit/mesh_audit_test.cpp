// SPDX-License-Identifier: Apache-2.0
#include "diagnose/audit/mesh_audit.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <ctime>
#include <tuple>
#include <utility>

#include "diagnose/lookup/policy_index.h"
#include "unit/facts_builder.h"

namespace espial {
namespace {

using test::add_tunnel;
using test::addr;
using test::mesh;
using test::net;
using test::state;

constexpr std::uint64_t kNow = 1'700'000'000;

// The example mesh on node1, healthy: policies, SAs and routes of both peers.
struct World {
  World() {
    node.link(2, "br-prd", "bridge");
    node.link(3, "obr_backendnet", "bridge");
    node.address(2, "10.45.0.11/24");
    node.address(3, "10.101.1.1/24");
    facts().xfrm_readable = true;
    for (const std::string n : {"2", "3"}) {
      const auto id = static_cast<std::uint32_t>(std::stoi(n));
      node.route("10.101." + n + ".0/24", "10.45.0.1" + n, 2);
      add_tunnel(facts(), "10.101.1.0/24", "10.101." + n + ".0/24", "10.45.0.11", "10.45.0.1" + n,
                 id);
      facts().states.push_back(state("10.45.0.11", "10.45.0.1" + n, 0x100 + id, id));
      facts().states.push_back(state("10.45.0.1" + n, "10.45.0.11", 0x200 + id, id));
    }
    for (auto& policy : facts().policies) policy.priority = 375'423;
  }

  KernelFacts& facts() { return node.facts; }
  MeshAudit audit() const { return audit_mesh({topology, node.facts, kNow, nat, explain}); }
  PairAudit pair(const std::string& peer = "node2") const {
    const auto whole = audit();
    const auto* found = whole.find(peer);
    return found == nullptr || found->pairs.empty() ? PairAudit{} : found->pairs.front();
  }
  void drop_policies(PolicyDirection direction, const std::string& theirs) {
    std::erase_if(facts().policies, [&](const auto& p) {
      return p.direction == direction && (p.source == net(theirs) || p.destination == net(theirs));
    });
  }
  XfrmPolicyFact& out() { return facts().policies.front(); }  // to node2

  test::Node node;
  Topology topology = mesh();
  decltype(AuditInput::nat_before_ipsec) nat;
  std::function<std::string(const Peer&, const Prefix&, const Prefix&)> explain;
};

std::vector<PairProblem> problems(const PairAudit& pair) {
  std::vector<PairProblem> all;
  for (const auto& finding : pair.findings) all.push_back(finding.problem);
  return all;
}

using Problems = std::vector<PairProblem>;

TEST(MeshAudit, AHealthyMeshIsProtectedAndSilent) {
  const auto audit = World().audit();
  ASSERT_EQ(audit.peers.size(), 2u);
  EXPECT_TRUE(audit.findings.empty());
  for (const auto& peer : audit.peers) {
    EXPECT_EQ(peer.verdict, PairVerdict::kProtected) << peer.peer;
    ASSERT_EQ(peer.pairs.size(), 1u);
    EXPECT_TRUE(peer.pairs.front().findings.empty())
        << peer.pairs.front().findings.front().evidence;
    EXPECT_EQ(peer.pairs.front().network, "backendnet");
    EXPECT_EQ(peer.sas.installed_in, 1u);
    EXPECT_EQ(peer.sas.installed_out, 1u);
  }
}

TEST(MeshAudit, WithoutPoliciesThePairIsExposedBothWays) {
  World world;
  std::erase_if(world.facts().policies, [](const auto& p) { return p.reqid == 2; });
  const auto pair = world.pair();
  EXPECT_EQ(pair.verdict, PairVerdict::kExposed);
  EXPECT_TRUE(pair.policy_missing[0] && pair.policy_missing[1]);
  ASSERT_FALSE(pair.findings.empty());
  EXPECT_EQ(pair.findings.front().problem, PairProblem::NO_POLICY);
  EXPECT_NE(pair.findings.front().remedy.find("remote_ts = 10.101.2.0/24"), std::string::npos);
  EXPECT_EQ(world.pair("node3").verdict, PairVerdict::kProtected);
}

TEST(MeshAudit, OneDirectionIsToldFromTheOther) {
  World world;
  world.drop_policies(PolicyDirection::kOut, "10.101.2.0/24");
  auto pair = world.pair();
  EXPECT_EQ(pair.verdict, PairVerdict::kExposed);
  EXPECT_TRUE(pair.policy_missing[static_cast<int>(Direction::TRANSMIT)]);
  EXPECT_FALSE(pair.policy_missing[static_cast<int>(Direction::RECEIVE)]);
  World other;
  other.drop_policies(PolicyDirection::kForward, "10.101.2.0/24");
  pair = other.pair();
  EXPECT_EQ(pair.verdict, PairVerdict::kMisconfigured);
  EXPECT_EQ(problems(pair), Problems{PairProblem::RECEIVE_POLICY_MISSING});
}

TEST(MeshAudit, ABlockingDefaultClosesWhatHasNoPolicy) {
  World world;
  std::erase_if(world.facts().policies, [](const auto& p) { return p.reqid == 2; });
  world.facts().xfrm_defaults = {true, true, true, true};
  EXPECT_EQ(world.pair().verdict, PairVerdict::kMisconfigured);
  EXPECT_FALSE(world.pair().policy_missing[1]);
}

TEST(MeshAudit, ABypassOfHigherPriorityShadows) {
  World world;
  auto bypass = world.out();
  bypass.has_template = false;
  bypass.source = net("10.0.0.0/8");
  bypass.destination = net("10.0.0.0/8");
  bypass.priority = 1000;
  world.facts().policies.push_back(bypass);
  EXPECT_EQ(world.pair().verdict, PairVerdict::kExposed);
  EXPECT_EQ(problems(world.pair()), Problems{PairProblem::BYPASS_POLICY});
  world.facts().policies.back().priority = 400'000;  // asked only when nothing else fits
  EXPECT_EQ(world.pair().verdict, PairVerdict::kProtected);
}

TEST(MeshAudit, OfEqualPriorityTheOlderPolicyCounts) {
  World world;
  auto bypass = world.out();
  bypass.has_template = false;
  bypass.index = 80;
  bypass.added = 50;
  world.out().index = 8;
  world.out().added = 100;
  world.facts().policies.push_back(bypass);
  EXPECT_EQ(world.pair().verdict, PairVerdict::kExposed);
  world.facts().policies.back().added = 200;
  EXPECT_EQ(world.pair().verdict, PairVerdict::kProtected);
}

TEST(MeshAudit, ABypassOfOnePortExposesThatPort) {
  World world;
  auto bypass = world.out();
  bypass.has_template = false;
  bypass.protocol = 6;
  bypass.destination_port = {22, 0xffff};
  bypass.priority = 1000;
  world.facts().policies.push_back(bypass);
  const auto pair = world.pair();
  EXPECT_EQ(pair.verdict, PairVerdict::kExposed);
  ASSERT_FALSE(pair.findings.empty());
  EXPECT_NE(pair.findings.front().evidence.find("tcp port 22"), std::string::npos)
      << pair.findings.front().evidence;
  EXPECT_NE(pair.findings.front().remedy.find("proto 6 dport 22"), std::string::npos)
      << pair.findings.front().remedy;
}

TEST(MeshAudit, HalvesTogetherCoverThePairAndOneDoesNot) {
  World world;
  auto upper = world.out();
  world.out().destination = net("10.101.2.0/25");
  upper.destination = net("10.101.2.128/25");
  world.facts().policies.push_back(upper);
  EXPECT_EQ(world.pair().verdict, PairVerdict::kProtected);
  world.facts().policies.pop_back();
  const auto pair = world.pair();
  EXPECT_EQ(pair.verdict, PairVerdict::kExposed);
  ASSERT_FALSE(pair.findings.empty());
  EXPECT_EQ(pair.findings.front().evidence.find("10.101.1.0/24 > 10.101.2.128/25: no policy"), 0u)
      << pair.findings.front().evidence;
}

TEST(MeshAudit, ANarrowSelectorLeavesTheRestInClear) {
  World world;
  world.out().source = net("10.101.1.10/32");
  const auto pair = world.pair();
  EXPECT_EQ(pair.verdict, PairVerdict::kExposed);
  EXPECT_EQ(pair.findings.size(), 8u) << "one part for each bit between /24 and /32";
}

TEST(MeshAudit, LevelUseAhAndNullAreNotProtection) {
  World use;
  use.out().level_use = true;
  EXPECT_EQ(use.pair().findings.front().problem, PairProblem::LEVEL_USE);
  EXPECT_EQ(use.pair().verdict, PairVerdict::kExposed);
  World ah;
  ah.out().template_protocol = 51;
  EXPECT_EQ(ah.pair().findings.front().problem, PairProblem::NOT_ESP);
  World null;
  null.facts().states.front().null_encryption = true;
  null.facts().states.front().algorithm = "ecb(cipher_null)";
  EXPECT_EQ(null.pair().findings.front().problem, PairProblem::NULL_ENCRYPTION);
  EXPECT_EQ(null.audit().peers.front().sas.null_encryption, 1u);
}

TEST(MeshAudit, ATunnelToSomebodyElseIsNamed) {
  World world;
  world.out().template_destination = addr("10.45.0.13");
  const auto pair = world.pair();
  EXPECT_EQ(pair.verdict, PairVerdict::kMisconfigured);
  ASSERT_FALSE(pair.findings.empty());
  EXPECT_EQ(pair.findings.front().problem, PairProblem::WRONG_ENDPOINT);

  World ours;  // a template may leave this end open (charon's %any), but not name another node's
  ours.out().template_source = addr("0.0.0.0");
  EXPECT_EQ(ours.pair().verdict, PairVerdict::kProtected);
  ours.out().template_source = addr("10.45.0.99");
  EXPECT_EQ(problems(ours.pair()), Problems{PairProblem::WRONG_ENDPOINT});
}

TEST(MeshAudit, TransportModeBlockAndMarks) {
  World transport;
  transport.out().tunnel_mode = false;
  EXPECT_EQ(transport.pair().findings.front().problem, PairProblem::TRANSPORT_MODE);
  World block;
  block.out().allow = false;
  EXPECT_EQ(problems(block.pair()), Problems{PairProblem::BLOCK_POLICY});
  World marked;
  marked.out().mark = {7, 0xff};
  const auto pair = marked.pair();
  EXPECT_EQ(pair.verdict, PairVerdict::kExposed);
  EXPECT_EQ(problems(pair), (Problems{PairProblem::NO_POLICY, PairProblem::MARKED_ONLY}));
}

TEST(MeshAudit, APolicyWithoutAnSaIsClosed) {
  World world;
  world.facts().states.clear();
  auto pair = world.pair();
  EXPECT_EQ(pair.verdict, PairVerdict::kFailClosed);
  EXPECT_EQ(problems(pair), (Problems{PairProblem::NO_SA, PairProblem::NO_SA}));
  world.facts().states.push_back(state("10.45.0.11", "10.45.0.12", 0, 2));
  pair = world.pair();
  ASSERT_FALSE(pair.findings.empty());
  EXPECT_NE(pair.findings.front().evidence.find("waits"), std::string::npos);
  EXPECT_EQ(world.audit().peers.front().sas.larval, 1u);
}

TEST(MeshAudit, AnSaOfAnotherReqidDoesNotServe) {
  World world;
  world.facts().states.front().reqid = 99;
  EXPECT_EQ(world.pair().verdict, PairVerdict::kFailClosed);
}

TEST(MeshAudit, OfTwoSasOnlyTheLastEndCounts) {
  World world;
  auto& old = world.facts().states.front();
  old.added = kNow - 3600;
  old.soft.seconds_added = 3000;
  old.hard.seconds_added = 3610;
  EXPECT_EQ(problems(world.pair()), Problems{PairProblem::SA_EXPIRING});
  EXPECT_EQ(world.pair().verdict, PairVerdict::kProtected) << "it still is";
  auto fresh = old;
  fresh.spi = 0x999;
  fresh.added = kNow - 5;
  world.facts().states.push_back(fresh);
  EXPECT_TRUE(world.pair().findings.empty());
  EXPECT_EQ(world.audit().peers.front().sas.expires, kNow - 5 + 3610);
}

// A minute before its end, its own rekey overdue, and nothing that follows: then it is said.
TEST(MeshAudit, AnSaThatEndsIsExpiringOnlyWhenItsRekeyIsOverdue) {
  World world;
  auto& sa = world.facts().states.front();
  const auto set = [&](std::uint64_t left, std::uint64_t soft_ago) {
    sa.added = kNow - 3600;
    sa.hard.seconds_added = 3600 + left;
    sa.soft.seconds_added = soft_ago == 0 ? 0 : 3600 - soft_ago;
    return problems(world.pair()) == Problems{PairProblem::SA_EXPIRING};
  };
  EXPECT_TRUE(set(60, 1));
  EXPECT_FALSE(set(61, 1)) << "time enough";
  EXPECT_FALSE(set(10, 0)) << "an SA without rekey: its owner makes the next one";
  sa.soft.seconds_added = 3601;
  EXPECT_TRUE(world.pair().findings.empty()) << "its rekey is due in a second";
  sa.hard = {};
  sa.soft = {};
  sa.used = kNow - 100;
  sa.hard.seconds_used = 130;
  EXPECT_EQ(world.audit().peers.front().sas.expires, kNow + 30) << "since its first packet";
  sa.used = 0;
  EXPECT_FALSE(world.audit().peers.front().sas.expires) << "no packet yet: it never ends";
}

TEST(MeshAudit, OneSaWithoutAnEndMeansNoneForThePeer) {
  World world;
  auto& sa = world.facts().states.front();
  sa.added = kNow;
  sa.hard.seconds_added = 3600;
  EXPECT_EQ(world.audit().peers.front().sas.expires, kNow + 3600);
  auto endless = sa;
  endless.hard = {};
  world.facts().states.push_back(endless);
  EXPECT_FALSE(world.audit().peers.front().sas.expires);
}

TEST(MeshAudit, WhatADeviceEncryptsIsSaid) {
  World world;
  EXPECT_FALSE(world.pair().offloaded);
  auto& sa = world.facts().states.front();
  sa.offload_crypto = true;
  EXPECT_FALSE(world.pair().offloaded) << "the wire carries ESP that the stack made";
  sa.offload_packet = true;
  EXPECT_TRUE(world.pair().offloaded);
  EXPECT_EQ(world.audit().peers.front().sas.offloaded, 1u);
  EXPECT_FALSE(world.pair("node3").offloaded);
}

TEST(MeshAudit, EvidenceNamesProtocolPortAndLevel) {
  const auto evidence = [](auto change) {
    World world;
    auto bypass = world.out();
    bypass.priority = 1000;
    change(bypass);
    world.facts().policies.push_back(bypass);
    const auto pair = world.pair();
    return pair.findings.empty() ? std::string() : pair.findings.front().evidence;
  };
  const auto slice = [&](std::uint8_t protocol) {
    return evidence([&](auto& policy) {
      policy.has_template = false;
      policy.protocol = protocol;
    });
  };
  const std::pair<std::uint8_t, const char*> names[] = {
      {1, " icmp,"}, {6, " tcp,"},      {17, " udp,"},        {58, " icmpv6,"},
      {51, " AH,"},  {108, " IPComp,"}, {47, " protocol 47,"}};
  for (const auto& [protocol, name] : names)
    EXPECT_EQ(slice(protocol), "bypass policy 10.101.1.0/24 > 10.101.2.0/24" + std::string(name) +
                                   " priority 1000 passes packets in clear");
  const auto port = evidence([](auto& policy) {
    policy.has_template = false;
    policy.source_port = {53, 0xffff};
  });
  EXPECT_NE(port.find("10.101.2.0/24 port 53, priority"), std::string::npos) << port;
  const auto use = evidence([](auto& policy) { policy.level_use = true; });
  EXPECT_NE(use.find("has level use"), std::string::npos) << use;
  const auto ah = evidence([](auto& policy) { policy.template_protocol = 51; });
  EXPECT_NE(ah.find("asks for AH, which does not encrypt"), std::string::npos) << ah;
}

// A policy bound to a device serves what leaves by that device, and nothing else.
TEST(MeshAudit, APolicyOfADeviceIsOfThatDevice) {
  World world;
  world.out().selector_device = 2;  // the route's
  EXPECT_EQ(world.pair().verdict, PairVerdict::kProtected);
  world.out().selector_device = 3;
  EXPECT_EQ(world.pair().verdict, PairVerdict::kExposed);
}

TEST(MeshAudit, MorePiecesThanAnybodyCanReadAreSaid) {
  World world;
  const auto whole = world.out();
  world.facts().policies.erase(world.facts().policies.begin());
  for (int host = 0; host < 255; host += 2)
    for (int own = 0; own < 8; ++own) {
      auto one = whole;
      one.source = net("10.101.1." + std::to_string(own * 32) + "/27");
      one.destination = net("10.101.2." + std::to_string(host) + "/32");
      world.facts().policies.push_back(one);
    }
  const auto said = problems(world.pair());
  EXPECT_EQ(std::count(said.begin(), said.end(), PairProblem::TOO_MANY_POLICIES), 1);
}

TEST(MeshAudit, SequenceNumbersRunOutUnlessTheyAreExtended) {
  World world;
  auto& sa = world.facts().states.front();
  sa.sequence_sent = 4'200'000'000;
  EXPECT_EQ(problems(world.pair()), Problems{PairProblem::SEQUENCE});
  EXPECT_GT(world.audit().peers.front().sas.sequence_used, 0.97);
  sa.extended_sequence = true;
  EXPECT_TRUE(world.pair().findings.empty());
}

TEST(MeshAudit, RoutesInterfacesAndUserSpace) {
  World none;
  std::erase_if(none.facts().routes,
                [](const auto& r) { return r.destination == net("10.101.2.0/24"); });
  EXPECT_EQ(problems(none.pair()), Problems{PairProblem::NO_ROUTE});
  none.node.route("0.0.0.0/0", "10.45.0.1", 2);
  EXPECT_TRUE(none.pair().findings.empty()) << "any route will do: the policy decides";

  World rejected;
  for (auto& route : rejected.facts().routes)
    if (route.destination == net("10.101.2.0/24")) route.kind = RouteKind::kBlackhole;
  auto pair = rejected.pair();
  ASSERT_EQ(problems(pair), Problems{PairProblem::ROUTE_REJECTS});
  EXPECT_EQ(pair.verdict, PairVerdict::kMisconfigured);
  EXPECT_EQ(
      pair.findings[0].remedy,
      "ip route del blackhole 10.101.2.0/24 via 10.45.0.12");  // the kernel gives it no gateway
  RuleFact rule;
  rule.source = net("10.101.1.0/24");
  rule.destination = net("0.0.0.0/0");
  rule.priority = 50;
  rule.action = RuleAction::kProhibit;
  rejected.facts().rules = {rule};
  pair = rejected.pair();
  ASSERT_EQ(problems(pair), Problems{PairProblem::ROUTE_REJECTS});
  EXPECT_EQ(pair.findings[0].evidence,
            "the packets are rejected by rule 50: from 10.101.1.0/24 prohibit");
  EXPECT_EQ(pair.findings[0].remedy, "ip rule del priority 50");
  rejected.facts().rules[0].conditions = {"uidrange 0"};
  EXPECT_EQ(problems(rejected.pair()), Problems{PairProblem::ROUTE_UNKNOWN});

  World interface;  // policies of an XFRM interface serve what is routed into one
  for (auto& policy : interface.facts().policies) policy.if_id = 7;
  for (auto& sa : interface.facts().states) sa.if_id = 7;
  EXPECT_EQ(interface.pair().verdict, PairVerdict::kExposed);
  interface.node.link(9, "ipsec0", "xfrm");
  for (auto& route : interface.facts().routes)
    if (route.destination == net("10.101.2.0/24")) route.oif = 9;
  EXPECT_EQ(interface.pair().verdict, PairVerdict::kProtected);

  World user;
  user.facts().policies.clear();
  user.facts().states.clear();
  user.node.link(9, "ipsec0", "tun");
  user.facts().routes.push_back({net("10.101.2.0/24"), 9, {}, 220, 0, {}});
  EXPECT_EQ(user.pair().verdict, PairVerdict::kUserSpace);
  EXPECT_EQ(user.pair("node3").verdict, PairVerdict::kExposed);
}

TEST(MeshAudit, HostTrafficLeaksUnlessItsSourceIsInside) {
  World world;
  EXPECT_EQ(world.audit().peers.front().host_exposed,
            std::vector<std::string>{"10.45.0.11 > 10.101.2.0/24"});
  world.facts().routes.push_back(
      {net("10.101.2.0/24"), 2, addr("10.45.0.12"), 220, 0, addr("10.101.1.1")});
  EXPECT_TRUE(world.audit().peers.front().host_exposed.empty());
}

TEST(MeshAudit, RedirectsOnASharedBridgeAreAFindingOfTheNode) {
  World world;
  world.facts().redirecting = {2, 3};
  EXPECT_TRUE(world.audit().findings.empty()) << "pods and underlay on bridges of their own";
  world.node.address(2, "10.101.1.2/24");
  ASSERT_EQ(world.audit().findings.size(), 1u);
  EXPECT_EQ(world.audit().findings.front().problem, PairProblem::REDIRECTS);
}

TEST(MeshAudit, WhatOthersTellIsTakenIn) {
  World world;
  bool certain = true;
  world.nat = [&](const RouteIndex&, const Prefix&, const Prefix& theirs) {
    return theirs == net("10.101.2.0/24")
               ? std::optional(NatJudgement{certain, "ip nat POSTROUTING masquerade", "the remedy"})
               : std::nullopt;
  };
  EXPECT_EQ(world.pair().verdict, PairVerdict::kExposed);
  EXPECT_EQ(problems(world.pair()), Problems{PairProblem::NAT_BEFORE_IPSEC});
  EXPECT_EQ(world.pair().findings.front().remedy, "the remedy");
  certain = false;
  EXPECT_EQ(world.pair().verdict, PairVerdict::kUnknown);
  EXPECT_EQ(problems(world.pair()), Problems{PairProblem::NAT_UNKNOWN});
  EXPECT_EQ(world.pair("node3").verdict, PairVerdict::kProtected);
  world.facts().policies.clear();
  world.explain = [](const Peer& peer, const Prefix&, const Prefix&) {
    return "no connection " + peer.name;
  };
  EXPECT_NE(world.pair("node3").findings.front().evidence.find("no connection node3"),
            std::string::npos);
}

TEST(MeshAudit, UnreadableXfrmIsUnknownAndCandidatesAreLeftOut) {
  World world;
  world.facts().xfrm_readable = false;
  world.facts().xfrm_reason = "needs CAP_NET_ADMIN";
  world.topology.peers[1].state = PeerState::kCandidate;
  const auto audit = world.audit();
  EXPECT_FALSE(audit.readable);
  ASSERT_EQ(audit.peers.size(), 1u);
  EXPECT_EQ(audit.peers.front().verdict, PairVerdict::kUnknown);
}

// The kernel's choice, done the slow way: for sample addresses, the first policy that matches.
TEST(PolicyIndex, AgreesWithALookAtEachAddress) {
  std::uint32_t seed = 7;
  const auto random = [&](std::uint32_t below) {
    seed = seed * 1'664'525 + 1'013'904'223;
    return (seed >> 8) % below;
  };
  const auto prefix = [&] {
    const unsigned length = 22 + random(11);
    const std::uint8_t bytes[4] = {10, static_cast<std::uint8_t>(100 + random(2)),
                                   static_cast<std::uint8_t>(random(2)),
                                   static_cast<std::uint8_t>(random(256))};
    return Prefix(IpAddress(Family::kIpv4, bytes), length);
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<XfrmPolicyFact> policies(random(12));
    for (auto& policy : policies) {
      policy.source = prefix();
      policy.destination = prefix();
      policy.priority = random(4);
      policy.index = random(1000) * 8;
    }
    const Prefix own = prefix();
    const Prefix theirs = prefix();
    const auto decision = PolicyIndex(policies, PolicyDirection::kOut).decide(own, theirs, {});
    ASSERT_FALSE(decision.too_many);
    for (int sample = 0; sample < 40; ++sample) {
      const auto inside = [&](const Prefix& p) {
        auto bytes = p.address().bytes();
        std::uint32_t host = p.length() == 32 ? 0 : random(1u << (32 - p.length()));
        for (int i = 3; host != 0; --i, host >>= 8) bytes[i] |= static_cast<std::uint8_t>(host);
        return IpAddress(Family::kIpv4, bytes.data());
      };
      const auto source = inside(own);
      const auto target = inside(theirs);
      const XfrmPolicyFact* best = nullptr;
      for (const auto& policy : policies)
        if (policy.source.contains(source) && policy.destination.contains(target) &&
            (best == nullptr ||
             std::tie(policy.priority, policy.index) < std::tie(best->priority, best->index)))
          best = &policy;
      int holders = 0;
      for (const auto& piece : decision.pieces)
        if (piece.own.contains(source) && piece.theirs.contains(target)) {
          ++holders;
          const auto rank = [](const XfrmPolicyFact* p) {
            return p == nullptr ? std::pair(~0u, ~0u) : std::pair(p->priority, p->index);
          };
          EXPECT_EQ(rank(piece.policy), rank(best)) << round;
        }
      EXPECT_EQ(holders, 1) << "pieces are disjoint and cover the pair";
    }
  }
}

// 1,000 peers of both families: the audit's part of what a change may cost.
TEST(MeshAudit, AThousandPeersTakeMilliseconds) {
  World world;
  world.topology.peers.clear();
  world.topology.self_backends.push_back({net("fd00:101:1::/64"), "backendnet", Origin::kFile});
  world.facts().policies.clear();
  world.facts().states.clear();
  for (int i = 0; i < 1000; ++i) {
    const auto text = std::to_string(i / 250) + "." + std::to_string(i % 250);
    const auto v4 = "10.20" + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".0/24";
    char v6[32];
    std::snprintf(v6, sizeof v6, "fd00:200:%x::/64", i + 1);
    Peer peer;
    peer.name = "peer" + std::to_string(10'000 + i);
    peer.state = PeerState::kConfigured;
    peer.underlays = {{addr("10.46." + text), Origin::kFile}};
    peer.backends = {{net(v4), "backendnet", Origin::kFile},
                     {net(v6), "backendnet", Origin::kFile}};
    world.topology.peers.push_back(peer);
    const auto id = static_cast<std::uint32_t>(i + 1);
    add_tunnel(world.facts(), "10.101.1.0/24", v4, "10.45.0.11", "10.46." + text, id);
    add_tunnel(world.facts(), "fd00:101:1::/64", v6, "10.45.0.11", "10.46." + text, id);
    world.facts().states.push_back(state("10.45.0.11", "10.46." + text, 0x1000 + id, id));
    world.facts().states.push_back(state("10.46." + text, "10.45.0.11", 0x8000 + id, id));
    world.node.route(v4, "10.46." + text, 2);
  }
  world.node.route("::/0", "fd00:45::1", 2);
  timespec before{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
  const auto audit = world.audit();
  timespec after{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
  const double ms = static_cast<double>(after.tv_sec - before.tv_sec) * 1e3 +
                    static_cast<double>(after.tv_nsec - before.tv_nsec) / 1e6;
  ASSERT_EQ(audit.peers.size(), 1000u);
  for (const auto& peer : audit.peers) {
    ASSERT_EQ(peer.pairs.size(), 2u);
    ASSERT_EQ(peer.verdict, PairVerdict::kProtected)
        << peer.peer << ": " << peer.pairs.front().findings.front().evidence;
  }
  RecordProperty("milliseconds", std::to_string(ms));
  std::printf("audit of 1,000 peers, 2,000 pairs, 6,000 policies: %.1f ms CPU\n", ms);
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__)
  EXPECT_LT(ms, 100);
#endif
}

}  // namespace
}  // namespace espial
