// SPDX-License-Identifier: Apache-2.0
// Metrics of the daemon's own probes; none exist while the configuration asks for none.
#pragma once

#include "exporter/metrics/metric_set.h"
#include "exporter/metrics/peer_metrics.h"
#include "model/report.h"

namespace espial {

inline constexpr std::size_t kProbeSeries = 3 * kFamilies;  // of one peer in the full set

// full: of each peer and family that is probed, known from the first scrape (0 until a probe
// ended). Both sets: how many ways to peers ended how.
void visit_probes(const Report& report, MetricSet set, const FamilySink& sink);

}  // namespace espial
