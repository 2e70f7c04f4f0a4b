// SPDX-License-Identifier: Apache-2.0
// Drop rates: what it costs to drop one 64-byte packet that came in clear, for espial and for other
// tools doing the same job, over an empty native XDP program that drops everything.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "bench/measure.h"
#include "bench/report.h"

namespace espial::bench {

struct Drops {
  std::vector<Row> rows;             // drop_TRAFFIC_TOOL
  std::vector<std::string> remarks;  // what could not be measured, and why
};

// Moves the calling thread into network and mount namespaces of its own, for good. Only rows whose
// name contains `only`. Error: a packet got past a tool, or was not counted by it.
Result<Drops> measure_drops(const Effort& effort, const std::string& only);

// The rows as rates, each tool held against the goal of espial's native XDP.
std::string rates_of(const Drops& drops);

}  // namespace espial::bench
