// SPDX-License-Identifier: Apache-2.0
// Modes by command: what is in force, deadlines across restarts, and the guard of enforce.
#include "model/modes/peer_modes.h"

#include <gtest/gtest.h>

#include "model/modes/mode_plan.h"
#include "unit/model_fixture.h"

namespace espial {
namespace {

using namespace std::chrono_literals;
using testing::count;
using Lines = std::vector<std::string>;

Moment later(Moment moment, std::chrono::nanoseconds by) {
  moment.wall += std::chrono::duration_cast<WallTime::duration>(by);
  moment.monotonic += by;
  return moment;
}

const Moment kNow{WallTime{1714564800s}, MonoTime{5000s}, "boot-a"};

Moment after_reboot(const Moment& moment) { return {moment.wall + 60s, MonoTime{10s}, "boot-b"}; }

PeerMode commanded(Mode mode) {
  PeerMode peer_mode;
  peer_mode.mode = mode;
  return peer_mode;
}

PeerMode unconfirmed(std::chrono::seconds left) {
  auto peer_mode = commanded(Mode::ENFORCE);
  peer_mode.confirm = Confirmation{later(kNow, left), Mode::AUDIT};
  return peer_mode;
}

Peer peer_by_file(const std::string& name, Mode mode, ModeSource from = ModeSource::kFile) {
  Peer peer;
  peer.name = name;
  peer.state = PeerState::kConfigured;
  peer.by_file = {mode, from};
  peer.mode = mode;
  peer.mode_from = from;
  return peer;
}

Topology topology(std::vector<Peer> peers) {
  Topology out;
  out.peers = std::move(peers);
  return out;
}

TEST(EffectiveMode, ACommandCountsMoreThanTheFile) {
  auto t = topology({peer_by_file("a", Mode::MONITOR, ModeSource::kDefault),
                     peer_by_file("b", Mode::ENFORCE), peer_by_file("c", Mode::AUDIT)});
  apply({{"a", commanded(Mode::ENFORCE)}, {"b", commanded(Mode::AUDIT)}, {"c", {}}}, false, t);
  EXPECT_EQ(t.peers[0].mode, Mode::ENFORCE);
  EXPECT_EQ(t.peers[0].mode_from, ModeSource::kCommand);
  EXPECT_EQ(t.peers[1].mode, Mode::AUDIT);
  EXPECT_EQ(t.peers[2].mode, Mode::AUDIT);
  EXPECT_EQ(t.peers[2].mode_from, ModeSource::kFile);
  // A default that nobody wrote is no opinion.
  EXPECT_EQ(t.findings, Lines{"b: mode audit by command, enforce in the configuration: the command "
                              "wins (espial policy set 'b' file returns to it)"});
}

TEST(EffectiveMode, ADefaultOfTheFileIsAnOpinion) {
  auto t = topology({peer_by_file("a", Mode::AUDIT, ModeSource::kDefault)});
  apply({{"a", commanded(Mode::MONITOR)}}, true, t);
  EXPECT_EQ(t.findings.size(), 1U);
  apply({{"a", commanded(Mode::AUDIT)}}, true, t);
  EXPECT_EQ(t.findings.size(), 1U) << "they agree";
}

TEST(EffectiveMode, ACandidateIsOnlyMonitored) {
  auto t = topology({peer_by_file("a", Mode::MONITOR)});
  t.peers[0].state = PeerState::kCandidate;
  apply({{"a", commanded(Mode::ENFORCE)}}, false, t);
  EXPECT_EQ(t.peers[0].mode, Mode::MONITOR);
}

TEST(EffectiveMode, ACommandWhosePeerIsGoneIsAFinding) {
  auto t = topology({});
  apply({{"10.45.0.12", commanded(Mode::ENFORCE)}, {"x", {}}}, false, t);
  EXPECT_EQ(t.findings,
            Lines{"10.45.0.12: mode enforce by command, but no peer has that name: it has "
                  "no effect (espial policy set '10.45.0.12' file forgets it)"});
}

TEST(Deadline, IsKeptByARestartAndPassesOnTheMonotonicClock) {
  PeerModes modes{{"a", unconfirmed(60s)}};
  EXPECT_TRUE(expire(modes, later(kNow, 59s)).empty());
  EXPECT_EQ(deadline_of(modes, "a", later(kNow, 59s)), kNow.monotonic + 60s);
  Moment stepped = later(kNow, 59s);
  stepped.wall += 24h;
  EXPECT_TRUE(expire(modes, stepped).empty()) << "a clock step decides nothing";
  stepped = later(kNow, 60s);
  stepped.wall -= 24h;
  EXPECT_EQ(expire(modes, stepped), Lines{"a: enforce was not confirmed in time: audit"});
  EXPECT_EQ(modes["a"].mode, Mode::AUDIT);
  EXPECT_EQ(deadline_of(modes, "a", stepped), std::nullopt);
  EXPECT_TRUE(expire(modes, stepped).empty()) << "told once";
}

TEST(Deadline, UnconfirmedEnforceComesBackFromARebootAsAudit) {
  PeerModes modes{{"a", unconfirmed(3600s)}, {"b", commanded(Mode::ENFORCE)}};
  EXPECT_EQ(deadline_of(modes, "a", after_reboot(kNow)), MonoTime{}) << "passed";
  EXPECT_EQ(expire(modes, after_reboot(kNow)),
            Lines{"a: enforce was not confirmed before the node restarted: audit"});
  EXPECT_EQ(modes["a"].mode, Mode::AUDIT);
  EXPECT_EQ(modes["b"].mode, Mode::ENFORCE);
}

TEST(Deadline, AnUnknownBootIsLikeNoOther) {
  PeerModes modes{{"a", unconfirmed(60s)}};
  modes["a"].confirm->deadline.boot.clear();
  Moment now = kNow;
  now.boot.clear();
  EXPECT_EQ(expire(modes, now).size(), 1U);
}

class SpanTest : public ::testing::Test {
 protected:
  SpanTest() { peers_[0].peer = peer_by_file("a", Mode::AUDIT); }
  Span& span() { return *modes_.at("a").span; }

