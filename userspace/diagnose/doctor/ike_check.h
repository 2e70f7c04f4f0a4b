// SPDX-License-Identifier: Apache-2.0
// Why there are no SAs: no IKE daemon runs on this node, its kernel has no ESP, or what became of
// charon's attempts. Pure.
#pragma once

#include <chrono>
#include <vector>

#include "model/doctor_report.h"
#include "model/facts/charon.h"
#include "model/facts/host.h"
#include "model/facts/ike_reach.h"
#include "model/mesh.h"
#include "model/topology.h"

namespace espial {

struct IkeInput {
  const Topology& topology;
  const MeshAudit& audit;
  const HostFacts& host;
  const CharonFacts& charon;
  const std::vector<IkeReach>& reach;  // of those that were asked
  std::chrono::system_clock::time_point now;
};

// Adds to report: findings "kernel_without_esp", "no_ike_daemon", "ike_unanswered" (an IKE_SA that
// is still CONNECTING), those of IkeTroubleKind where charon's log says what went wrong, and else
// "ike_refused" (packets wait for an SA, and no attempt to make one goes on). None where every pair
// is protected, whoever did it.
void check_ike(const IkeInput& input, DoctorReport& report);

}  // namespace espial
