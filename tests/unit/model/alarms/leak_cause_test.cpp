// SPDX-License-Identifier: Apache-2.0
// Packets in clear although there is a policy and an SA: the verdict stays, the cause is named.
#include "model/alarms/leak_cause.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "model/evaluate/evaluate.h"
#include "unit/model_fixture.h"

namespace espial {
namespace {

using namespace std::chrono_literals;
using testing::count;
using testing::wait;

PairAudit pair(const std::string& network, PairVerdict verdict = PairVerdict::kProtected) {
  PairAudit pair;
  pair.own = *Prefix::parse("10.101.1.0/24");
  pair.theirs = *Prefix::parse("10.101.2.0/24");
  pair.network = network;
  pair.verdict = verdict;
  return pair;
}

class LeakCause : public ::testing::Test {
 protected:
  LeakCause() {
    snapshot_.peers.push_back(testing::peer("node2"));
    snapshot_.networks = {{"node2", "backendnet", {}}, {"node2", "storage", {}}};
    audit_.peer = "node2";
    audit_.verdict = PairVerdict::kProtected;
    audit_.sas.installed_in = audit_.sas.installed_out = 1;
    audit_.pairs = {pair("backendnet"), pair("storage")};
  }
  PeerCounters& counters() { return snapshot_.peers[0].counters; }
  void problem(std::size_t which, PairProblem problem, Direction direction,
               const std::string& evidence) {
    audit_.pairs[which].findings.push_back({problem, direction, evidence, ""});
    audit_.pairs[which].verdict = verdict_of(problem);
  }
  Report look() {
    auto mesh = std::make_shared<MeshAudit>();
    mesh->readable = true;
    mesh->peers = {audit_};
    snapshot_.mesh = std::move(mesh);
    wait(snapshot_, 1s);
    return evaluator_.evaluate(snapshot_).report;
  }
  static std::string evidence(const Report& report, const std::string& name) {
    for (const auto& alarm : report.alarms)
      if (alarm.name == name) return alarm.evidence;
    return "no " + name;
  }
  static bool says(const std::string& text, const std::string& words) {
    return text.find(words) != std::string::npos;
  }

