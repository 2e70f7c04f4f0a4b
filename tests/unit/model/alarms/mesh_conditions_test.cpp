// SPDX-License-Identifier: Apache-2.0
// Alarms and verdicts that policies, SAs and the kernel's error counters give rise to.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "model/alarms/alarms.h"
#include "model/evaluate/evaluate.h"
#include "unit/model_fixture.h"

namespace espial {
namespace {

using namespace std::chrono_literals;
using testing::count;
using testing::wait;

class MeshConditions : public ::testing::Test {
 protected:
  MeshConditions() {
    snapshot_.peers.push_back(testing::peer("b"));
    audit_.peer = "b";
    audit_.verdict = PairVerdict::kProtected;
    audit_.sas.installed_in = audit_.sas.installed_out = 1;
  }
  PeerCounters& peer() { return snapshot_.peers[0].counters; }
  void problem(PairProblem problem) {
    PairAudit pair;
    pair.own = *Prefix::parse("10.101.1.0/24");
    pair.theirs = *Prefix::parse("10.101.2.0/24");
    pair.verdict = verdict_of(problem);
    pair.findings = {{problem, Direction::TRANSMIT, "the evidence", ""}};
    audit_.pairs.push_back(pair);
    audit_.verdict = std::min(audit_.verdict, pair.verdict);
  }
  Report after(std::chrono::seconds duration) {
    auto mesh = std::make_shared<MeshAudit>();
    mesh->readable = true;
    mesh->peers = {audit_};
    snapshot_.mesh = std::move(mesh);
    Report report;
    for (auto i = 0s; i < duration; i += 1s) {
      wait(snapshot_, 1s);
      each_second();
      report = evaluator_.evaluate(snapshot_).report;
    }
    return report;
  }
  bool fires(const Report& report, const std::string& name) {
    return std::any_of(report.alarms.begin(), report.alarms.end(), [&](const Alarm& alarm) {
      return alarm.name == name && alarm.state == AlarmState::kFiring;
    });
  }

