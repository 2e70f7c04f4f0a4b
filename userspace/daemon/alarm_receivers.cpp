// SPDX-License-Identifier: Apache-2.0
#include "daemon/alarm_receivers.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "base/child_process.h"
#include "config/alerts_file.h"
#include "daemon/watch/privileges.h"

namespace espial {
namespace {

constexpr std::chrono::seconds kCommandTime{10};
constexpr std::size_t kCommandOutput = 1U << 20;

// The output of a command is discarded, except for the first line of its errors.
Status run_command(const CommandCall& call) {
  ChildLimits limits;
  limits.time = kCommandTime;
  limits.output = kCommandOutput;
  limits.stop = call.stop;
  limits.input = call.input;
  limits.environment = call.environment;
  EP_TRY(run_child(call.argv, limits));
  return Ok{};
}

}  // namespace

Status AlarmReceivers::start(const std::string& config_path, const Config& config, bool strict) {
  EP_ASSIGN(alerts, load_alerts(config_path));
  alerts_ = std::move(alerts);
  if (alerts_.empty()) return Ok{};
  for (const auto& problem : receiver_problems(alerts_)) {
    if (strict) return Error{problem};
    spdlog::warn("{}", problem);
  }
  NotifierHooks hooks;
  hooks.log = [](bool good, const std::string& line) {
    spdlog::log(good ? spdlog::level::info : spdlog::level::warn, "{}", line);
  };
  hooks.enter = drop_every_privilege;
  hooks.run_command = run_command;
  EP_ASSIGN(notifier, Notifier::start(alerts_, {config.node, config.instance, alerts_.labels},
                                      std::move(hooks)));
  notifier_ = std::move(notifier);
  return Ok{};
}

void AlarmReceivers::publish(const std::vector<Alarm>& alarms, WallTime now) {
  if (notifier_) notifier_->publish(alarms, now);
}

NotifyStatus AlarmReceivers::status() const {
  return notifier_ ? notifier_->status() : NotifyStatus{};
}

}  // namespace espial
