// SPDX-License-Identifier: Apache-2.0
// The families of a report as prometheus-cpp has them: another library's view of what is served.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "exporter/metrics/collector.h"
#include "exposition/prometheus_cpp.h"

namespace espial::testing {

// report may be null.
inline std::vector<prometheus::MetricFamily> collect(const Collector& collector,
                                                     const Report* report) {
  std::vector<prometheus::MetricFamily> out;
  collector.visit(report, [&](const exposition::Family& family) {
    out.push_back(exposition::to_prometheus_cpp(family));
  });
  return out;
}

}  // namespace espial::testing
