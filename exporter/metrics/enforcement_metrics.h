// SPDX-License-Identifier: Apache-2.0
// The metric families about what enforcement did. A row that cannot occur (words.h) is no series.
#pragma once

#include "exporter/metrics/metric_set.h"
#include "exporter/metrics/peer_metrics.h"
#include "model/report.h"

namespace espial {

// full: dropped, would_drop and exempted, by reason. compact: dropped, of all reasons.
void visit_peer_enforcement(const Report& report, const PeerLabels& peers, MetricSet set,
                            const FamilySink& sink);

// The same of unknown nodes, which are no peer. compact: the packets only.
void visit_no_peer_enforcement(const Report& report, MetricSet set, const FamilySink& sink);

// Series of one peer in the full set.
std::size_t enforcement_series();

}  // namespace espial
