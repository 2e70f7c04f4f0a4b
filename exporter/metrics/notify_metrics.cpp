// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics/notify_metrics.h"

#include <chrono>

namespace espial {

void visit_notifications(const NotifyStatus& status, const FamilySink& sink) {
  if (status.receivers.empty()) return;
  auto attempts = MetricBuilder::counter("espial_notifications_total",
                                         "Requests with alarms and runs of commands, by what "
                                         "became of them; failed ones are repeated.");
  auto dropped = MetricBuilder::counter(
      "espial_notifications_dropped_total",
      "Alerts that a receiver will never get: it was away for longer than the buffer lasts.");
  auto waiting = MetricBuilder::gauge("espial_notifications_waiting",
                                      "Alerts whose newest state a receiver does not have yet.");
  auto last = MetricBuilder::gauge("espial_notifications_last_success_timestamp_seconds",
                                   "When a receiver last took alarms; 0: it never did.");
  for (const auto& one : status.receivers) {
    attempts.add({{"receiver", one.receiver}, {"result", "delivered"}}, one.delivered);
    attempts.add({{"receiver", one.receiver}, {"result", "failed"}}, one.failed);
    dropped.add({{"receiver", one.receiver}}, one.dropped);
    waiting.add({{"receiver", one.receiver}}, static_cast<std::uint64_t>(one.waiting));
    last.add({{"receiver", one.receiver}},
             one.last_success ? timestamp_seconds(*one.last_success) : 0.0);
  }
  auto collapsed = MetricBuilder::counter(
      "espial_notifications_collapsed_total",
      "Alarms that receivers heard of only as a part of one alert for many.");
  collapsed.add({}, status.collapsed);
  for (auto* family : {&attempts, &dropped, &waiting, &last, &collapsed})
    sink(std::move(*family).take());
}

}  // namespace espial
