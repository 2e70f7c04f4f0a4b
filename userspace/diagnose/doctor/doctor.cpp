// SPDX-License-Identifier: Apache-2.0
#include "diagnose/doctor/doctor.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "diagnose/doctor/checks.h"
#include "diagnose/doctor/ike_check.h"
#include "diagnose/doctor/switch_check.h"
#include "diagnose/lookup/fib.h"
#include "diagnose/paths/backend_paths.h"
#include "diagnose/paths/link_paths.h"
#include "model/alarms/alarms.h"

namespace espial {
namespace {

class Doctor {
 public:
  explicit Doctor(const DoctorInput& input)
      : in_(input), routes_(input.facts), fib_(input.facts, routes_) {}

  DoctorReport examine() {
    const auto paths = backend_paths(in_.topology, in_.facts, routes_, &in_.audit);
    check_underlays(in_.topology, in_.facts, routes_, in_.echoes, report_);
    check_own_routes(in_.topology, in_.facts, routes_, report_);
    check_switches({in_.topology, in_.facts, routes_, fib_, in_.sysctls, in_.ruleset, paths},
                   report_);
    firewall(paths);
    check_stale_devices(in_.ruleset, in_.facts, fib_, paths, report_);
    check_ike({in_.topology, in_.audit, in_.host, in_.charon, in_.ike, in_.now}, report_);
    mesh();
    one_way();
    std::stable_sort(report_.findings.begin(), report_.findings.end(), comes_before);
    return std::move(report_);
  }

 private:
  // IP first: a rule there explains more than what a device or a bridge adds.
  void firewall(const std::vector<BackendPath>& ip) {
    auto every = ip;
    const auto neighbours = neighbour_paths(in_.topology, in_.facts, routes_);
    every.insert(every.end(), neighbours.begin(), neighbours.end());
    const auto below = LinkPaths(in_.topology, in_.facts).below(every);
    every.insert(every.end(), below.begin(), below.end());
    check_firewall(in_.topology, in_.ruleset, fib_, every, report_);
  }

  // What the audit found, one finding per problem, however many pairs have it.
  void mesh() {
    if (!in_.audit.readable) report_.unknown.push_back("policies and SAs: " + in_.audit.reason);
    std::map<std::pair<PairProblem, std::string>, DoctorFinding> found;
    std::set<std::string> unknown;
    const auto take = [&](const PairFinding& problem, const std::string& peer,
                          const std::string& pair, std::optional<Family> family) {
      const auto cause = cause_of(problem.problem);
      if (verdict_of(problem.problem) == PairVerdict::kUnknown) unknown.insert(problem.evidence);
      if (!cause) return;
      // A trap without traffic has no SA and needs none.
      if (problem.problem == PairProblem::NO_SA && !waits(peer)) return;
      auto& finding =
          found.try_emplace({problem.problem, problem.remedy}, DoctorFinding{.cause = *cause})
              .first->second;
      if (finding.summary.empty()) {
        finding.summary = pair + problem.evidence;
        finding.family = family;
      } else if (finding.family != family) {
        finding.family.reset();
      }
      const std::string line = pair + problem.evidence;
      if (std::find(finding.evidence.begin(), finding.evidence.end(), line) ==
          finding.evidence.end())
        finding.evidence.push_back(line);
      if (finding.remedies.empty() && !problem.remedy.empty())
        finding.remedies.push_back(problem.remedy);
      if (!peer.empty() &&
          std::find(finding.peers.begin(), finding.peers.end(), peer) == finding.peers.end())
        finding.peers.push_back(peer);
    };
    for (const auto& problem : in_.audit.findings) take(problem, "", "", {});
    for (const auto& peer : in_.audit.peers)
      for (const auto& pair : peer.pairs)
        for (const auto& problem : pair.findings)
          take(problem, peer.peer, pair.own.text() + " > " + pair.theirs.text() + ": ",
               pair.own.family());
    for (auto& [key, finding] : found) report_.findings.push_back(std::move(finding));
    report_.unknown.insert(report_.unknown.end(), unknown.begin(), unknown.end());
  }

  // Each side's own audit may have nothing to say of what the other does.
  void one_way() {
    for (const auto& seen : in_.firing) {
      if (seen.alarm != rule_of(AlarmId::OneWayEncryption).name) continue;
      report_.findings.push_back(
          {.cause = Cause::ONE_WAY_ESP,
           .summary = seen.peer + ": ESP in one direction, cleartext in the other",
           .evidence = {seen.evidence},
           .remedies = {"espial audit, here and on " + seen.peer},
           .peers = {seen.peer}});
    }
  }

  bool waits(const std::string& peer) const {
    const auto* audit = in_.audit.find(peer);
    return audit != nullptr && audit->sas.larval > 0;
  }

  const DoctorInput& in_;
  RouteIndex routes_;
  Fib fib_;
  DoctorReport report_;
};

}  // namespace

std::vector<IpAddress> unprotected(const Topology& topology, const MeshAudit& audit) {
  std::vector<IpAddress> out;
  for (const auto& peer : audit.peers) {
    if (peer.verdict != PairVerdict::kExposed && peer.verdict != PairVerdict::kFailClosed) continue;
    const auto* its = topology.find(peer.peer);
    if (its == nullptr || its->state == PeerState::kCandidate) continue;
    for (const auto& underlay : its->underlays) out.push_back(underlay.address);
  }
  return out;
}

DoctorReport diagnose(const DoctorInput& input) { return Doctor(input).examine(); }

}  // namespace espial
