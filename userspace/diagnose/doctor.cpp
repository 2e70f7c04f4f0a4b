// SPDX-License-Identifier: Apache-2.0
#include "diagnose/doctor.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "diagnose/backend_paths.h"
#include "diagnose/firewall_check.h"

namespace espial {
namespace {

// In the order in which causes explain one another: without the underlay nothing else can work,
// without forwarding no rule is asked. Others come after, leaks before losses.
constexpr std::array kFirst = {"underlay_unreachable", "ike_blocked",   "esp_blocked",
                               "forwarding_off",       "xfrm_disabled", "rule_drops"};

std::size_t rank_of(const DoctorFinding& finding) {
  const auto at = std::find(kFirst.begin(), kFirst.end(), finding.cause);
  const auto place = static_cast<std::size_t>(at - kFirst.begin());
  if (finding.effect == Effect::kRisk) return 1000;
  return at != kFirst.end() ? place : finding.effect == Effect::kLeaks ? 100 : 200;
}

class Doctor {
 public:
  explicit Doctor(const DoctorInput& input) : in_(input), routes_(input.facts) {}

  DoctorReport examine() {
    underlays();
    forwarding();
    switched_off();
    check_firewall(in_.topology, in_.ruleset,
                   backend_paths(in_.topology, in_.facts, routes_, &in_.audit), report_);
    mesh();
    std::stable_sort(
        report_.findings.begin(), report_.findings.end(),
        [](const auto& one, const auto& other) { return rank_of(one) < rank_of(other); });
    return std::move(report_);
  }

 private:
  // An SA that has carried packets says more than a ping that somebody may filter.
  bool carries(const Peer& peer) const {
    bool in = false;
    bool out = false;
    for (const auto& state : in_.facts.states)
      for (const auto& underlay : peer.underlays) {
        in = in || (state.source == underlay.address && state.packets > 0);
        out = out || (state.destination == underlay.address && state.packets > 0);
      }
    return in && out;
  }

  void underlays() {
    for (const auto& peer : in_.topology.peers) {
      if (peer.state == PeerState::kCandidate) continue;
      std::vector<std::string> silent;
      std::size_t asked = 0;
      for (const auto& underlay : peer.underlays)
        for (const auto& echo : in_.echoes) {
          if (echo.address != underlay.address) continue;
          ++asked;
          if (!echo.answered) silent.push_back(echo.address.text() + " does not answer ping");
        }
      if (silent.empty() || silent.size() < asked) continue;
      const bool works = carries(peer);
      report_.findings.push_back(
          {"underlay_unreachable",
           works ? Effect::kRisk : Effect::kLost,
           works ? peer.name + " does not answer ping, though its SAs have carried packets"
                 : peer.name + " cannot be reached without any VPN",
           silent,
           {"ping " + peer.underlays.front().address.text() +
            ", then the cable, VLAN and firewall between the nodes"},
           {peer.name}});
    }
  }

  // Devices where packets for or from pods arrive.
  std::set<std::string> arriving(Family family) const {
    std::set<std::string> devices;
    for (const auto& path : backend_paths(in_.topology, in_.facts, routes_, nullptr))
      if (path.kind == PathKind::kPods && path.packet.family == family && path.packet.iif)
        devices.insert(*path.packet.iif);
    return devices;
  }

  void forwarding() {
    std::vector<std::string> off;
    std::string set;
    for (const auto& device : arriving(Family::kIpv4)) {
      const auto at = in_.sysctls.devices.find(device);
      if (at == in_.sysctls.devices.end() || at->second.forwarding_v4 != false) continue;
      off.push_back("net.ipv4.conf." + device + ".forwarding = 0");
      set += " net.ipv4.conf." + device + ".forwarding=1";
    }
    if (!off.empty())
      add_node({"forwarding_off",
                Effect::kLost,
                "this node does not forward IPv4",
                off,
                {"sysctl -w net.ipv4.ip_forward=1" + set},
                {}});
    if (in_.sysctls.forwarding_v6 == false && !arriving(Family::kIpv6).empty())
      add_node({"forwarding_off",
                Effect::kLost,
                "this node does not forward IPv6",
                {"net.ipv6.conf.all.forwarding = 0"},
                {"sysctl -w net.ipv6.conf.all.forwarding=1"},
                {}});
  }

