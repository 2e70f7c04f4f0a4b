// SPDX-License-Identifier: Apache-2.0
#include "diagnose/lookup/outer_flow.h"

#include "base/protocols.h"
#include "diagnose/lookup/flow_policy.h"

namespace espial {
namespace {}  // namespace

std::string OuterFlow::text() const {
  return device->name + " (" + device->kind + " " + local.text() + " > " + remote.text() +
         ", protocol " + std::to_string(protocol) + ")";
}

std::optional<OuterFlow> outer_flow(const RouteIndex& routes, const RouteFact* route,
                                    Family inner) {
  const auto* link = route == nullptr ? nullptr : routes.link(route->oif);
  if (link == nullptr || !link->tunnel) return std::nullopt;
  OuterFlow flow{link, link->tunnel->local, link->tunnel->remote, kProtocolGre, 0};
  if (!link->tunnel->gre)
    flow.protocol = inner == Family::kIpv4 ? kProtocolIpInIp : kProtocolIpv6InIp;
  if (flow.local.unspecified())
    flow.local = routes.source_to(host_prefix(flow.remote)).value_or(flow.local);
  if (const auto* out = routes.find(host_prefix(flow.remote))) flow.oif = out->oif;
  return flow;
}

const XfrmPolicyFact* deciding_policy(const PolicyIndex& index, PolicyDirection direction,
                                      const OuterFlow& flow) {
  const bool out = direction == PolicyDirection::kOut;
  Packet packet;
  packet.source = out ? flow.local : flow.remote;
  packet.destination = out ? flow.remote : flow.local;
  packet.protocol = flow.protocol;
  return policy_of(index, direction, packet, PolicyScope{flow.oif, false}).policy;
}

}  // namespace espial
