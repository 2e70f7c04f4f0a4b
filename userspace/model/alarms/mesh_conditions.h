// SPDX-License-Identifier: Apache-2.0
// The conditions of alarms about policies, SAs and what the kernel's XFRM refuses: pure functions.
#pragma once

#include <vector>

#include "model/alarms/alarms.h"
#include "model/traffic/xfrm_errors.h"

namespace espial {

// Adds those of the control plane: what policies and SAs would do (Snapshot::mesh), and what the
// kernel's XFRM counts as errors.
void add_mesh_conditions(std::vector<AlarmCondition>& out, const Snapshot& snapshot,
                         const NodeWindow& window, const XfrmErrorReport& errors);

// growth: of received ESP that no SA took, by peer.
void add_unknown_spi(std::vector<AlarmCondition>& out, const XfrmErrorReport& growth);

}  // namespace espial
