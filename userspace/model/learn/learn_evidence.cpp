// SPDX-License-Identifier: Apache-2.0
#include "model/learn/learn_evidence.h"

#include <algorithm>
#include <unordered_set>

#include "model/prefix_map.h"

namespace espial {
namespace {

struct TunnelHash {
  std::size_t operator()(const Tunnel& t) const noexcept {
    std::size_t h = AddressHash{}(t.peer);
    const auto mix = [&](std::size_t v) { h = (h * 0x9e3779b97f4a7c15u) ^ v; };
    mix(PrefixHash{}(t.own_subnet));
    mix(PrefixHash{}(t.peer_subnet));
    mix(t.reqid);
    if (t.self) mix(AddressHash{}(*t.self));
    return h;
  }
};

std::string selector(const XfrmPolicyFact& policy) {
  return policy.source.text() + " -> " + policy.destination.text();
}

bool usable_underlay(const IpAddress& underlay) {
  return !underlay.unspecified() && !underlay.multicast() && !underlay.loopback();
}

Tunnel tunnel_of_policy(const XfrmPolicyFact& policy) {
  const bool out = policy.direction == PolicyDirection::kOut;
  Tunnel tunnel;
  tunnel.peer = out ? policy.template_destination : policy.template_source;
  const auto& self = out ? policy.template_source : policy.template_destination;
  if (usable_underlay(self)) tunnel.self = self;
  tunnel.own_subnet = out ? policy.source : policy.destination;
  tunnel.peer_subnet = out ? policy.destination : policy.source;
  tunnel.reqid = policy.reqid;
  return tunnel;
}

}  // namespace

void Findings::add(const std::string& kind, std::string line) {
  kinds_[kind].insert(std::move(line));
}

std::vector<std::string> Findings::lines() const {
  std::vector<std::string> out;
  for (const auto& [kind, lines] : kinds_) {
    const auto shown = std::min(kLinesPerKind, lines.size());
    out.insert(out.end(), lines.begin(), std::next(lines.begin(), static_cast<long>(shown)));
    if (lines.size() > shown)
      out.push_back(kind + ": " + std::to_string(lines.size() - shown) + " more like this");
  }
  return out;
}

std::vector<Tunnel> tunnels_of(const std::vector<XfrmPolicyFact>& policies, Findings& findings) {
  std::unordered_set<Tunnel, TunnelHash> seen;
  for (const auto& policy : policies) {
    if (!policy.allow || !policy.has_template) continue;
    if (!policy.tunnel_mode) {
      findings.add("transport mode policies",
                   "policy " + selector(policy) + ": transport mode names no backend subnet");
      continue;
    }
    auto tunnel = tunnel_of_policy(policy);
    if (!usable_underlay(tunnel.peer)) {
      findings.add("policies without a peer address",
                   "policy " + selector(policy) + ": its template names no peer address");
      continue;
    }
    seen.insert(std::move(tunnel));
  }
  std::vector<Tunnel> tunnels(seen.begin(), seen.end());
  std::sort(tunnels.begin(), tunnels.end());
  return tunnels;
}

}  // namespace espial
