// SPDX-License-Identifier: Apache-2.0
#include "bench/median.h"

#include <algorithm>

namespace espial::bench {
namespace {

double quantile(std::vector<double>& values, double at) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(static_cast<double>(values.size() - 1) * at + 0.5)];
}

}  // namespace

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double spread(std::vector<double> values) {
  return quantile(values, 0.75) - quantile(values, 0.25);
}

}  // namespace espial::bench
