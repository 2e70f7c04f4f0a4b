// SPDX-License-Identifier: Apache-2.0
#include "exposition/prometheus_cpp.h"

#include <utility>

namespace exposition {

prometheus::MetricFamily to_prometheus_cpp(const Family& family) {
  prometheus::MetricFamily out;
  const bool counter = family.type == Type::kCounter;
  out.name = family.name;
  out.help = family.help;
  out.type = counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
  out.metric.reserve(family.series.size());
  std::size_t begin = 0;
  for (const Series& series : family.series) {
    prometheus::ClientMetric& metric = out.metric.emplace_back();
    const std::string_view labels(family.labels);
    for (auto& [name, value] : pairs_of(labels.substr(begin, series.labels_end - begin)))
      metric.label.push_back({std::move(name), std::move(value)});
    (counter ? metric.counter.value : metric.gauge.value) = series.value;
    begin = series.labels_end;
  }
  return out;
}

}  // namespace exposition
