// SPDX-License-Identifier: Apache-2.0
// The metric families: each function gives those of its file to the sink.
#pragma once

#include "exporter/metrics/metric_builder.h"
#include "exporter/metrics/metric_set.h"
#include "model/receiver_status.h"
#include "model/report.h"

namespace espial {

// The metric families that have one or more series per peer.
void visit_peer_families(const Report& report, MetricSet set, const FamilySink& sink);

// The metric families about what enforcement did. A row that cannot occur (words.h) is no series.
//
// full: dropped, would_drop and exempted, by reason. compact: dropped, of all reasons.
void visit_peer_enforcement(const Report& report, const PeerLabels& peers, MetricSet set,
                            const FamilySink& sink);

// The same of unknown nodes, which are no peer. compact: the packets only.
void visit_no_peer_enforcement(const Report& report, MetricSet set, const FamilySink& sink);

// Series of one peer in the full set.
std::size_t enforcement_series();

// What the kernel dropped of the mesh's packets.
//
// espial_netfilter_dropped_packets_total: every hook and family from the first scrape.
// espial_kernel_dropped_packets_total: a reason has a series from its first packet on; kernels know
// over a hundred. The compact set has the node's sums, without peer.

// Series of a peer in the full set, reasons apart.
inline constexpr std::size_t kNetfilterSeries = kHooks * kFamilies;

void visit_drops(const Report& report, const PeerLabels& peers, MetricSet set,
                 const FamilySink& sink);

// Metrics of the control plane: policies and SAs per peer, the kernel's XFRM errors.

inline constexpr std::size_t kPeerSaSeries = 7;  // of one peer, beside those of its networks

// Per peer; an expected tunnel that is down is 0, never absent. Not in the compact set.
void visit_peer_mesh(const Report& report, const PeerLabels& peers, const FamilySink& sink);
// About the node. compact: only those that show a mesh with inconsistent policies or SAs.
void visit_xfrm_errors(const Snapshot& snapshot, MetricSet set, const FamilySink& sink);

// Metrics of the daemon's own probes; none exist while the configuration asks for none.

inline constexpr std::size_t kProbeSeries = 3 * kFamilies;  // of one peer in the full set

// full: of each peer and family that is probed, known from the first scrape (0 until a probe
// ended). Both sets: how many ways to peers ended how.
void visit_probes(const Report& report, MetricSet set, const FamilySink& sink);

// The metric families of the node itself, and of its alarms.
void visit_node_families(const Report& report, MetricSet set, const FamilySink& sink);

// espial_alarm: 0 for every alarm that could be raised, 1 for those that fire.
void visit_alarms(const Report& report, MetricSet set, const FamilySink& sink);

// The metric families about alarms on their way to receivers: five series for each. Nothing if
// there are no receivers.
void visit_notifications(const NotifyStatus& status, const FamilySink& sink);

}  // namespace espial
