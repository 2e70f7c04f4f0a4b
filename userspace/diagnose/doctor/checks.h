// SPDX-License-Identifier: Apache-2.0
// The checks that doctor.cpp calls: each adds its findings, and what it could not tell, to the
// report.
#pragma once

#include <string>
#include <vector>

#include "diagnose/lookup/fib.h"
#include "diagnose/lookup/route_index.h"
#include "diagnose/paths/backend_paths.h"
#include "model/doctor_report.h"
#include "model/facts/facts.h"
#include "model/facts/firewall.h"
#include "model/topology.h"

namespace espial {

// Which rule would lose backend traffic, and what to add so that it does not: walks every path of
// every pair, one finding per rule that decides. A remedy is tried on a copy of the rules first:
// what is proposed makes the packet pass, as far as the walk knows. Pure.
// Adds to report: findings "rule_drops", "esp_blocked", "ike_blocked", "path_mtu_blocked",
// "neighbours_blocked", and what the walk could not determine. paths: of every layer.
void check_firewall(const Topology& topology, const Ruleset& ruleset, const Fib& fib,
                    const std::vector<BackendPath>& paths, DoctorReport& report);

// Where would what arrives for this node's own pods go? Pure.
//
// A route to the whole subnet that another device has taken over is found; one to a part of it is
// not, which pods of their own have. Of several devices that hold addresses of the subnet each is
// right.
// Adds to report: findings "own_route". Of a subnet that no device holds nothing is said.
void check_own_routes(const Topology& topology, const KernelFacts& facts, const RouteIndex& routes,
                      DoctorReport& report);

// Rules that name a device by an index that no device has any more: nft translates `iif NAME` when
// the rule is made, and a bridge that is made anew gets another index (net/netfilter/nft_meta.c).
// Pure.
// Adds to report: findings "stale_device", as lost where packets would pass if the index were that
// of a device that they meet; the remedy names that device.
void check_stale_devices(const Ruleset& ruleset, const KernelFacts& facts, const Fib& fib,
                         const std::vector<BackendPath>& paths, DoctorReport& report);

}  // namespace espial
