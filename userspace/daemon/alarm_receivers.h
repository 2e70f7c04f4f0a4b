// SPDX-License-Identifier: Apache-2.0
// AlarmReceivers: who the file wants to be told of alarms, and the threads that tell them
// (exporter/notify). Owned by Node; status() from any thread, the rest the event loop's.
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
  // Starts threads: not before privileges were given up. strict: a receiver that cannot be told is
  // an error, else a warning.
  Status start(const std::string& config_path, const Config& config, bool strict);

  // What start() has read; nothing of it can change later.
  [[nodiscard]] const ConfigAlerts& alerts() const { return alerts_; }
  // Never waits.
  void publish(const std::vector<Alarm>& alarms, WallTime now);
  // What became of what they were told.
  [[nodiscard]] NotifyStatus status() const;

 private:
  ConfigAlerts alerts_;
  std::unique_ptr<Notifier> notifier_;
};

}  // namespace espial
