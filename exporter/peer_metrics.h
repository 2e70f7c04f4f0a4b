// SPDX-License-Identifier: Apache-2.0
// The metric families that have one or more series per peer.
#pragma once

#include <prometheus/metric_family.h>

#include <functional>

#include "exporter/metric_set.h"
#include "model/report.h"

namespace espial {

// Takes families one at a time, so that only one is in memory.
using FamilySink = std::function<void(prometheus::MetricFamily)>;

void visit_peer_families(const Report& report, MetricSet set, const FamilySink& sink);

}  // namespace espial