  // Of the devices that routes to peers leave by. IPv6 has no such switch for encryption.
  void switched_off() {
    std::map<std::string, std::set<std::string>> leaving;
    for (const auto& peer : in_.topology.peers)
      for (const auto& theirs : peer.backends)
        if (const auto* route = routes_.find(theirs.prefix);
            route != nullptr && theirs.prefix.family() == Family::kIpv4)
          if (const auto* link = routes_.link(route->oif)) leaving[link->name].insert(peer.name);
    for (const auto& [device, peers] : leaving) {
      const auto at = in_.sysctls.devices.find(device);
      if (at == in_.sysctls.devices.end() || at->second.disable_xfrm_v4 != true) continue;
      const std::string key = "net.ipv4.conf." + device + ".disable_xfrm";
      report_.findings.push_back(
          {"xfrm_disabled",
           Effect::kLeaks,
           "IPv4 that leaves by " + device + " is never encrypted, whatever the policies say",
           {key + " = 1"},
           {"sysctl -w " + key + "=0"},
           {peers.begin(), peers.end()}});
    }
  }

  void add_node(DoctorFinding finding) { report_.findings.push_back(std::move(finding)); }

  static std::optional<Effect> effect_of(PairVerdict verdict) {
    switch (verdict) {
      case PairVerdict::kExposed:
        return Effect::kLeaks;
      case PairVerdict::kMisconfigured:
        return Effect::kLost;
      case PairVerdict::kFailClosed:
        return Effect::kLost;
      case PairVerdict::kProtected:
        return Effect::kRisk;
      case PairVerdict::kUserSpace:
      case PairVerdict::kUnknown:
        return std::nullopt;
    }
    return std::nullopt;
  }

  // What the audit found, one finding per problem, however many pairs have it.
  void mesh() {
    if (!in_.audit.readable) report_.unknown.push_back("policies and SAs: " + in_.audit.reason);
    std::map<std::pair<PairProblem, std::string>, DoctorFinding> found;
    std::set<std::string> unknown;
    const auto take = [&](const PairFinding& problem, const std::string& peer,
                          const std::string& pair) {
      const auto effect = effect_of(verdict_of(problem.problem));
      if (verdict_of(problem.problem) == PairVerdict::kUnknown) unknown.insert(problem.evidence);
      if (!effect || problem.problem == PairProblem::TUNNEL_ENCRYPTED) return;
      // A trap without traffic has no SA and needs none.
      if (problem.problem == PairProblem::NO_SA && !waits(peer)) return;
      auto& finding = found[{problem.problem, problem.remedy}];
      finding.cause = std::string(to_string(problem.problem));
      finding.effect = *effect;
      if (finding.summary.empty()) finding.summary = pair + problem.evidence;
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
    for (const auto& problem : in_.audit.findings) take(problem, "", "");
    for (const auto& peer : in_.audit.peers)
      for (const auto& pair : peer.pairs)
        for (const auto& problem : pair.findings)
          take(problem, peer.peer, pair.own.text() + " > " + pair.theirs.text() + ": ");
    for (auto& [key, finding] : found) report_.findings.push_back(std::move(finding));
    report_.unknown.insert(report_.unknown.end(), unknown.begin(), unknown.end());
  }

  bool waits(const std::string& peer) const {
    const auto* audit = in_.audit.find(peer);
    return audit != nullptr && audit->sas.larval > 0;
  }

  const DoctorInput& in_;
  RouteIndex routes_;
  DoctorReport report_;
};

}  // namespace

DoctorReport diagnose(const DoctorInput& input) { return Doctor(input).examine(); }

}  // namespace espial
