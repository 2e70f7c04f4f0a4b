// SPDX-License-Identifier: Apache-2.0
// Which backend addresses of a peer arrive, by this node's own policies, through another peer's
// tunnel: a hub that passes on what other sites send, or two peers behind one NAT address.
//
// The kernel checks a decrypted packet against the `in` or `fwd` policy that fits its addresses,
// and wants the SA to be the one that the policy's template names (net/xfrm/xfrm_policy.c,
// __xfrm_policy_check and xfrm_state_ok). So such a policy is the proof that the packet is meant,
// and its source is not spoofed. Pure.
#pragma once

#include <vector>

#include "model/facts/facts.h"
#include "model/topology.h"

namespace espial {

struct Relays {
  std::vector<Prefix> sources;     // each is a peer's backend subnet or lies in one; sorted
  std::vector<IpAddress> remotes;  // underlay addresses whose tunnels carry them; sorted
  bool operator==(const Relays&) const = default;
};

// A policy as narrow as a peer's subnet, or narrower, is a proof for its own prefix. A wider one,
// up to a default, is a proof for the subnets to which no policy of their own peer fits as well.
// What was found before stays as long as the topology has its addresses: policies go and come with
// charon, and the first packets after that are not spoofed either.
Relays find_relays(const Topology& topology, const std::vector<XfrmPolicyFact>& policies,
                   const Relays& former);

}  // namespace espial
