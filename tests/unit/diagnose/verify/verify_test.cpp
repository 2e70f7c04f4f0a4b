// SPDX-License-Identifier: Apache-2.0
// Which probes are sent, and what is made of what crossed the wire.
#include "diagnose/verify/verify.h"

#include <gtest/gtest.h>

#include "diagnose/audit/mesh_audit.h"
#include "firewall/cases.h"
#include "unit/facts_builder.h"

namespace espial {
namespace {

using test::addr;
using test::mesh;
using test::net;

struct World {
  World() {
    node.link(2, "eth0");
    node.link(3, "br-prd", "bridge");
    node.address(2, "10.45.0.11/24");
    node.address(3, "10.101.1.1/24");
    for (auto& peer : topology.peers)
      node.route("10.101." + peer.name.substr(4) + ".0/24", "10.45.0.1" + peer.name.substr(4), 2);
  }
  std::vector<std::vector<PlannedProbe>> plan(const ProbeScope& scope = {}) {
    unknown.clear();
    return plan_probes(topology, node.facts, pods, scope, unknown);
  }

  test::Node node;
  Topology topology = mesh();  // node2, node3; IPv4
  std::vector<PodView> pods;
  std::vector<std::string> unknown;
};

std::string text(const std::vector<PlannedProbe>& stage) {
  std::string out;
  for (const auto& probe : stage)
    out += probe.peer + " " + std::string(to_string(probe.path)) + " " + probe.source.text() + ">" +
           probe.target.text() + (probe.pod ? " pod" + std::to_string(*probe.pod) : "") + "\n";
  return out;
}

TEST(VerifyPlan, WithoutPodsItIsBridgeToBridge) {
  World world;
  const auto stages = world.plan();
  ASSERT_EQ(stages.size(), 1u);
  EXPECT_EQ(text(stages[0]),
            "node2 host 10.101.1.1>10.101.2.1\nnode3 host 10.101.1.1>10.101.3.1\n");
  EXPECT_TRUE(world.unknown.empty());
}

TEST(VerifyPlan, APodAndThePodsThatItTalksToMakeEveryPath) {
  World world;
  world.pods = {
      {{addr("10.101.1.7")}, {addr("10.101.2.9"), addr("10.101.2.8"), addr("192.0.2.1")}}};
  const auto stages = world.plan();
  ASSERT_EQ(stages.size(), 4u) << "a peer's counts are of one path at a time";
  EXPECT_EQ(text(stages[1]),
            "node2 forward_here 10.101.1.7>10.101.2.1 pod0\n"
            "node3 forward_here 10.101.1.7>10.101.3.1 pod0\n");
  EXPECT_EQ(text(stages[2]), "node2 forward_there 10.101.1.1>10.101.2.9\n");
  EXPECT_EQ(text(stages[3]), "node2 pods 10.101.1.7>10.101.2.9 pod0\n");
}

TEST(VerifyPlan, PodsThatAreNamedAreAllProbedOneAfterTheOther) {
  World world;
  world.pods = {{{addr("10.101.1.7")}, {addr("10.101.2.9")}}};
  const auto stages = world.plan({{"node2"}, {addr("10.101.2.20"), addr("10.101.2.21")}});
  std::size_t pods = 0;
  for (const auto& stage : stages) {
    EXPECT_EQ(stage.size(), 1u) << text(stage);
    if (stage[0].path == ProbePath::PODS) {
      ++pods;
      EXPECT_NE(stage[0].target, addr("10.101.2.9")) << "others were asked for";
    }
  }
  EXPECT_EQ(pods, 2u);
}

TEST(VerifyPlan, WhatCannotBeProbedIsSaid) {
  World world;
  world.topology.peers[0].backends[0].network = "other";
  world.topology.peers[1].backends.clear();
  EXPECT_TRUE(world.plan().empty());
  ASSERT_EQ(world.unknown.size(), 2u);
  EXPECT_NE(world.unknown[0].find("no subnet of the same network"), std::string::npos);
  EXPECT_NE(world.unknown[1].find("no backend subnet is known"), std::string::npos);

  World bare;
  bare.node.facts.addresses.clear();
  EXPECT_TRUE(bare.plan().empty());
  ASSERT_EQ(bare.unknown.size(), 2u);
  EXPECT_NE(bare.unknown[0].find("no device has an address of 10.101.1.0/24"), std::string::npos);
}

TEST(VerifyPlan, CandidatesAreProbedOnlyByName) {
  World world;
  world.topology.peers[0].state = PeerState::kCandidate;
  ASSERT_EQ(world.plan().size(), 1u);
  EXPECT_EQ(text(world.plan()[0]), "node3 host 10.101.1.1>10.101.3.1\n");
  EXPECT_EQ(text(world.plan({{"node2"}, {}})[0]), "node2 host 10.101.1.1>10.101.2.1\n");
}

TEST(VerifySeen, IsTheDifferenceByWhatItIs) {
  PeerCounters before;
  before.cells[at(Direction::TRANSMIT)][0][at(Class::ESP)].packets = 100;
  auto after = before;
  auto& out = after.cells[at(Direction::TRANSMIT)];
  out[0][at(Class::ESP)].packets += 3;
  out[1][at(Class::ESP_UDP)].packets += 4;  // whatever its outer family
  out[1][at(Class::CLEARTEXT)].packets += 5;
  out[0][at(Class::CLEARTEXT)].packets += 7;  // of the other family
  out[0][at(Class::AH)].packets += 2;         // no one sees the inner family
  out[0][at(Class::IKE)].packets += 50;
  after.enforced[at(Action::kDrop)][at(Direction::TRANSMIT)][0].packets = 6;
  after.enforced[at(Action::kWouldDrop)][at(Direction::TRANSMIT)][0].packets = 60;
  EXPECT_EQ(seen_between(before, after, Direction::TRANSMIT, Family::kIpv6),
            (WireSeen{7, 0, 7, 6}));
  EXPECT_EQ(seen_between(before, after, Direction::RECEIVE, Family::kIpv6), WireSeen{});
  out[0][at(Class::ESP_TCP)].packets += 1;
  EXPECT_EQ(seen_between(before, after, Direction::TRANSMIT, Family::kIpv6).segments, 1u);
}

// With ESP GRO the programs see no ESP come in, only what was decrypted.
TEST(VerifySeen, WhatCameBackDecryptedWasEncryptedOnTheWire) {
  PeerCounters before;
  before.decrypted[at(Family::kIpv4)].packets = 10;
  PeerCounters after = before;
  after.decrypted[at(Family::kIpv4)].packets = 13;
  EXPECT_EQ(seen_between(before, after, Direction::RECEIVE, Family::kIpv4).encrypted, 3u);
  EXPECT_EQ(seen_between(before, after, Direction::TRANSMIT, Family::kIpv4).encrypted, 0u);
  after.cells[at(Direction::RECEIVE)][at(Family::kIpv4)][at(Class::ESP)].packets = 4;
  EXPECT_EQ(seen_between(before, after, Direction::RECEIVE, Family::kIpv4).encrypted, 4u);
}

// What was counted, and what becomes of it.
struct Judged {
  explicit Judged(WireSeen transmit, WireSeen receive, unsigned answered,
                  ProbePath path = ProbePath::HOST) {
    probe.peer = "node2";
    probe.path = path;
    probe.source = addr("10.101.1.1");
    probe.target = addr("10.101.2.1");
    probe.sent = 3;
    probe.answered = answered;
    probe.seen[at(Direction::TRANSMIT)] = transmit;
    probe.seen[at(Direction::RECEIVE)] = receive;
  }
  ProbeOutcome outcome() {
    judge_probe(probe, audit, doctor);
    return probe.outcome;
  }
  void find(Cause cause, Effect effect, std::vector<std::string> peers = {}) {
    const std::string word(to_string(cause));
    doctor.findings.push_back(
        {cause, effect, "because of " + word, {}, {"fix " + word}, std::move(peers)});
  }
  void without_sa() {
    PairAudit pair{
        net("10.101.1.0/24"), net("10.101.2.0/24"), "", PairVerdict::kFailClosed, {}, false, {}};
    audit.peers.push_back({"node2", PairVerdict::kFailClosed, {pair}, {}, {}});
  }

