// SPDX-License-Identifier: Apache-2.0
// OuterFlow: what a tunnel device makes of packets, as the kernel's policies see it.
//
// A packet that is routed into an ipip, sit, ip6tnl or gre device is looked up in the SPD twice: as
// it is, before the device gets it, and then in its outer header, which the device routes anew
// (ip_tunnel_xmit(), ip6_tnl_xmit(), ipip6_tunnel_xmit()). A policy for the inner packet takes it
// past the device: ESP then goes straight to the template's address. Verified on 6.1 and 6.12.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "diagnose/lookup/policy_index.h"
#include "diagnose/lookup/route_index.h"
#include "model/facts/facts.h"

namespace espial {

struct OuterFlow {
  const LinkFact* device = nullptr;
  IpAddress local;
  IpAddress remote;
  std::uint8_t protocol = 0;  // 4, 41 or 47
  int oif = 0;                // where the outer packet leaves

  // "tun2 (ipip 10.45.0.11 > 10.45.0.12, protocol 4)"
  [[nodiscard]] std::string text() const;
};

// Nothing: the route leads into no tunnel device with one far end.
std::optional<OuterFlow> outer_flow(const RouteIndex& routes, const RouteFact* route, Family inner);

// The policy of this direction's index that decides about the outer packets; null: none.
const XfrmPolicyFact* deciding_policy(const PolicyIndex& index, PolicyDirection direction,
                                      const OuterFlow& flow);

}  // namespace espial
