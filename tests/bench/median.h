// SPDX-License-Identifier: Apache-2.0
// Of values in any order, at least one.
#pragma once

#include <vector>

namespace espial::bench {

double median(std::vector<double> values);
// Distance of the quartiles.
double spread(std::vector<double> values);

}  // namespace espial::bench
