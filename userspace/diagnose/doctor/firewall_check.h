// SPDX-License-Identifier: Apache-2.0
// Which rule would lose backend traffic, and what to add so that it does not: walks every path of
// every pair, one finding per rule that decides. A remedy is tried on a copy of the rules first:
// what is proposed makes the packet pass, as far as the walk knows. Pure.
#pragma once

#include <string>
#include <vector>

#include "diagnose/lookup/fib.h"
#include "diagnose/paths/backend_paths.h"
#include "model/doctor_report.h"
#include "model/facts/firewall.h"

namespace espial {

// Adds to report: findings "rule_drops", "esp_blocked", "ike_blocked", "path_mtu_blocked",
// "neighbours_blocked", and what the walk could not determine. paths: of every layer.
void check_firewall(const Topology& topology, const Ruleset& ruleset, const Fib& fib,
                    const std::vector<BackendPath>& paths, DoctorReport& report);

}  // namespace espial
