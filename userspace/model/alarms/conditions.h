// SPDX-License-Identifier: Apache-2.0
// The conditions of alarms, from what one evaluation knows: pure functions.
#pragma once

#include <vector>

#include "model/alarms/alarms.h"
#include "model/probing.h"
#include "model/traffic/xfrm_errors.h"

namespace espial {

// Adds those of the control plane: what policies and SAs would do (Snapshot::mesh), and what the
// kernel's XFRM counts as errors.
void add_mesh_conditions(std::vector<AlarmCondition>& out, const Snapshot& snapshot,
                         const NodeWindow& window, const XfrmErrorReport& errors);

// growth: of received ESP that no SA took, by peer.
void add_unknown_spi(std::vector<AlarmCondition>& out, const XfrmErrorReport& growth);

// Of ProbeFailed: so many in a row.
inline constexpr unsigned kProbeFailures = 3;

// Ways whose last probes all failed, and underlays on whose way large packets vanish.
void add_probe_conditions(std::vector<AlarmCondition>& out, const Probing& probing);

}  // namespace espial
