// SPDX-License-Identifier: Apache-2.0
// What the kernel dropped of the mesh's packets.
//
// espial_netfilter_dropped_packets_total: every hook and family from the first scrape.
// espial_kernel_dropped_packets_total: a reason has a series from its first packet on; kernels know
// over a hundred. The compact set has the node's sums, without peer.
#pragma once

#include "exporter/metrics/peer_metrics.h"

namespace espial {

// Series of a peer in the full set, reasons apart.
inline constexpr std::size_t kNetfilterSeries = kHooks * kFamilies;

void visit_drops(const Report& report, const PeerLabels& peers, MetricSet set,
                 const FamilySink& sink);

}  // namespace espial