  ProbeResult probe;
  MeshAudit audit;
  DoctorReport doctor;
};

constexpr WireSeen kNothing{};
constexpr WireSeen kThree{3, 0, 0, 0};
constexpr WireSeen kClear{0, 0, 3, 0};

TEST(VerifyJudge, AnAnswerIsWorthWhatCrossedTheWire) {
  EXPECT_EQ(Judged(kThree, kThree, 3).outcome(), ProbeOutcome::ENCRYPTED);
  EXPECT_EQ(Judged(kThree, {2, 0, 0, 0}, 2).outcome(), ProbeOutcome::ENCRYPTED);
  EXPECT_EQ(Judged(kThree, {2, 0, 0, 0}, 3).outcome(), ProbeOutcome::UNSEEN);
  EXPECT_EQ(Judged({2, 0, 0, 0}, kThree, 3).outcome(), ProbeOutcome::UNSEEN);
  EXPECT_EQ(Judged(kNothing, kNothing, 3).outcome(), ProbeOutcome::UNSEEN);
  EXPECT_EQ(Judged({1, 1, 0, 0}, {1, 1, 0, 0}, 3).outcome(), ProbeOutcome::ENCRYPTED)
      << "a TCP segment carries several ESP packets";
}

TEST(VerifyJudge, OneClearPacketIsALeakWhateverElsePassed) {
  EXPECT_EQ(Judged(kClear, kClear, 3).outcome(), ProbeOutcome::BOTH_LEAK);
  EXPECT_EQ(Judged({3, 0, 1, 0}, kThree, 3).outcome(), ProbeOutcome::WE_LEAK);
  EXPECT_EQ(Judged(kThree, {3, 0, 1, 0}, 3).outcome(), ProbeOutcome::PEER_LEAKS);
  EXPECT_EQ(Judged(kClear, kNothing, 0).outcome(), ProbeOutcome::WE_LEAK);
  Judged ours(kClear, kThree, 3);
  ours.find(Cause::NO_POLICY, Effect::kLeaks, {"node2"});
  EXPECT_EQ(ours.outcome(), ProbeOutcome::WE_LEAK);
  EXPECT_EQ(ours.probe.remedies, std::vector<std::string>{"fix no_policy"});
  Judged theirs(kThree, kClear, 3);
  theirs.find(Cause::NO_POLICY, Effect::kLeaks, {"node2"});
  EXPECT_EQ(theirs.outcome(), ProbeOutcome::PEER_LEAKS);
  EXPECT_TRUE(theirs.probe.remedies.empty()) << "nothing to fix here";
}

TEST(VerifyJudge, WhatDidNotLeaveWasLostHere) {
  EXPECT_EQ(Judged(kNothing, kNothing, 0).outcome(), ProbeOutcome::LOST_HERE);
  Judged trap(kNothing, kNothing, 0);
  trap.without_sa();
  trap.find(Cause::NO_SA, Effect::kLost, {"node2"});
  EXPECT_EQ(trap.outcome(), ProbeOutcome::FAIL_CLOSED);
  Judged left(kThree, kNothing, 0);
  left.without_sa();
  EXPECT_EQ(left.outcome(), ProbeOutcome::LOST_THERE) << "something left: there is an SA";
  Judged dropped({0, 0, 0, 3}, kNothing, 0);
  dropped.without_sa();
  EXPECT_EQ(dropped.outcome(), ProbeOutcome::LOST_HERE);
  EXPECT_NE(dropped.probe.why.find("espial drops"), std::string::npos);
}

TEST(VerifyJudge, WhatLeftWasLostThereUnlessSomethingCameBack) {
  EXPECT_EQ(Judged(kThree, kNothing, 0).outcome(), ProbeOutcome::LOST_THERE);
  EXPECT_EQ(Judged(kThree, {2, 0, 0, 0}, 0).outcome(), ProbeOutcome::LOST_THERE);
  EXPECT_EQ(Judged(kThree, kThree, 0).outcome(), ProbeOutcome::LOST)
      << "the answers, or somebody else's packets";
  EXPECT_EQ(Judged({2, 0, 0, 0}, kThree, 0).outcome(), ProbeOutcome::LOST_HERE);
}

TEST(VerifyJudge, AFindingExplainsOnlyWhatItIsAbout) {
  const auto with = [](Cause cause, ProbePath path, std::vector<std::string> peers = {}) {
    Judged judged(kThree, kThree, 0, path);
    judged.find(cause, Effect::kLost, std::move(peers));
    return judged.outcome();
  };
  EXPECT_EQ(with(Cause::ESP_BLOCKED, ProbePath::HOST), ProbeOutcome::LOST_HERE);
  EXPECT_EQ(with(Cause::ESP_BLOCKED, ProbePath::HOST, {"node2"}), ProbeOutcome::LOST_HERE);
  EXPECT_EQ(with(Cause::ESP_BLOCKED, ProbePath::HOST, {"node3"}), ProbeOutcome::LOST);
  for (const Cause of_forward : {Cause::RULE_DROPS, Cause::FORWARDING_OFF}) {
    EXPECT_EQ(with(of_forward, ProbePath::HOST), ProbeOutcome::LOST) << to_string(of_forward);
    EXPECT_EQ(with(of_forward, ProbePath::FORWARD_THERE), ProbeOutcome::LOST)
        << to_string(of_forward);
    EXPECT_EQ(with(of_forward, ProbePath::FORWARD_HERE), ProbeOutcome::LOST_HERE)
        << to_string(of_forward);
    EXPECT_EQ(with(of_forward, ProbePath::PODS), ProbeOutcome::LOST_HERE) << to_string(of_forward);
  }
  Judged other(kThree, kThree, 0);
  other.find(Cause::ESP_BLOCKED, Effect::kLost);
  other.doctor.findings[0].family = Family::kIpv6;
  EXPECT_EQ(other.outcome(), ProbeOutcome::LOST);
  Judged risk(kThree, kNothing, 0);
  risk.find(Cause::PATH_MTU_BLOCKED, Effect::kRisk);
  EXPECT_EQ(risk.outcome(), ProbeOutcome::LOST_THERE);
}

TEST(VerifyForward, WhatNoProbeCrossedIsWalked) {
  World world;
  const auto notes = [&](const std::vector<ProbeResult>& probes) {
    return walk_unexercised(world.topology, world.node.facts, test::firewall_case("opensvc"), {},
                            {}, probes);
  };
  const auto all = notes({});
  ASSERT_EQ(all.size(), 4u) << "two peers, two directions";
  for (const auto& note : all) {
    EXPECT_EQ(note.passes, false) << note.walk;
    EXPECT_NE(note.walk.find("policy drop"), std::string::npos) << note.walk;
  }
  ProbeResult host, pod;
  host.peer = pod.peer = "node2";
  host.target = pod.target = addr("10.101.2.1");
  pod.path = ProbePath::FORWARD_HERE;
  EXPECT_EQ(notes({host}).size(), 4u) << "from the bridge nothing crosses FORWARD";
  const auto rest = notes({host, pod});
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(rest[0].peer, "node3");
}

}  // namespace
}  // namespace espial
