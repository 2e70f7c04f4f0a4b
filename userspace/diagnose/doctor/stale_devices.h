// SPDX-License-Identifier: Apache-2.0
// Rules that name a device by an index that no device has any more: nft translates `iif NAME` when
// the rule is made, and a bridge that is made anew gets another index (net/netfilter/nft_meta.c).
// Pure.
#pragma once

#include <vector>

#include "diagnose/lookup/fib.h"
#include "diagnose/paths/backend_paths.h"
#include "model/doctor_report.h"
#include "model/facts/facts.h"
#include "model/facts/firewall.h"

namespace espial {

// Adds to report: findings "stale_device", as lost where packets would pass if the index were that
// of a device that they meet; the remedy names that device.
void check_stale_devices(const Ruleset& ruleset, const KernelFacts& facts, const Fib& fib,
                         const std::vector<BackendPath>& paths, DoctorReport& report);

}  // namespace espial
