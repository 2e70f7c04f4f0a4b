// SPDX-License-Identifier: Apache-2.0
// The fixed report behind tests/golden: a node with a leaking peer, an encrypted one with ESP GRO,
// and a candidate, at 2024-05-01T12:00:00.250Z.
#pragma once

#include <memory>
#include <string>

#include "exporter/http/latest_report.h"
#include "model/evaluate/evaluate.h"
#include "model/probing.h"
#include "unit/model_fixture.h"

namespace espial::testing {

inline PeerSnapshot described_peer(const std::string& name, const std::string& underlay,
                                   const std::string& backend, PeerState state) {
  PeerSnapshot out = peer(name, state);
  out.peer.underlays.push_back({*IpAddress::parse(underlay), Origin::kFile});
  out.peer.backends.push_back({*Prefix::parse(backend), "backendnet", Origin::kFile});
  return out;
}

// node2 has no policy, node3 two SAs.
inline std::shared_ptr<const MeshAudit> golden_mesh() {
  auto mesh = std::make_shared<MeshAudit>();
  mesh->readable = true;
  PairAudit exposed;
  exposed.own = *Prefix::parse("10.101.1.0/24");
  exposed.theirs = *Prefix::parse("10.101.2.0/24");
  exposed.network = "backendnet";
  exposed.verdict = PairVerdict::kExposed;
  exposed.policy_missing[at(Direction::TRANSMIT)] = true;
  exposed.findings = {{PairProblem::NO_POLICY, Direction::TRANSMIT,
                       "no policy: packets leave in clear", "swanctl.conf, connections.node2"}};
  PeerAudit node2{"node2", PairVerdict::kExposed, {exposed}, {}, {"10.45.0.11 > 10.101.2.0/24"}};
  PairAudit sound;
  sound.own = *Prefix::parse("fd00:101:1::/64");
  sound.theirs = *Prefix::parse("fd00:101:3::/64");
  sound.network = "backendnet";
  sound.verdict = PairVerdict::kProtected;
  PeerAudit node3{"node3", PairVerdict::kProtected, {sound}, {}, {}};
  node3.sas.installed_in = node3.sas.installed_out = 1;
  node3.sas.expires = 1714568370;
  mesh->peers = {std::move(node2), std::move(node3)};
  return mesh;
}

inline PeerProbe golden_probe(const std::string& peer, ProbePath path, const std::string& source,
                              const std::string& target) {
  PeerProbe out;
  out.last.peer = peer;
  out.last.path = path;
  out.last.source = *IpAddress::parse(source);
  out.last.target = *IpAddress::parse(target);
  return out;
}

inline Snapshot golden_start() {
  Snapshot out = node();
  out.time = WallTime{std::chrono::milliseconds{1714564770250}};
  out.peers.push_back(
      described_peer("node2", "10.45.0.12", "10.101.2.0/24", PeerState::kConfigured));
  out.peers.push_back(described_peer("node3", "fd45::13", "fd00:101:3::/64", PeerState::kLearnt));
  out.peers.push_back(
      described_peer("node4", "10.45.0.14", "10.101.4.0/24", PeerState::kCandidate));
  out.devices.push_back(device("ipsec0", DeviceRole::kReentry));
  out.devices.push_back(device("eth1"));
  out.devices[0].expected = true;
  out.devices[2].mode = AttachMode::kNone;
  out.devices[2].receive_attached = false;
  out.devices[2].transmit_attached = false;
  out.devices[2].why = "attach: Operation not permitted";
  out.mesh = golden_mesh();
  out.drops_seen = true;
  out.xfrm_errors = {{"XfrmInNoStates", 4}, {"XfrmOutPolBlock", 0}};
  out.sources = {{"file", true, "/etc/espial/espial.yaml"}, {"xfrm", false, "not permitted"}};
  out.maps = {{"ep_peer_stat", 3, 1025}, {"ep_net_stat", 2, 4097}};
  return out;
}

inline void end_golden_probe(PeerProbe& probe, WallTime time, unsigned answered, WireSeen transmit,
                             WireSeen receive, ProbeOutcome outcome, std::string why) {
  ProbeResult result = probe.last;
  result.sent = 1;
  result.answered = answered;
  if (answered > 0) result.fastest = std::chrono::microseconds{412};
  result.seen[at(Direction::TRANSMIT)] = transmit;
  result.seen[at(Direction::RECEIVE)] = receive;
  result.outcome = outcome;
  result.why = std::move(why);
  note(probe, std::move(result), time);
}

inline Probing golden_probing() {
  Probing out;
  out.interval = out.round = std::chrono::seconds{30};
  out.probes_per_second = 10;
  out.not_probed = {"node2: fd00:101:2::/64: no device has an address of fd00:101:1::/64"};
  out.peers["node2"].probes = {
      golden_probe("node2", ProbePath::HOST, "10.101.1.1", "10.101.2.1"),
      golden_probe("node2", ProbePath::FORWARD_THERE, "10.101.1.1", "10.101.2.9")};
  out.peers["node3"].probes = {
      golden_probe("node3", ProbePath::HOST, "fd00:101:1::1", "fd00:101:3::1")};
  return out;
}

inline Probing ended_golden_probing(WallTime time) {
  Probing out = golden_probing();
  auto& leaking = out.peers["node2"];
  end_golden_probe(leaking.probes[0], time, 1, {0, 0, 1, 0}, {0, 0, 1, 0}, ProbeOutcome::BOTH_LEAK,
                   "1 of 1 answered; on the wire 0 encrypted and 1 clear out, 0 and 1 in");
  for (int i = 0; i < 3; ++i)
    end_golden_probe(leaking.probes[1], time, 0, {1, 0, 0, 0}, {}, ProbeOutcome::LOST_THERE,
                     "0 of 1 answered; on the wire 1 encrypted and 0 clear out, 0 and 0 in");
  leaking.sent = 4;
  leaking.answered = 1;
  auto& encrypted = out.peers["node3"];
  end_golden_probe(encrypted.probes[0], time, 1, {1, 0, 0, 0}, {1, 0, 0, 0},
                   ProbeOutcome::ENCRYPTED,
                   "1 of 1 answered; on the wire 1 encrypted and 0 clear out, 1 and 0 in");
  encrypted.sent = encrypted.answered = 1;
  encrypted.black_holes = {{*IpAddress::parse("fd45::13"), 1500, 1400}};
  out.path_mtu_looked = time;
  return out;
}

inline void add_golden_traffic(Snapshot& snapshot) {
  PeerCounters& leaking = snapshot.peers[0].counters;
  count(leaking, Direction::RECEIVE, Class::CLEARTEXT, 12);
  count(leaking, Direction::RECEIVE, Class::IKE, 4);
  leaking.last_unprotected = {snapshot.time - std::chrono::seconds{5},
                              snapshot.time - std::chrono::milliseconds{500}};
  PeerCounters& encrypted = snapshot.peers[1].counters;
  count(encrypted, Direction::RECEIVE, Class::ESP, 2, Family::kIpv6);
  encrypted.decrypted[at(Family::kIpv6)] = {1000, 84000};
  encrypted.unattributed = 1;
  count(encrypted, Direction::TRANSMIT, Class::ESP, 998, Family::kIpv6);
  // What the modes of earlier left behind; counters never go back.
  enforce(encrypted, Action::kDrop, Direction::TRANSMIT, Reason::CLEARTEXT_TRANSIT,
          Class::CLEARTEXT_TRANSIT, 21);
  enforce(encrypted, Action::kDrop, Direction::TRANSMIT, Reason::CLEARTEXT, Class::CLEARTEXT, 3);
  encrypted.last_enforced[at(Action::kDrop)] = snapshot.time - std::chrono::seconds{2};
  encrypted.exempted[at(Direction::TRANSMIT)][at(Exemption::PMTU)] = 6;
  enforce(leaking, Action::kWouldDrop, Direction::TRANSMIT, Reason::CLEARTEXT_HOST,
          Class::CLEARTEXT_HOST, 1);
  leaking.last_enforced[at(Action::kWouldDrop)] = leaking.last_unprotected[at(Direction::TRANSMIT)];
  enforce(snapshot.no_peer, Action::kDrop, Direction::TRANSMIT, Reason::UNKNOWN_NODE,
          Class::UNKNOWN_NODE, 8);
  snapshot.no_peer.last_enforced[at(Action::kDrop)] = snapshot.time;
  encrypted.kernel.netfilter[at(Hook::FORWARD)][at(Family::kIpv6)] = 9;
  encrypted.kernel.reasons = {{"IP_RPFILTER", 2}, {"NETFILTER_DROP", 9}};
  snapshot.kernel_drops = encrypted.kernel;
  count(snapshot.no_peer, Direction::RECEIVE, Class::OTHER, 7);
  snapshot.networks = {{"node2", "backendnet", {12, 0}}, {"node3", "backendnet", {0, 0}}};
  snapshot.programs = {0, 8, "", ""};
  snapshot.gaps = {2, std::chrono::milliseconds{75}, std::chrono::milliseconds{25}, {}};
  snapshot.backstop = {
      true,
      8,
      7,
      "xfrm policy 10.101.2.0/24 -> 10.101.0.0/24: place: No buffer",
      {{"node4", "10.101.3.0/24: the exemption of 10.101.0.0/16 may be about it"}}};
  snapshot.outcomes[at(Outcome::SHORT_L4)] = 3;
  snapshot.lost[at(Lost::FLOW_EVENT_RATE)] = 5;
  snapshot.last_reload_successful = false;
  snapshot.last_reload_error = "espial.yaml:3: \"listne\": unknown key";
}

// Alarms of twenty minutes: resolved, flapping, firing of a peer and of the node, pending.
inline AlarmEngine golden_alarms() {
  AlarmEngine engine;
  Snapshot clock = golden_start();
  for (int second = 0; second <= 1200; second += 2) {
    std::vector<AlarmCondition> holding;
    if (second < 1000)
      holding.push_back({AlarmId::TunnelDown, "node3", "10.101.1.0/24 > 10.101.3.0/24: no SA"});
    if (second > 1080 && second / 20 % 2 == 0)
      holding.push_back(
          {AlarmId::CleartextHost, "node2", "3 packets received, 0 sent in clear in 60 s"});
    if (second > 1140)
      holding.push_back(
          {AlarmId::CleartextTraffic, "node2", "12 packets received, 0 sent in clear in 60 s"});
    if (second > 1150) holding.push_back({AlarmId::ConfigRejected, "", "espial.yaml:3: no"});
    if (second > 1194) holding.push_back({AlarmId::EventsLost, "", "5 flow_event_rate in 60 s"});
    (void)engine.step(holding, clock.time, clock.monotonic);
    wait(clock, std::chrono::seconds{2});
  }
  return engine;
}

inline std::shared_ptr<const Report> golden_report() {
  Evaluator evaluator;
  Snapshot snapshot = golden_start();
  evaluator.evaluate(snapshot, std::make_shared<const Probing>(golden_probing()));
  wait(snapshot, std::chrono::seconds{15});
  add_golden_traffic(snapshot);
  const auto probing = std::make_shared<const Probing>(ended_golden_probing(snapshot.time));
  evaluator.evaluate(snapshot, probing);
  wait(snapshot, std::chrono::seconds{15});
  return std::make_shared<const Report>(evaluator.evaluate(snapshot, probing).report);
}

// `peers` peers with traffic of every class, and `networks` networks each.
inline std::shared_ptr<const Report> busy_report(std::size_t peers, std::size_t networks = 1) {
  Snapshot snapshot = node();
  // As many as Linux 6.18 counts.
  for (int i = 0; i < 30; ++i) snapshot.xfrm_errors.push_back({"XfrmError" + std::to_string(i), 1});
  snapshot.drops_seen = true;
  for (std::size_t i = 0; i < peers; ++i) {
    snapshot.peers.push_back(peer("node" + std::to_string(10000 + i)));
    PeerCounters& counters = snapshot.peers.back().counters;
    counters.kernel.reasons = {{"NETFILTER_DROP", 1}, {"NOT_SPECIFIED", 2}};
    for (std::size_t c = 0; c < kClasses; ++c)
      for (const Direction d : {Direction::RECEIVE, Direction::TRANSMIT})
        count(counters, d, static_cast<Class>(c), 123456789 + i);
    for (EnforcedCells& cells : counters.enforced)
      for (auto& direction : cells) direction.fill({123456789 + i, 12345678900 + i});
    for (std::size_t n = 0; n < networks; ++n) {
      const std::string network = "net" + std::to_string(n);
      snapshot.networks.push_back({snapshot.peers.back().peer.name, network, {1, 2}});
      snapshot.peers.back().peer.backends.push_back({Prefix(), network, Origin::kFile});
    }
  }
  Evaluator evaluator;
  return std::make_shared<const Report>(evaluator.evaluate(snapshot).report);
}

inline std::shared_ptr<LatestReport> published(std::shared_ptr<const Report> report) {
  auto out = std::make_shared<LatestReport>();
  out->publish(std::move(report));
  return out;
}

}  // namespace espial::testing
