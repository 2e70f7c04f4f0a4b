// SPDX-License-Identifier: Apache-2.0
#include "exporter/collector.h"

#include "exporter/exposition.h"
#include "exporter/metric_builder.h"
#include "exporter/node_metrics.h"

namespace espial {

Collector::Collector(std::shared_ptr<const LatestReport> latest, std::string version,
                     MetricChoice choice)
    : latest_(std::move(latest)), version_(std::move(version)), choice_(choice) {}

void Collector::visit(const Report* report, const FamilySink& sink) const {
  // An empty family has a HELP line and no meaning: leave it out.
  const FamilySink non_empty = [&](prometheus::MetricFamily family) {
    if (!family.metric.empty()) sink(std::move(family));
  };
  auto build = MetricBuilder::gauge("espial_build_info", "1; the labels say which build this is.");
  build.add({{"version", version_}}, true);
  non_empty(std::move(build).take());
  if (report == nullptr) return;
  const MetricSet set = choose_metric_set(choice_, *report);
  visit_peer_families(*report, set, non_empty);
  visit_alarms(*report, set, non_empty);
  visit_node_families(*report, set, non_empty);
}

std::vector<prometheus::MetricFamily> Collector::Collect() const {
  std::vector<prometheus::MetricFamily> out;
  const auto report = latest_->get();
  visit(report.get(), [&](prometheus::MetricFamily family) { out.push_back(std::move(family)); });
  return out;
}

std::string Collector::text(const Report* report) const {
  std::string out;
  visit(report, [&](const prometheus::MetricFamily& family) { append_exposition(out, family); });
  return out;
}

}  // namespace espial
