// SPDX-License-Identifier: Apache-2.0
// Collector: a report as Prometheus metrics; metric_set.h says which.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "exporter/metrics/metric_builder.h"
#include "exporter/metrics/metric_set.h"
#include "model/receiver_status.h"

namespace espial {

// Never blocks on the kernel, the daemon or another scrape. Every series that can ever exist for
// the peers, devices and sources of the report is there from the first scrape, but reasons of the
// kernel's drops (families.h). Before the first report there is espial_build_info only.
// Thread-safe.
class Collector {
 public:
  // What became of alarms on their way to receivers. Any thread calls it; it does not wait.
  using Notified = std::function<NotifyStatus()>;

  // notified: empty if there are no alarm receivers.
  Collector(std::string version, MetricChoice choice, Notified notified = {});

  // All families of this report, which may be null, one at a time, so that memory holds one.
  void visit(const Report* report, const FamilySink& sink) const;

  // The same in the text exposition format 0.0.4: a piece for each, or the whole.
  void write(const Report* report, const std::function<void(std::string_view)>& sink) const;
  [[nodiscard]] std::string text(const Report* report) const;

 private:
  std::string version_;
  MetricChoice choice_;
  Notified notified_;
};

}  // namespace espial
