// SPDX-License-Identifier: Apache-2.0
// What would this node do with a packet that starts here, at one of its addresses or at a pod? The
// first packet of a ping, followed in the kernel's order: ip_output.c, ip_forward.c,
// xfrm_policy.c, xfrm_output.c. Pure.
//
// Not asked: reverse path filters, tc and XDP programs (espial's own enforcement is one), the local
// table but for addresses.
#pragma once

#include "model/explain.h"
#include "model/facts.h"
#include "model/firewall.h"
#include "model/sysctls.h"

namespace espial {

struct ExplainInput {
  const KernelFacts& facts;
  const Ruleset& ruleset;
  const SysctlFacts& sysctls;
};

// Both of one family, and unicast.
Explanation explain(const ExplainInput& input, const IpAddress& source,
                    const IpAddress& destination);

}  // namespace espial
