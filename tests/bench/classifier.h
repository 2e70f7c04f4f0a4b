// SPDX-License-Identifier: Apache-2.0
// What the classifier costs per packet above an empty tc program.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "bench/cases.h"
#include "bench/measure.h"
#include "bench/report.h"

namespace espial::bench {

// Of the rows whose name contains `only`. Fails when a frame does not get the class that its row
// claims to measure.
Result<std::vector<Row>> measure_classifier(const Effort& effort, bool quick,
                                            const std::string& only);

// Whether this tree gives each frame the class that its row claims to measure.
Status expect_classes(const std::vector<Case>& cases);

}  // namespace espial::bench
