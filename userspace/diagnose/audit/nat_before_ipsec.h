// SPDX-License-Identifier: Apache-2.0
// Would a NAT rule rewrite a packet before IPsec sees its selector? POSTROUTING runs on the inner
// packet before it is encrypted, so a masquerade there leaves it outside the policy.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diagnose/rules/rule_walk.h"

namespace espial {

struct NatBeforeIpsec {
  bool certain = false;  // false: perhaps, by rules that are not understood or fields not known
  std::vector<NatEvidence> rules;
  std::string what;  // "source rewritten by ip nat POSTROUTING: ..."
  std::vector<std::string> reasons;
};

// packet: the first one of a connection, from a pod (forwarded) or from this host. A tracking that
// is unknown is taken as new. Nothing: no rule does, or the packet does not get there.
std::optional<NatBeforeIpsec> nat_before_ipsec(const Ruleset& ruleset, Packet packet,
                                               std::span<const WalkStep> steps,
                                               const Fib* fib = nullptr);

}  // namespace espial
