// SPDX-License-Identifier: Apache-2.0
// Switches of the kernel that lose backend packets or let them pass unprotected. Pure.
// net/ipv4/ip_forward.c, net/ipv4/fib_frontend.c (fib_validate_source: what came through IPsec is
// not filtered by its reverse path), net/ipv4/route.c, net/bridge/br_netfilter_hooks.c.
#pragma once

#include <vector>

#include "diagnose/lookup/fib.h"
#include "diagnose/lookup/route_index.h"
#include "diagnose/paths/backend_paths.h"
#include "model/doctor_report.h"
#include "model/facts/facts.h"
#include "model/facts/firewall.h"
#include "model/facts/host.h"
#include "model/topology.h"

namespace espial {

struct SwitchInput {
  const Topology& topology;
  const KernelFacts& facts;
  const RouteIndex& routes;
  const Fib& fib;
  const SysctlFacts& sysctls;
  const Ruleset& ruleset;
  const std::vector<BackendPath>& paths;
};

// Adds to report: findings "forwarding_off", "xfrm_disabled", "policy_disabled",
// "reverse_path_filter" and "bridge_rules".
void check_switches(const SwitchInput& input, DoctorReport& report);

}  // namespace espial