  std::vector<PeerSnapshot> peers_{1};
  PeerModes modes_;
};

TEST_F(SpanTest, GoesOnWhileTheModeStays) {
  count(peers_[0].counters, Direction::TRANSMIT, Class::ESP, 7);
  peers_[0].counters.decrypted[0].packets = 3;
  EXPECT_TRUE(follow(modes_, peers_, kNow));
  EXPECT_EQ(span().encrypted, 10U);
  count(peers_[0].counters, Direction::RECEIVE, Class::ESP_UDP, 1);
  EXPECT_FALSE(follow(modes_, peers_, later(kNow, 60s)));
  EXPECT_EQ(span().since.monotonic, kNow.monotonic);
}

TEST_F(SpanTest, BeginsAnewWithAModeABootOrNewCounters) {
  count(peers_[0].counters, Direction::TRANSMIT, Class::ESP, 7);
  follow(modes_, peers_, kNow);
  peers_[0].peer.mode = Mode::ENFORCE;
  EXPECT_TRUE(follow(modes_, peers_, later(kNow, 1s)));
  EXPECT_EQ(span().mode, Mode::ENFORCE);
  peers_[0].counters = {};
  EXPECT_TRUE(follow(modes_, peers_, later(kNow, 2s)));
  EXPECT_EQ(span().encrypted, 0U);
  EXPECT_TRUE(follow(modes_, peers_, after_reboot(kNow)));
  EXPECT_EQ(span().since.boot, "boot-b");
}

TEST_F(SpanTest, WhatIsOnlyMonitoredIsNotRemembered) {
  follow(modes_, peers_, kNow);
  peers_[0].peer.mode = Mode::MONITOR;
  EXPECT_TRUE(follow(modes_, peers_, kNow));
  EXPECT_TRUE(modes_.empty());
  EXPECT_FALSE(follow(modes_, peers_, kNow));
  modes_["a"] = commanded(Mode::MONITOR);
  EXPECT_TRUE(follow(modes_, peers_, kNow));
  EXPECT_EQ(span().mode, Mode::MONITOR) << "a command is remembered";
}

// A peer that has been audited for ten minutes, quiet, with ESP.
class GuardTest : public ::testing::Test {
 protected:
  GuardTest() {
    peers_[0].peer = peer_by_file("a", Mode::MONITOR, ModeSource::kDefault);
    peers_[1].peer = peer_by_file("b", Mode::MONITOR, ModeSource::kDefault);
    for (auto& peer : peers_) {
      peer.peer.mode = Mode::AUDIT;
      modes_[peer.peer.name] = commanded(Mode::AUDIT);
    }
    follow(modes_, peers_, kNow);
    for (auto& peer : peers_) count(peer.counters, Direction::RECEIVE, Class::ESP, 1);
  }
  static ModeRequest set(const std::string& peer, std::optional<Mode> mode = Mode::ENFORCE) {
    return {ModeRequest::Kind::kSet, peer, mode, {}, false};
  }
  [[nodiscard]] ModePlan plan(const ModeRequest& request) const {
    auto made = plan_modes(request, modes_, {peers_, flows_, mesh_}, now_, 10min);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return made.ok() ? std::move(made).value() : ModePlan{};
  }
  void would_drop(std::size_t peer, std::chrono::seconds ago) {
    auto& counters = peers_[peer].counters;
    counters.enforced[at(Action::kWouldDrop)][0][0].packets = 3;
    counters.last_enforced[at(Action::kWouldDrop)] = now_.wall - ago;
  }
  void take(const ModePlan& made) {
    modes_ = made.modes;
    for (auto& peer : peers_)
      peer.peer.mode = modes_[peer.peer.name].mode.value_or(peer.peer.by_file.mode);
  }

