// SPDX-License-Identifier: Apache-2.0
// AlarmReceivers: the configured receivers of alarms, and the threads that deliver to them
// (exporter/notify). Owned by Node; status() from any thread, the rest from the event loop's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "exporter/notify/notifier.h"
#include "model/config.h"
#include "model/config_alerts.h"

namespace espial {

class AlarmReceivers {
 public:
  // Starts threads: only after privileges were dropped. strict: a receiver that cannot be set up is
  // an error, else a warning.
  Status start(const std::string& config_path, const Config& config, bool strict);

  // The section that start() read; later changes of it are ignored.
  [[nodiscard]] const ConfigAlerts& alerts() const { return alerts_; }
  // Never waits.
  void publish(const std::vector<Alarm>& alarms, WallTime now);
  // The state of each delivery.
  [[nodiscard]] NotifyStatus status() const;

 private:
  ConfigAlerts alerts_;
  std::unique_ptr<Notifier> notifier_;
};

}  // namespace espial
