// SPDX-License-Identifier: Apache-2.0
// What would this node do with a packet that starts here, at one of its addresses or at a pod, or
// that another node sends to one of them? The first packet of a ping, followed in the kernel's
// order: ip_output.c, ip_forward.c, ip_input.c, xfrm_policy.c, xfrm_output.c, xfrm_input.c. Pure.
//
// What arrives is taken to come as the policies here ask for it; with ESP offload and GRO its ESP
// meets no hook of IP, and that is not known. Not asked: reverse path filters, tc and XDP programs
// of others, the local table but for addresses.
#pragma once

#include <string>
#include <vector>

#include "model/explanation.h"
#include "model/facts/facts.h"
#include "model/facts/firewall.h"
#include "model/facts/host.h"

namespace espial {

// A peer's backend subnet whose cleartext espial's programs drop now.
struct EnforcedSubnet {
  Prefix prefix;
  std::string peer;
};

struct ExplainInput {
  const KernelFacts& facts;
  const Ruleset& ruleset;
  const SysctlFacts& sysctls;
  std::vector<EnforcedSubnet> enforced{};
  bool exempting = false;  // some cleartext is exempted from that
};

// Both of one family, and unicast.
Explanation explain(const ExplainInput& input, const IpAddress& source,
                    const IpAddress& destination);

}  // namespace espial
