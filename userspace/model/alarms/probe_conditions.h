// SPDX-License-Identifier: Apache-2.0
// The conditions of alarms about the daemon's own probes.
#pragma once

#include <vector>

#include "model/alarms/alarms.h"
#include "model/probing.h"

namespace espial {

// Of ProbeFailed: so many in a row.
inline constexpr unsigned kProbeFailures = 3;

// Ways whose last probes all failed, and underlays on whose way large packets vanish.
void add_probe_conditions(std::vector<AlarmCondition>& out, const Probing& probing);

}  // namespace espial
