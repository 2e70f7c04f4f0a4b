// SPDX-License-Identifier: Apache-2.0
// Metrics of the control plane: policies and SAs per peer, the kernel's XFRM errors.
#pragma once

#include "exporter/metrics/metric_set.h"
#include "exporter/metrics/peer_metrics.h"
#include "model/report.h"

namespace espial {

inline constexpr std::size_t kPeerSaSeries = 7;  // of one peer, beside those of its networks

// Per peer; an expected tunnel that is down is 0, never absent. Not in the compact set.
void visit_peer_mesh(const Report& report, const PeerLabels& peers, const FamilySink& sink);
// About the node. compact: only those that show a mesh with inconsistent policies or SAs.
void visit_xfrm_errors(const Snapshot& snapshot, MetricSet set, const FamilySink& sink);

}  // namespace espial
