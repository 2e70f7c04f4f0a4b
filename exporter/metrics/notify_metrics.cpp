// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics/families.h"

#include <chrono>

namespace espial {

void visit_notifications(const NotifyStatus& status, const FamilySink& sink) {
  if (status.receivers.empty()) return;
  auto attempts = MetricBuilder::counter(
      "espial_notifications_total",
      "Requests with alarms and command runs, by result. Failed ones are retried.");
  auto dropped = MetricBuilder::counter(
      "espial_notifications_dropped_total",
      "Alerts dropped because a receiver was unreachable for longer than the buffer holds.");
  auto waiting =
      MetricBuilder::gauge("espial_notifications_waiting",
                           "Alerts whose latest state has not been delivered to the receiver yet.");
  auto last =
      MetricBuilder::gauge("espial_notifications_last_success_timestamp_seconds",
                           "Unix time of the last successful delivery to the receiver; 0 = never.");
  for (const auto& one : status.receivers) {
    attempts.add({{"receiver", one.receiver}, {"result", "delivered"}}, one.delivered);
    attempts.add({{"receiver", one.receiver}, {"result", "failed"}}, one.failed);
    dropped.add({{"receiver", one.receiver}}, one.dropped);
    waiting.add({{"receiver", one.receiver}}, static_cast<std::uint64_t>(one.waiting));
    last.add({{"receiver", one.receiver}},
             one.last_success ? timestamp_seconds(*one.last_success) : 0.0);
  }
  auto collapsed =
      MetricBuilder::counter("espial_notifications_collapsed_total",
                             "Alarms that were delivered only as part of one summary alert.");
  collapsed.add({}, status.collapsed);
  for (auto* family : {&attempts, &dropped, &waiting, &last, &collapsed})
    sink(std::move(*family).take());
}

}  // namespace espial
