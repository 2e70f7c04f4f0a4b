// SPDX-License-Identifier: Apache-2.0
// MetricBuilder: one metric with its help and its series, in the making.
#pragma once

#include <prometheus/metric_family.h>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace espial {

// A label value that every Prometheus accepts: bytes that are not UTF-8, and control characters,
// become U+FFFD. One such byte (a device name may hold any) would otherwise spoil a whole scrape.
std::string label_text(std::string_view text);

// Unix time as a gauge carries it: whole milliseconds, which a double holds exactly enough to print
// them back.
double timestamp_seconds(std::chrono::system_clock::time_point time);

class MetricBuilder {
 public:
  using LabelList = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // name of a counter ends in _total.
  static MetricBuilder counter(std::string_view name, std::string_view help);
  static MetricBuilder gauge(std::string_view name, std::string_view help);

  MetricBuilder& add(LabelList labels, double value);
  MetricBuilder& add(LabelList labels, std::uint64_t value) {
    return add(labels, static_cast<double>(value));
  }
  MetricBuilder& add(LabelList labels, bool value) { return add(labels, value ? 1.0 : 0.0); }

  [[nodiscard]] prometheus::MetricFamily take() && { return std::move(family_); }

 private:
  MetricBuilder(std::string_view name, std::string_view help, prometheus::MetricType type);

  prometheus::MetricFamily family_;
};

}  // namespace espial
