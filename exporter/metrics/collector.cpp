// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics/collector.h"

#include <utility>

#include "exporter/metrics/families.h"
#include "exposition/text.h"

namespace espial {

Collector::Collector(std::string version, MetricChoice choice, Notified notified)
    : version_(std::move(version)), choice_(choice), notified_(std::move(notified)) {}

void Collector::visit(const Report* report, const FamilySink& sink) const {
  // An empty family has a HELP line and no meaning: leave it out.
  const FamilySink non_empty = [&](const exposition::Family& family) {
    if (!family.series.empty()) sink(family);
  };
  auto build =
      MetricBuilder::gauge("espial_build_info", "1, with the version of this build as a label.");
  build.add({{"version", version_}}, true);
  non_empty(std::move(build).take());
  if (notified_) visit_notifications(notified_(), non_empty);
  if (report == nullptr) return;
  const MetricSet set = choose_metric_set(choice_, *report);
  visit_peer_families(*report, set, non_empty);
  visit_probes(*report, set, non_empty);
  visit_alarms(*report, set, non_empty);
  visit_node_families(*report, set, non_empty);
}

void Collector::write(const Report* report,
                      const std::function<void(std::string_view)>& sink) const {
  std::string piece;
  visit(report, [&](const exposition::Family& family) {
    piece.clear();
    exposition::append_text(piece, family);
    sink(piece);
  });
}

std::string Collector::text(const Report* report) const {
  std::string out;
  write(report, [&](std::string_view piece) { out += piece; });
  return out;
}

}  // namespace espial