  std::vector<PeerSnapshot> peers_{2};
  PeerModes modes_;
  std::vector<FlowRecord> flows_;
  const MeshAudit* mesh_ = nullptr;
  Moment now_ = later(kNow, 10min);
};

TEST_F(GuardTest, QuietAuditLetsEnforceBegin) {
  const auto made = plan(set("a"));
  EXPECT_TRUE(made.refused.empty());
  EXPECT_EQ(made.changed, Lines{"a"});
  EXPECT_EQ(made.modes.at("a").mode, Mode::ENFORCE);
  EXPECT_FALSE(made.modes.at("a").confirm);
  EXPECT_EQ(made.modes.at("b").mode, Mode::AUDIT);
}

TEST_F(GuardTest, PacketOffloadIsAnObjection) {
  MeshAudit mesh;
  PairAudit pair;
  pair.findings = {{PairProblem::PACKET_OFFLOAD, Direction::RECEIVE, "", ""}};
  mesh.peers = {{"a", PairVerdict::kProtected, {pair}, {}, {}}};
  mesh_ = &mesh;
  EXPECT_TRUE(plan(set("a")).refused.empty()) << "tc sees ESP leave";
  mesh.peers[0].pairs[0].findings.push_back(
      {PairProblem::PACKET_OFFLOAD, Direction::TRANSMIT, "", ""});
  const auto made = plan(set("all"));
  ASSERT_EQ(made.refused.size(), 1U);
  EXPECT_EQ(made.refused[0].peer, "a");
  EXPECT_EQ(made.refused[0].reasons,
            Lines{"the SAs that send for 1 of 1 pairs of subnets are in packet offload: tc sees "
                  "their packets before the device encrypts them, so enforce would drop them all "
                  "(set hw_offload = no or crypto for these children in swanctl.conf)"});
  EXPECT_EQ(made.modes.at("b").mode, Mode::AUDIT) << "all or none";
  EXPECT_TRUE(plan(set("a", Mode::AUDIT)).refused.empty());
  auto forced = set("a");
  forced.force = true;
  EXPECT_EQ(plan(forced).modes.at("a").mode, Mode::ENFORCE);
}

TEST_F(GuardTest, AuditMustHaveRunLongEnough) {
  now_ = later(kNow, 9min + 59s);
  const auto made = plan(set("a"));
  ASSERT_EQ(made.refused.size(), 1U);
  EXPECT_EQ(made.refused[0].reasons, Lines{"audit has run for 9 min of 10 min"});
  EXPECT_TRUE(made.changed.empty());
  EXPECT_EQ(made.modes.at("a").mode, Mode::AUDIT);
}

TEST_F(GuardTest, AWallClockStepDoesNotAgeTheAudit) {
  now_ = later(kNow, 60s);
  now_.wall += 24h;
  EXPECT_EQ(plan(set("a")).refused.size(), 1U);
}

TEST_F(GuardTest, AuditOfAnotherBootOrNoneAtAllDoesNotCount) {
  now_ = after_reboot(now_);
  EXPECT_EQ(plan(set("a")).refused.at(0).reasons,
            Lines{"audit is not running (set audit and wait 10 min)"});
  modes_.clear();
  EXPECT_EQ(plan(set("a")).refused.size(), 1U);
}

TEST_F(GuardTest, EncryptedTrafficMustHaveBeenSeenMeanwhile) {
  peers_[0].counters = {};
  EXPECT_EQ(plan(set("a")).refused.at(0).reasons,
            Lines{"no encrypted packet was seen since audit began: IPsec may not work at all"});
}

TEST_F(GuardTest, NothingMayHaveBeenWorthDroppingOfLate) {
  would_drop(0, 30s);
  FlowRecord flow;
  flow.peer = "a";
  flow.last = now_.wall - 30s;
  flow.enforced[at(Action::kWouldDrop)] = 3;
  flows_ = {flow, flow, flow, flow};
  flows_[1].peer = "b";
  flows_[2].enforced = {};
  flows_[3].last = now_.wall - 11min;
  const auto made = plan(set("a"));
  ASSERT_EQ(made.refused.size(), 1U);
  EXPECT_EQ(made.refused[0].reasons,
            Lines{"3 packets would have been dropped, the last 30 s ago (see espial flows)"});
  EXPECT_EQ(made.refused[0].flows.size(), 1U);
  would_drop(0, 601s);
  EXPECT_TRUE(plan(set("a")).refused.empty());
}

TEST_F(GuardTest, ForceOverrides) {
  modes_.clear();
  would_drop(0, 1s);
  auto request = set("a");
  request.force = true;
  EXPECT_EQ(plan(request).modes.at("a").mode, Mode::ENFORCE);
}

TEST_F(GuardTest, LessIsNeverGuarded) {
  modes_.clear();
  for (const Mode mode : {Mode::MONITOR, Mode::AUDIT})
    EXPECT_EQ(plan(set("a", mode)).modes.at("a").mode, mode);
}

TEST_F(GuardTest, AllMeansAllOrNone) {
  EXPECT_EQ(plan(set("all")).changed, (Lines{"a", "b"}));
  would_drop(1, 1s);
  const auto made = plan(set("all"));
  ASSERT_EQ(made.refused.size(), 1U);
  EXPECT_EQ(made.refused[0].peer, "b");
  EXPECT_EQ(made.modes.at("a").mode, Mode::AUDIT);
}

TEST_F(GuardTest, AllLeavesCandidatesOut) {
  peers_[0].peer.state = PeerState::kCandidate;
  EXPECT_EQ(plan(set("all")).changed, Lines{"b"});
  EXPECT_EQ(plan(set("a", Mode::AUDIT)).refused.size(), 1U);
  peers_.clear();
  EXPECT_EQ(plan(set("all")).refused.size(), 1U);
}

TEST_F(GuardTest, ADeadlineIsKeptUntilItIsConfirmed) {
  auto request = set("a");
  request.confirm_within = 60s;
  take(plan(request));
  ASSERT_TRUE(modes_["a"].confirm);
  EXPECT_EQ(modes_["a"].confirm->deadline.monotonic, now_.monotonic + 60s);
  EXPECT_EQ(modes_["a"].confirm->before, Mode::AUDIT);
  const auto confirmed = plan({ModeRequest::Kind::kConfirm, "all", {}, {}, false});
  EXPECT_EQ(confirmed.changed, Lines{"a"});
  EXPECT_FALSE(confirmed.modes.at("a").confirm);
  EXPECT_EQ(confirmed.modes.at("a").mode, Mode::ENFORCE);
  EXPECT_EQ(plan({ModeRequest::Kind::kConfirm, "b", {}, {}, false}).refused.size(), 1U);
  // Again with a deadline renews it, without one confirms: neither is guarded again.
  now_ = later(now_, 30s);
  would_drop(0, 1s);
  EXPECT_EQ(plan(request).modes.at("a").confirm->deadline.monotonic, now_.monotonic + 60s);
  EXPECT_FALSE(plan(set("a")).modes.at("a").confirm);
}

TEST_F(GuardTest, ADeadlineNeverWeakensWhatIsInForceForGood) {
  take(plan(set("a")));
  auto request = set("a");
  request.confirm_within = 60s;
  const auto made = plan(request);
  EXPECT_FALSE(made.modes.at("a").confirm);
  EXPECT_EQ(made.notes.size(), 1U);
  request.mode = Mode::AUDIT;
  EXPECT_EQ(plan_modes(request, modes_, {peers_, flows_}, now_, 10min).error().failure,
            Failure::kUsage);
}

TEST_F(GuardTest, FileGoesBackToTheFileAndIsGuardedToo) {
  peers_[0].peer.by_file = {Mode::MONITOR, ModeSource::kFile};
  EXPECT_EQ(plan(set("a", std::nullopt)).modes.at("a").mode, std::nullopt);
  peers_[0].peer.by_file.mode = Mode::ENFORCE;
  would_drop(0, 1s);
  EXPECT_EQ(plan(set("a", std::nullopt)).refused.size(), 1U);
}

TEST_F(GuardTest, AnUnknownPeerIsAUsageErrorButItsPolicyCanBeForgotten) {
  for (const auto& request : {set("c"), set("c", std::nullopt)}) {
    const auto made = plan_modes(request, modes_, {peers_, flows_}, now_, 10min);
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().failure, Failure::kUsage);
  }
  modes_["c"] = commanded(Mode::ENFORCE);
  EXPECT_FALSE(plan(set("c", std::nullopt)).modes.contains("c"));
}

TEST(Names, ACommandFollowsItsPeer) {
  const auto peer = [](const char* name, const char* address) {
    auto made = peer_by_file(name, Mode::MONITOR);
    made.underlays = {{IpAddress::parse(address).value(), {}}};
    return made;
  };
  Topology before, now;
  before.peers = {peer("10.45.0.12", "10.45.0.12"), peer("10.45.0.13", "10.45.0.13")};
  now.peers = {peer("10.45.0.13", "10.45.0.13"), peer("node2", "10.45.0.12")};
  PeerModes modes{{"10.45.0.12", commanded(Mode::ENFORCE)}, {"10.45.0.13", commanded(Mode::AUDIT)}};
  EXPECT_EQ(follow_names(modes, before, now),
            Lines{"10.45.0.12: is called node2 now, and keeps its mode"});
  ASSERT_EQ(modes.count("node2"), 1U);
  EXPECT_EQ(modes.at("node2").mode, Mode::ENFORCE);
  EXPECT_EQ(modes.count("10.45.0.12"), 0U);
  EXPECT_EQ(modes.at("10.45.0.13").mode, Mode::AUDIT);
  EXPECT_EQ(follow_names(modes, before, now), Lines{});

  modes = {{"10.45.0.12", commanded(Mode::ENFORCE)}, {"node2", commanded(Mode::MONITOR)}};
  EXPECT_EQ(follow_names(modes, before, now), Lines{}) << "the new name has a command";
  now.peers[1] = peer("node2", "10.45.0.14");
  modes.erase("node2");
  EXPECT_EQ(follow_names(modes, before, now), Lines{}) << "another node";
}

}  // namespace
}  // namespace espial
