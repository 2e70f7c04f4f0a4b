// SPDX-License-Identifier: Apache-2.0
// For programs that use prometheus-cpp's exposer or gateway: its families from ours.
#pragma once

#include <prometheus/metric_family.h>

#include "exposition/family.h"

namespace exposition {

// What a prometheus::Collectable returns.
[[nodiscard]] prometheus::MetricFamily to_prometheus_cpp(const Family& family);

}  // namespace exposition
