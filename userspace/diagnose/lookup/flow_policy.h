// SPDX-License-Identifier: Apache-2.0
// What IPsec would do with one packet: the XFRM policy that decides, its template, its SA
// (net/xfrm/xfrm_policy.c, xfrm_lookup_with_ifid()). Pure.
#pragma once

#include <string>

#include "diagnose/lookup/packet.h"
#include "diagnose/lookup/policy_index.h"
#include "diagnose/lookup/route_index.h"
#include "diagnose/lookup/state_index.h"

namespace espial {

struct FlowPolicy {
  enum class Kind : std::uint8_t {
    kNone,     // no policy: the default counts
    kClear,    // a policy that lets it pass as it is
    kBlocked,  // a policy that drops it
    kHeld,     // a template without SA
    kProtect,  // a template and its SA
    kUnknown,
  };
  Kind kind = Kind::kNone;
  const XfrmPolicyFact* policy = nullptr;
  std::vector<const XfrmStateFact*> states;  // of kProtect: one of these
  IpAddress outer_source;                    // of kHeld and kProtect
  IpAddress outer_destination;
  std::string why;  // of kUnknown

  [[nodiscard]] bool encrypts() const;  // every SA that may be taken: ESP with a cipher
};

// "ESP SPI 0x00000001", "AH SPI ..."
std::string sa_text(const XfrmStateFact& state);

// Which policy of this direction takes the packet; its protocol and addresses must be known.
FlowPolicy policy_of(const PolicyIndex& index, PolicyDirection direction, const Packet& packet,
                     const PolicyScope& scope);

// The same for what leaves, with its SA.
FlowPolicy protection_of(const PolicyIndex& out, const StateIndex& states, const RouteIndex& routes,
                         const Packet& packet, const PolicyScope& scope);

}  // namespace espial
