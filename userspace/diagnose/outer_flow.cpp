// SPDX-License-Identifier: Apache-2.0
#include "diagnose/outer_flow.h"

#include <algorithm>
#include <tuple>

namespace espial {
namespace {

constexpr std::uint8_t kIpInIp = 4;
constexpr std::uint8_t kIpv6InIp = 41;
constexpr std::uint8_t kGre = 47;

Prefix host(const IpAddress& address) { return {address, address.bits()}; }

// A tunnel's packets have no ports; of GRE their place holds the key, which nobody compares here.
bool takes(const XfrmPolicyFact& policy, std::uint8_t protocol) {
  return policy.protocol == protocol && policy.source_port.mask == 0 &&
         policy.destination_port.mask == 0;
}

auto order(const XfrmPolicyFact* policy) {
  return std::tie(policy->priority, policy->added, policy->index);
}

}  // namespace

std::string OuterFlow::text() const {
  return device->name + " (" + device->kind + " " + local.text() + " > " + remote.text() +
         ", protocol " + std::to_string(protocol) + ")";
}

std::optional<OuterFlow> outer_flow(const RouteIndex& routes, const RouteFact* route,
                                    Family inner) {
  const auto* link = route == nullptr ? nullptr : routes.link(route->oif);
  if (link == nullptr || !link->tunnel) return std::nullopt;
  OuterFlow flow{link, link->tunnel->local, link->tunnel->remote, kGre, 0};
  if (!link->tunnel->gre) flow.protocol = inner == Family::kIpv4 ? kIpInIp : kIpv6InIp;
  if (flow.local.unspecified())
    flow.local = routes.source_to(host(flow.remote)).value_or(flow.local);
  if (const auto* out = routes.find(host(flow.remote))) flow.oif = out->oif;
  return flow;
}

const XfrmPolicyFact* deciding_policy(const PolicyIndex& index, const OuterFlow& flow) {
  const auto decision =
      index.decide(host(flow.local), host(flow.remote), PolicyScope{flow.oif, false});
  // Two hosts cannot be cut into pieces. Slices are those for one protocol that are asked before.
  const XfrmPolicyFact* best = decision.pieces.empty() ? nullptr : decision.pieces.front().policy;
  for (const auto* slice : decision.slices)
    if (takes(*slice, flow.protocol) && (best == nullptr || order(slice) < order(best)))
      best = slice;
  return best;
}

}  // namespace espial