  std::function<void()> each_second = [] {};
  PeerAudit audit_;
  Snapshot snapshot_ = testing::node();
  Evaluator evaluator_;
};

TEST_F(MeshConditions, AProtectedPeerRaisesNothing) {
  const auto report = after(60s);
  EXPECT_TRUE(report.alarms.empty());
  EXPECT_EQ(report.peers[0].verdict, Verdict::kSilent);
}

TEST_F(MeshConditions, AMissingPolicyIsExposedAtTheFirstLook) {
  problem(PairProblem::NO_POLICY);
  auto report = after(1s);
  EXPECT_EQ(report.peers[0].verdict, Verdict::kExposed);
  EXPECT_EQ(report.peers[0].reason.find("10.101.1.0/24 > 10.101.2.0/24: the evidence"), 0u);
  EXPECT_FALSE(fires(report, "PolicyMissing")) << "charon may be loading";
  report = after(3s);
  EXPECT_TRUE(fires(report, "PolicyMissing"));
  EXPECT_EQ(report.peers[0].verdict, Verdict::kExposed);
}

TEST_F(MeshConditions, TheWireCountsMoreThanThePolicies) {
  problem(PairProblem::NO_POLICY);
  after(2s);
  count(peer(), Direction::TRANSMIT, Class::CLEARTEXT, 1);
  EXPECT_EQ(after(1s).peers[0].verdict, Verdict::kLeaking);
}

TEST_F(MeshConditions, ATrapIsDownWithoutAnAlarmUntilTrafficWaits) {
  problem(PairProblem::NO_SA);
  audit_.sas = {};
  auto report = after(20s);
  EXPECT_EQ(report.peers[0].verdict, Verdict::kDown);
  EXPECT_FALSE(fires(report, "TunnelDown"));
  audit_.sas.larval = 1;
  EXPECT_FALSE(fires(after(9s), "TunnelDown"));
  EXPECT_TRUE(fires(after(3s), "TunnelDown"));
}

TEST_F(MeshConditions, NullEncryptionAndSequence) {
  audit_.sas.null_encryption = 1;
  audit_.sas.sequence_used = 0.95;
  audit_.sas.sequence_evidence = "SA 0x1";
  const auto report = after(1s);
  EXPECT_TRUE(fires(report, "NullEncryption"));
  EXPECT_TRUE(fires(report, "SequenceNearlyExhausted"));
}

TEST_F(MeshConditions, OneWayEncryptionNeedsTheOtherWayInClear) {
  each_second = [&] { count(peer(), Direction::TRANSMIT, Class::ESP, 5); };
  EXPECT_FALSE(fires(after(40s), "OneWayEncryption")) << "much traffic has no answer";
  each_second = [&] {
    count(peer(), Direction::TRANSMIT, Class::ESP, 5);
    count(peer(), Direction::RECEIVE, Class::CLEARTEXT, 5);
  };
  EXPECT_TRUE(fires(after(10s), "OneWayEncryption"));
}

TEST_F(MeshConditions, ErrorsThatKeepComingFireAndABlipDoesNot) {
  snapshot_.xfrm_errors = {{"XfrmInNoStates", 100}};
  EXPECT_TRUE(after(5s).alarms.empty()) << "what was before is not held against now";
  snapshot_.xfrm_errors[0].count += 3;
  const auto blip = after(20s);
  EXPECT_FALSE(fires(blip, "XfrmErrors"));
  each_second = [&] { snapshot_.xfrm_errors[0].count += 1; };
  EXPECT_TRUE(fires(after(13s), "XfrmErrors"));
  each_second = [] {};
  EXPECT_TRUE(fires(after(8s), "XfrmErrors")) << "it may go on in a moment";
  EXPECT_FALSE(fires(after(8s), "XfrmErrors"));
}

// What node2 lost its SAs for: ESP comes, nothing is decrypted, the kernel counts each.
TEST_F(MeshConditions, EspThatNoSaTakesIsHeldAgainstItsPeer) {
  snapshot_.peers.push_back(testing::peer("c"));
  snapshot_.xfrm_errors = {{"XfrmInNoStates", 100}};
  after(1s);
  const auto esp = [&](std::size_t who, std::uint64_t came, std::uint64_t opened) {
    auto& counters = snapshot_.peers[who].counters;
    count(counters, Direction::RECEIVE, Class::ESP, came);
    counters.decrypted[0].packets += opened;
  };
  each_second = [&] {
    esp(0, 20, 0);
    esp(1, 30, 30);
    snapshot_.xfrm_errors[0].count += 20;
  };
  auto report = after(4s);
  EXPECT_EQ(report.peers[0].unknown_spi, 80u);
  EXPECT_EQ(report.peers[1].unknown_spi, 0u);
  EXPECT_FALSE(fires(report, "UnknownSpi"));
  report = after(4s);
  EXPECT_TRUE(fires(report, "UnknownSpi"));
  each_second = [&] { esp(0, 20, 20); };
  report = after(16s);
  EXPECT_EQ(report.peers[0].unknown_spi, 160u);
  EXPECT_FALSE(fires(report, "UnknownSpi"));
}

TEST_F(MeshConditions, WithoutTheKernelsCountNothingIsUnknown) {
  snapshot_.xfrm_errors = {{"XfrmInNoStates", 0}};
  after(1s);
  each_second = [&] { count(peer(), Direction::RECEIVE, Class::ESP, 20); };  // late, or fragments
  EXPECT_EQ(after(5s).peers[0].unknown_spi, 0u);
}

TEST_F(MeshConditions, ARekeyThatLosesTwoPacketsRaisesNothing) {
  snapshot_.xfrm_errors = {{"XfrmInNoStates", 0}};
  after(1s);
  count(peer(), Direction::RECEIVE, Class::ESP, 20);
  peer().decrypted[0].packets += 18;
  snapshot_.xfrm_errors[0].count += 2;
  each_second = [&] {
    count(peer(), Direction::RECEIVE, Class::ESP, 20);
    peer().decrypted[0].packets += 20;
  };
  const auto report = after(30s);
  EXPECT_EQ(report.peers[0].unknown_spi, 2u);
  EXPECT_TRUE(report.alarms.empty());
}

}  // namespace
}  // namespace espial
