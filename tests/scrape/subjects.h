// SPDX-License-Identifier: Apache-2.0
// What is held against each other: the same series as espial's text, and as prometheus-cpp's.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <vector>

#include "exporter/http/latest_report.h"
#include "exporter/metrics/collector.h"

namespace espial::scrape {

// Reports of one mesh in its next seconds: the same series, other values.
std::vector<std::shared_ptr<const Report>> reports_of(std::size_t peers, std::size_t count);

// prometheus-cpp as programs use it: an object for each series in a Registry, which is set and then
// collected and written by TextSerializer.
class RegistrySubject {
 public:
  // Takes over the series of these families, and their values one list after another.
  explicit RegistrySubject(const std::vector<prometheus::MetricFamily>& families);

  // The values of all series, in the families' order.
  static std::vector<double> values_of(const std::vector<prometheus::MetricFamily>& families);

  void set(const std::vector<double>& values);
  [[nodiscard]] std::string text() const;

 private:
  struct Object {
    prometheus::Counter* counter = nullptr;  // or
    prometheus::Gauge* gauge = nullptr;
  };

  prometheus::Registry registry_;
  std::vector<Object> objects_;
};

}  // namespace espial::scrape
