// SPDX-License-Identifier: Apache-2.0
// audit_mesh: for every own subnet, every subnet of a peer and both directions: would the kernel
// protect this traffic, hold it back, or send it in clear? Asked of the SPD, the SAD and the routes
// as they are, before a packet flows.
//
// A pure function. It knows what net/xfrm/xfrm_policy.c does: the policy of the lowest priority
// value decides, a template demands its SA, no policy means clear, and what arrives is only refused
// in clear when an in or forward policy demands IPsec.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "model/facts/facts.h"
#include "model/facts/opensvc.h"
#include "model/mesh.h"
#include "model/topology.h"

namespace espial {

// What the firewall does to a pod's packet before IPsec looks at it.
struct NatJudgement {
  bool certain = false;  // false: perhaps
  std::string evidence;  // the rule, as its own tool prints it
  std::string remedy;    // commands after which it does not; "" when none was found
};

class RouteIndex;

struct AuditInput {
  const Topology& topology;
  const KernelFacts& facts;
  std::uint64_t now = 0;  // Unix seconds, as the SAs count them
  // NAT that would take packets from `own` to `theirs` out of their selectors; nothing: none. May
  // be empty: then it was not checked.
  std::function<std::optional<NatJudgement>(const RouteIndex& routes, const Prefix& own,
                                            const Prefix& theirs)>
      nat_before_ipsec;
  // Why there is no policy or SA, according to strongSwan; or nothing. May be empty.
  std::function<std::string(const Peer& peer, const Prefix& own, const Prefix& theirs)> explain;
  // The configuration of OpenSVC; null: not read.
  const OpensvcFacts* opensvc = nullptr;
};

MeshAudit audit_mesh(const AuditInput& input);

}  // namespace espial