  PeerAudit audit_;
  Snapshot snapshot_ = testing::node();
  Evaluator evaluator_;
};

TEST_F(LeakCause, ABypassIsNamedInAlarmAndVerdict) {
  problem(0, PairProblem::BYPASS_POLICY, Direction::TRANSMIT, "bypass policy X");
  (void)look();
  count(counters(), Direction::TRANSMIT, Class::ESP, 10);
  count(counters(), Direction::TRANSMIT, Class::CLEARTEXT, 3);
  const auto report = look();
  EXPECT_EQ(report.peers[0].verdict, Verdict::kMixed);
  for (const auto& text : {evidence(report, "CleartextTraffic"), report.peers[0].reason})
    EXPECT_TRUE(says(text, "sent because of 10.101.1.0/24 > 10.101.2.0/24: bypass policy X"))
        << text;
}

TEST_F(LeakCause, TheNetworkThatLeaksChoosesThePair) {
  problem(0, PairProblem::NO_POLICY, Direction::TRANSMIT, "of backendnet");
  problem(1, PairProblem::NO_POLICY, Direction::TRANSMIT, "of storage");
  (void)look();
  count(counters(), Direction::TRANSMIT, Class::CLEARTEXT, 3);
  snapshot_.networks[1].cleartext_packets[at(Direction::TRANSMIT)] += 3;
  EXPECT_TRUE(says(evidence(look(), "CleartextTraffic"), "of storage"));
}

TEST_F(LeakCause, WhatPoliciesForbidWentPastThem) {
  (void)look();
  count(counters(), Direction::TRANSMIT, Class::CLEARTEXT, 3);
  const auto report = look();
  EXPECT_EQ(report.peers[0].verdict, Verdict::kLeaking);
  EXPECT_TRUE(says(evidence(report, "CleartextTraffic"), "bypassed IPsec"));
}

TEST_F(LeakCause, NothingIsClaimedOfPoliciesThatNobodyCouldRead) {
  for (auto& one : audit_.pairs) one.verdict = PairVerdict::kUnknown;
  (void)look();
  count(counters(), Direction::TRANSMIT, Class::CLEARTEXT, 3);
  EXPECT_EQ(evidence(look(), "CleartextTraffic"), "0 packets received, 3 sent in clear in 1 s");
}

// A device encrypts behind tc: neither a leak nor protection is proved, in any direction of doubt.
TEST_F(LeakCause, WhatADeviceEncryptsIsOffloadedAndNotLeaking) {
  problem(0, PairProblem::PACKET_OFFLOAD, Direction::TRANSMIT, "offloaded");
  (void)look();
  count(counters(), Direction::TRANSMIT, Class::CLEARTEXT, 3);
  counters().decrypted[at(Family::kIpv4)].packets += 2;
  snapshot_.networks[0].cleartext_packets[at(Direction::TRANSMIT)] += 3;
  auto report = look();
  EXPECT_EQ(report.peers[0].verdict, Verdict::kUnknown);
  EXPECT_EQ(report.peers[0].reason,
            "offloaded: 3 packets sent that the device encrypts after tc, which sees them in "
            "clear; only a capture outside this node can prove it; 2 received encrypted in 1 s");
  EXPECT_TRUE(report.alarms.empty()) << report.alarms[0].name;
  EXPECT_EQ(report.peers[0].window[at(Direction::TRANSMIT)].coverage(), std::nullopt);
  for (int i = 0; i < 8; ++i) report = look();
  EXPECT_TRUE(report.alarms.empty()) << "no OneWayEncryption either";
}

// The SA is gone, for a rekey or for good: what was counted while it was there is no leak, what
// comes afterwards is one.
TEST_F(LeakCause, OffloadThatEndsLeavesNoAlarmBehind) {
  problem(0, PairProblem::PACKET_OFFLOAD, Direction::TRANSMIT, "offloaded");
  (void)look();
  count(counters(), Direction::TRANSMIT, Class::CLEARTEXT, 3);
  counters().last_unprotected[at(Direction::TRANSMIT)] = snapshot_.time;
  (void)look();
  audit_.pairs[0].findings.clear();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(look().alarms.empty());
  EXPECT_EQ(look().snapshot.peers[0].counters.last_cleartext(), std::nullopt);
  count(counters(), Direction::TRANSMIT, Class::CLEARTEXT, 2);
  EXPECT_TRUE(says(evidence(look(), "CleartextTraffic"), " 2 sent in clear"));
}

TEST_F(LeakCause, WhatWasSentBeforeOffloadBeganStaysALeak) {
  (void)look();
  count(counters(), Direction::TRANSMIT, Class::CLEARTEXT, 2);
  (void)look();
  problem(0, PairProblem::PACKET_OFFLOAD, Direction::TRANSMIT, "offloaded");
  (void)look();
  count(counters(), Direction::TRANSMIT, Class::CLEARTEXT, 7);
  EXPECT_TRUE(says(evidence(look(), "CleartextTraffic"), " 2 sent in clear"));
}

TEST_F(LeakCause, AfterARestartOffloadIsNoLeakEither) {
  problem(0, PairProblem::PACKET_OFFLOAD, Direction::TRANSMIT, "offloaded");
  count(counters(), Direction::TRANSMIT, Class::CLEARTEXT, 3);
  counters().last_unprotected[at(Direction::TRANSMIT)] = snapshot_.time;
  EXPECT_TRUE(look().alarms.empty());
}

TEST_F(LeakCause, OffloadExplainsNothingElse) {
  problem(0, PairProblem::PACKET_OFFLOAD, Direction::TRANSMIT, "offloaded");
  (void)look();
  count(counters(), Direction::TRANSMIT, Class::CLEARTEXT_HOST, 1);
  EXPECT_TRUE(says(evidence(look(), "CleartextHost"), "1 sent")) << "outside of the selectors";
  count(counters(), Direction::RECEIVE, Class::CLEARTEXT, 3);
  EXPECT_TRUE(says(evidence(look(), "CleartextTraffic"), "3 packets received, 0 sent"));
  // Of a network whose SAs are the kernel's own.
  count(counters(), Direction::TRANSMIT, Class::CLEARTEXT, 5);
  snapshot_.networks[1].cleartext_packets[at(Direction::TRANSMIT)] += 5;
  EXPECT_TRUE(says(evidence(look(), "CleartextTraffic"), "3 packets received, 5 sent"));
  EXPECT_EQ(look().peers[0].verdict, Verdict::kLeaking);
}

TEST_F(LeakCause, AWayOutInClearIsALeakWithOffloadToo) {
  problem(0, PairProblem::PACKET_OFFLOAD, Direction::TRANSMIT, "offloaded");
  problem(0, PairProblem::BYPASS_POLICY, Direction::TRANSMIT, "bypass policy X");
  (void)look();
  count(counters(), Direction::TRANSMIT, Class::CLEARTEXT, 3);
  const auto report = look();
  EXPECT_EQ(report.peers[0].verdict, Verdict::kLeaking);
  EXPECT_TRUE(says(evidence(report, "CleartextTraffic"), "bypass policy X"));
}

TEST_F(LeakCause, AnEnforcedPeerWithOffloadHasAFindingAndItsDropsACause) {
  snapshot_.peers[0].peer.mode = Mode::ENFORCE;
  EXPECT_TRUE(look().snapshot.findings.empty());
  problem(1, PairProblem::PACKET_OFFLOAD, Direction::TRANSMIT, "offloaded");
  auto report = look();
  ASSERT_EQ(report.snapshot.findings.size(), 1u);
  for (const char* words :
       {"node2 is in enforce", "1 of 2 pairs", "are dropped before the device could encrypt them",
        "espial policy set node2 audit", "hw_offload = no"})
    EXPECT_TRUE(says(report.snapshot.findings[0], words)) << report.snapshot.findings[0];
  testing::enforce(counters(), Action::kDrop, Direction::TRANSMIT, Reason::CLEARTEXT,
                   Class::CLEARTEXT, 4);
  report = look();
  const auto text = evidence(report, "EnforcementDropping");
  for (const char* words : {"4 packets dropped", "packet offload", "espial policy set node2 audit"})
    EXPECT_TRUE(says(text, words)) << text;
  EXPECT_EQ(report.peers[0].verdict, Verdict::kSilent);
}

TEST_F(LeakCause, WhatIsReceivedNamesThePeerToGoTo) {
  (void)look();
  count(counters(), Direction::RECEIVE, Class::CLEARTEXT, 3);
  auto text = evidence(look(), "CleartextTraffic");
  EXPECT_TRUE(says(text, "node2 sends in clear: espial audit on node2 says why")) << text;
  EXPECT_TRUE(says(text, "this node's policies reject it")) << text;
  problem(0, PairProblem::RECEIVE_POLICY_MISSING, Direction::RECEIVE, "no policy demands IPsec");
  count(counters(), Direction::RECEIVE, Class::CLEARTEXT, 3);
  text = evidence(look(), "CleartextTraffic");
  EXPECT_TRUE(says(text, "this node accepts it")) << text;
}

TEST_F(LeakCause, HostAndTransitHaveTheirOwn) {
  audit_.host_exposed = {"10.45.0.11 > 10.101.2.0/24"};
  (void)look();
  count(counters(), Direction::TRANSMIT, Class::CLEARTEXT_HOST, 3);
  count(counters(), Direction::TRANSMIT, Class::CLEARTEXT_TRANSIT, 3);
  auto report = look();
  EXPECT_TRUE(says(evidence(report, "CleartextHost"),
                   "outside the selectors (10.45.0.11 > 10.101.2.0/24)"));
  EXPECT_TRUE(says(evidence(report, "CleartextTransit"), "NAT rewrote it"));
  problem(0, PairProblem::NAT_BEFORE_IPSEC, Direction::TRANSMIT, "rule M changes the source");
  report = look();
  EXPECT_TRUE(says(evidence(report, "CleartextTransit"), "rule M changes the source"));
}

TEST_F(LeakCause, OneWayEncryptionSaysWhoDoesNot) {
  (void)look();
  for (int i = 0; i < 8; ++i) {
    count(counters(), Direction::TRANSMIT, Class::ESP, 5);
    count(counters(), Direction::RECEIVE, Class::CLEARTEXT, 5);
    (void)look();
  }
  EXPECT_EQ(evidence(look(), "OneWayEncryption"),
            "this node encrypts and node2 does not: 40 packets sent encrypted, everything received "
            "in clear (40), in 9 s; run espial audit on node2");
}

TEST_F(LeakCause, AHealthyPeerHasNone) {
  (void)look();
  count(counters(), Direction::TRANSMIT, Class::ESP, 5);
  count(counters(), Direction::RECEIVE, Class::ESP, 5);
  const auto report = look();
  EXPECT_TRUE(report.alarms.empty());
  EXPECT_EQ(report.peers[0].reason, "5 packets received, 5 sent, all encrypted in 1 s");
}

// IPv6 inside of IPv4: ESP is counted as IPv4, what comes back as IPv6. Make-before-break: two SAs
// for a while. Neither is one-way, an unknown SPI, or a lack of coverage.
TEST_F(LeakCause, Ipv6InIpv4IsEncryptedBothWays) {
  snapshot_.xfrm_errors = {{"XfrmInNoStates", 7}};
  audit_.sas.installed_in = audit_.sas.installed_out = 2;
  Report report;
  for (int i = 0; i < 10; ++i) {
    report = look();
    count(counters(), Direction::TRANSMIT, Class::ESP, 5, Family::kIpv4);
    count(counters(), Direction::RECEIVE, Class::ESP, 5, Family::kIpv4);
    counters().decrypted[at(Family::kIpv6)].packets += 5;
  }
  EXPECT_EQ(report.peers[0].verdict, Verdict::kEncrypted);
  EXPECT_EQ(report.peers[0].unknown_spi, 0u);
  EXPECT_EQ(report.peers[0].window[at(Direction::RECEIVE)].coverage(), 1.0);
  EXPECT_TRUE(report.alarms.empty());
}

TEST_F(LeakCause, WhatThisNodeSendsAgainIsNotThePeersFault) {
  (void)look();
  count(counters(), Direction::TRANSMIT, Class::CLEARTEXT_RESENT, 403);
  const auto text = evidence(look(), "CleartextTraffic");
  EXPECT_TRUE(says(text, "403 packets from node2 to this node left it again in clear")) << text;
  EXPECT_FALSE(says(text, "bypassed IPsec")) << text;
  EXPECT_FALSE(says(text, "node2 sends in clear")) << text;
}

TEST_F(LeakCause, AStolenAddressIsNotThePeersFault) {
  (void)look();
  count(counters(), Direction::RECEIVE, Class::CLEARTEXT_SPOOFED, 7);
  const auto text = evidence(look(), "CleartextTraffic");
  EXPECT_TRUE(says(text, "7 packets carried an address of node2")) << text;
  EXPECT_FALSE(says(text, "node2 sends in clear")) << text;
}

TEST_F(LeakCause, WhatCannotBeReadIsSaidToBeUnknownBesideWhatIsKnown) {
  (void)look();
  count(counters(), Direction::RECEIVE, Class::TOO_DEEP, 1);
  count(counters(), Direction::RECEIVE, Class::CLEARTEXT, 2);
  const auto text = evidence(look(), "CleartextTraffic");
  EXPECT_TRUE(says(text, "1 packet had more tags, tunnels or extension headers")) << text;
  EXPECT_TRUE(says(text, "node2 sends in clear")) << text;
}

}  // namespace
}  // namespace espial
