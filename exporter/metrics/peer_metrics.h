// SPDX-License-Identifier: Apache-2.0
// The metric families that have one or more series per peer.
#pragma once

#include "exporter/metrics/metric_builder.h"
#include "exporter/metrics/metric_set.h"
#include "model/report.h"

namespace espial {

void visit_peer_families(const Report& report, MetricSet set, const FamilySink& sink);

}  // namespace espial
