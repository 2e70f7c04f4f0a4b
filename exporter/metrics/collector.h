// SPDX-License-Identifier: Apache-2.0
// Collector: the latest report as Prometheus metrics; metric_set.h says which.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/metrics/latest_report.h"
#include "exporter/metrics/metric_builder.h"
#include "exporter/metrics/metric_set.h"
#include "model/receiver_status.h"

namespace espial {

// Reads one ready report per scrape; never blocks on the kernel, the daemon or another scrape.
// Every series that can ever exist for the peers, devices and sources of the report is there from
// the first scrape, but reasons of the kernel's drops (drop_metrics.h). Before the first report
// there is espial_build_info only. Thread-safe. espial's own endpoint serves text(); Collect() says
// the same to prometheus-cpp's exposer and gateway.
class Collector : public prometheus::Collectable {
 public:
  // What became of alarms on their way to receivers. Any thread calls it; it does not wait.
  using Notified = std::function<NotifyStatus()>;

  // notified: empty where nobody is told of alarms.
  Collector(std::shared_ptr<const LatestReport> latest, std::string version, MetricChoice choice,
            Notified notified = {});

  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override;

  // The same families one at a time, so that memory holds one.
  void visit(const Report* report, const FamilySink& sink) const;

  // The text exposition format 0.0.4 of all families of this report, which may be null: a piece for
  // each, or the whole.
  void write(const Report* report, const std::function<void(std::string_view)>& sink) const;
  [[nodiscard]] std::string text(const Report* report) const;

 private:
  std::shared_ptr<const LatestReport> latest_;
  std::string version_;
  MetricChoice choice_;
  Notified notified_;
};

}  // namespace espial
