// SPDX-License-Identifier: Apache-2.0
// The metric families of the node itself, and of its alarms.
#pragma once

#include "exporter/metrics/metric_set.h"
#include "exporter/metrics/peer_metrics.h"
#include "model/report.h"

namespace espial {

void visit_node_families(const Report& report, MetricSet set, const FamilySink& sink);

// espial_alarm: 0 for every alarm that could be raised, 1 for those that fire.
void visit_alarms(const Report& report, MetricSet set, const FamilySink& sink);

}  // namespace espial
