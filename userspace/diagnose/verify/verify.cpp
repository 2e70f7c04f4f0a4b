// SPDX-License-Identifier: Apache-2.0
#include "diagnose/verify/verify.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "diagnose/lookup/fib.h"
#include "diagnose/paths/backend_paths.h"
#include "diagnose/rules/rule_walk.h"

namespace espial {
namespace {

bool peer_in_scope(const Peer& peer, const ProbeScope& scope) {
  if (scope.peers.empty()) return peer.state != PeerState::kCandidate;
  return std::find(scope.peers.begin(), scope.peers.end(), peer.name) != scope.peers.end();
}

// The address of the bridge: the first one of the subnet.
IpAddress bridge_address(const Prefix& subnet) {
  if (subnet.length() == subnet.address().bits()) return subnet.address();
  auto bytes = subnet.address().bytes();
  bytes[subnet.address().bits() / 8 - 1] |= 1;
  return {subnet.family(), bytes.data()};
}

class Planner {
 public:
  Planner(const Topology& topology, const KernelFacts& facts, const std::vector<PodView>& pods,
          const ProbeScope& scope, std::vector<std::string>& unknown)
      : topology_(topology), facts_(facts), pods_(pods), scope_(scope), unknown_(unknown) {}

  std::vector<std::vector<PlannedProbe>> plan() {
    for (const auto& peer : topology_.peers) {
      if (!peer_in_scope(peer, scope_)) continue;
      for (const auto& theirs : peer.backends) add(peer, theirs);
      if (peer.backends.empty()) unknown_.push_back(peer.name + ": no backend subnet is known");
    }
    std::vector<std::vector<PlannedProbe>> out;
    for (auto& [key, stage] : stages_) out.push_back(std::move(stage));
    return out;
  }

 private:
  const BackendSubnet* own(const BackendSubnet& theirs) const {
    for (const auto& mine : topology_.self_backends)
      if (mine.network == theirs.network && mine.prefix.family() == theirs.prefix.family())
        return &mine;
    return nullptr;
  }

  std::optional<IpAddress> own_address(const Prefix& subnet) const {
    for (const auto& address : facts_.addresses)
      if (subnet.contains(address.address)) return address.address;
    return std::nullopt;
  }

  void add(const Peer& peer, const BackendSubnet& theirs) {
    const auto* mine = own(theirs);
    if (mine == nullptr) {
      unknown_.push_back(peer.name + ": " + theirs.prefix.text() +
                         ": this node has no subnet of the same network to probe from");
      return;
    }
    const auto here = own_address(mine->prefix);
    if (!here)
      unknown_.push_back(peer.name + ": " + theirs.prefix.text() +
                         ": no device has an address of " + mine->prefix.text());
    const auto bridge = bridge_address(theirs.prefix);
    const auto remote = remote_pods(theirs.prefix, bridge);
    if (here) {
      put({peer.name, ProbePath::HOST, *here, bridge, {}});
      for (const auto& pod : remote) put({peer.name, ProbePath::FORWARD_THERE, *here, pod, {}});
    }
    for (std::size_t i = 0; i < pods_.size(); ++i)
      for (const auto& address : pods_[i].addresses) {
        if (!mine->prefix.contains(address)) continue;
        put({peer.name, ProbePath::FORWARD_HERE, address, bridge, i});
        for (const auto& pod : remote) put({peer.name, ProbePath::PODS, address, pod, i});
        return;
      }
  }

  // Those that were asked for, else one that a local pod talks to.
  std::vector<IpAddress> remote_pods(const Prefix& subnet, const IpAddress& bridge) const {
    std::vector<IpAddress> out;
    for (const auto& pod : scope_.remote_pods)
      if (subnet.contains(pod) && pod != bridge) out.push_back(pod);
    if (!out.empty()) return out;
    for (const auto& pod : pods_)
      for (const auto& far : pod.connected)
        if (subnet.contains(far) && far != bridge) return {far};
    return out;
  }

  // One probe of a peer in a stage: the counts are the peer's.
  void put(PlannedProbe probe) {
    const auto family = probe.target.family();
    const auto turn = turns_[{probe.peer, family, probe.path}]++;
    stages_[{turn, family, probe.path}].push_back(std::move(probe));
  }

