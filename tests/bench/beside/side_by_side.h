// SPDX-License-Identifier: Apache-2.0
// What a packet costs that passes through a node (in at one veth, forwarded, out at another), with
// nothing watching it, with espial, and with other tools doing the same job.
#pragma once

#include <vector>

#include "base/result.h"
#include "bench/measure.h"
#include "bench/report.h"

namespace espial::bench {

// Moves the calling thread into a network namespace of its own, for good.
Result<std::vector<Row>> measure_side_by_side(const Effort& effort);

}  // namespace espial::bench
