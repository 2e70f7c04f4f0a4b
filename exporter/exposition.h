// SPDX-License-Identifier: Apache-2.0
// The Prometheus text exposition format 0.0.4. The streams of prometheus-cpp's TextSerializer took
// most of the time of a scrape.
#pragma once

#include <prometheus/metric_family.h>

#include <string>

namespace espial {

// Appends one family of counters or gauges with finite values. Whole numbers below 2^53 appear as
// such, others as short as they can be read back.
void append_exposition(std::string& out, const prometheus::MetricFamily& family);

}  // namespace espial