  const Topology& topology_;
  const KernelFacts& facts_;
  const std::vector<PodView>& pods_;
  const ProbeScope& scope_;
  std::vector<std::string>& unknown_;
  std::map<std::tuple<std::string, Family, ProbePath>, std::size_t> turns_;
  std::map<std::tuple<std::size_t, Family, ProbePath>, std::vector<PlannedProbe>> stages_;
};

// Of the family of what is inside where the packet shows it; AH and ESP without encryption show
// their outer family only.
bool shows_inner(Class klass) { return klass != Class::ESP_NULL && klass != Class::AH; }

std::string count_text(const ProbeResult& probe) {
  const auto& out = probe.seen[at(Direction::TRANSMIT)];
  const auto& in = probe.seen[at(Direction::RECEIVE)];
  return std::to_string(probe.answered) + " of " + std::to_string(probe.sent) +
         " answered; on the wire " + std::to_string(out.encrypted) + " encrypted and " +
         std::to_string(out.clear) + " clear out, " + std::to_string(in.encrypted) + " and " +
         std::to_string(in.clear) + " in";
}

bool explains(const DoctorFinding& finding, Effect effect, const ProbeResult& probe) {
  if (finding.effect != effect ||
      finding.family.value_or(probe.target.family()) != probe.target.family())
    return false;
  if (!finding.peers.empty() &&
      std::find(finding.peers.begin(), finding.peers.end(), probe.peer) == finding.peers.end())
    return false;
  const bool of_forward =
      finding.cause == Cause::RULE_DROPS || finding.cause == Cause::FORWARDING_OFF;
  return !of_forward || probe.path == ProbePath::FORWARD_HERE || probe.path == ProbePath::PODS;
}

// The first finding that explains it, with its remedy; false: none does.
bool quote(const DoctorReport& doctor, Effect effect, ProbeResult& probe) {
  for (const auto& finding : doctor.findings) {
    if (!explains(finding, effect, probe)) continue;
    probe.why = finding.summary + "; " + probe.why;
    probe.remedies = finding.remedies;
    return true;
  }
  return false;
}

bool waits_for_sa(const MeshAudit& audit, const ProbeResult& probe) {
  const auto* peer = audit.find(probe.peer);
  if (peer == nullptr) return false;
  return std::any_of(peer->pairs.begin(), peer->pairs.end(), [&](const PairAudit& pair) {
    return pair.verdict == PairVerdict::kFailClosed && pair.own.contains(probe.source) &&
           pair.theirs.contains(probe.target);
  });
}

ProbeOutcome of_answered(const ProbeResult& probe) {
  const auto enough = [&](const WireSeen& seen) {
    return seen.encrypted >= probe.answered || seen.segments > 0;
  };
  return enough(probe.seen[at(Direction::TRANSMIT)]) && enough(probe.seen[at(Direction::RECEIVE)])
             ? ProbeOutcome::ENCRYPTED
             : ProbeOutcome::UNSEEN;
}

// Nothing was clear, nothing was answered.
ProbeOutcome of_lost(ProbeResult& probe, const MeshAudit& audit, const DoctorReport& doctor) {
  const auto& out = probe.seen[at(Direction::TRANSMIT)];
  const auto& in = probe.seen[at(Direction::RECEIVE)];
  if (out.dropped > 0) {
    probe.why = "espial drops cleartext on transmit (" + std::to_string(out.dropped) +
                " packets); " + probe.why;
    return ProbeOutcome::LOST_HERE;
  }
  if (out.encrypted == 0 && waits_for_sa(audit, probe)) return ProbeOutcome::FAIL_CLOSED;
  if (quote(doctor, Effect::kLost, probe)) return ProbeOutcome::LOST_HERE;
  if (out.encrypted < probe.sent) return ProbeOutcome::LOST_HERE;
  return in.encrypted < probe.sent ? ProbeOutcome::LOST_THERE : ProbeOutcome::LOST;
}

std::string path_text(const BackendPath& path) {
  return path.from.text() + " > " + path.to.text() + ": ";
}

}  // namespace

std::vector<std::vector<PlannedProbe>> plan_probes(const Topology& topology,
                                                   const KernelFacts& facts,
                                                   const std::vector<PodView>& pods,
                                                   const ProbeScope& scope,
                                                   std::vector<std::string>& unknown) {
  return Planner(topology, facts, pods, scope, unknown).plan();
}

WireSeen seen_between(const PeerCounters& before, const PeerCounters& after, Direction direction,
                      Family family) {
  WireSeen seen;
  for (const Family outer : {Family::kIpv4, Family::kIpv6})
    for (std::size_t i = 0; i < kClasses; ++i) {
      const auto klass = static_cast<Class>(i);
      const auto packets = after.cell(direction, outer, klass).packets -
                           before.cell(direction, outer, klass).packets;
      if (coverage_of(klass) == Coverage::ENCRYPTED) seen.encrypted += packets;
      if (klass == Class::ESP_TCP) seen.segments += packets;
      if (coverage_of(klass) == Coverage::UNPROTECTED && (outer == family || !shows_inner(klass)))
        seen.clear += packets;
    }
  // With ESP GRO the programs see what was ESP on the wire only once it is decrypted.
  if (direction == Direction::RECEIVE) {
    std::uint64_t decrypted = 0;
    for (std::size_t f = 0; f < kFamilies; ++f)
      decrypted += after.decrypted[f].packets - before.decrypted[f].packets;
    seen.encrypted = std::max(seen.encrypted, decrypted);
  }
  for (std::size_t i = 0; i < kReasons; ++i)
    seen.dropped += after.enforced[at(Action::kDrop)][at(direction)][i].packets -
                    before.enforced[at(Action::kDrop)][at(direction)][i].packets;
  return seen;
}

void judge_probe(ProbeResult& probe, const MeshAudit& audit, const DoctorReport& doctor) {
  const bool out = probe.seen[at(Direction::TRANSMIT)].clear > 0;
  const bool in = probe.seen[at(Direction::RECEIVE)].clear > 0;
  probe.why = count_text(probe);
  if (out || in) {
    probe.outcome = out && in ? ProbeOutcome::BOTH_LEAK
                    : out     ? ProbeOutcome::WE_LEAK
                              : ProbeOutcome::PEER_LEAKS;
    if (out) quote(doctor, Effect::kLeaks, probe);
  } else if (probe.answered > 0) {
    probe.outcome = of_answered(probe);
  } else {
    probe.outcome = of_lost(probe, audit, doctor);
  }
}

std::vector<ForwardNote> walk_unexercised(const Topology& topology, const KernelFacts& facts,
                                          const Ruleset& ruleset, const MeshAudit& audit,
                                          const ProbeScope& scope,
                                          const std::vector<ProbeResult>& probes) {
  std::set<std::pair<std::string, Family>> exercised;
  for (const auto& probe : probes)
    if (probe.path == ProbePath::FORWARD_HERE || probe.path == ProbePath::PODS)
      exercised.insert({probe.peer, probe.target.family()});
  std::vector<ForwardNote> out;
  const RouteIndex routes(facts);
  const Fib fib(facts, routes);
  for (const auto& path : backend_paths(topology, facts, routes, &audit)) {
    const auto* peer = topology.find(path.peer);
    // Of the two packets that stand for a pod's: the one that no port decides about.
    if (path.kind != PathKind::kPods || path.packet.protocol == 6 || peer == nullptr ||
        !peer_in_scope(*peer, scope) || exercised.count({path.peer, path.packet.family}) != 0)
      continue;
    const auto walk = walk_rules(ruleset, path.packet, path.steps, &fib);
    ForwardNote note{path.peer, path.packet.family, path.direction, std::nullopt, path_text(path)};
    if (walk.fate != Fate::kUnknown) note.passes = walk.fate == Fate::kPassed;
    if (!ruleset.unread.empty() && note.passes == true) note.passes.reset();
    note.walk += std::string(to_string(walk.fate));
    for (const auto& culprit : walk.culprits) note.walk += " by " + culprit.text();
    for (const auto& reason : walk.reasons) note.walk += ", not understood: " + reason;
    for (const auto& line : walk.trace) note.walk += "; " + line;
    out.push_back(std::move(note));
  }
  return out;
}

}  // namespace espial
