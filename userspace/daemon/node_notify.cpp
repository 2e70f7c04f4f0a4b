// SPDX-License-Identifier: Apache-2.0
// A running node tells receivers of its alarms.
#include <spdlog/spdlog.h>

#include "base/child_process.h"
#include "config/alerts_file.h"
#include "daemon/node.h"
#include "daemon/privileges.h"

namespace espial {
namespace {

constexpr std::chrono::seconds kCommandTime{10};
constexpr std::size_t kCommandOutput = 1U << 20;

// What a command prints is nobody's, but for the first line of its errors.
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

Status Node::start_notifier(bool strict) {
  EP_ASSIGN(alerts, load_alerts(config_path_));
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
  EP_ASSIGN(notifier, Notifier::start(alerts_, {config_.node, config_.instance, alerts_.labels},
                                      std::move(hooks)));
  notifier_ = std::move(notifier);
  return Ok{};
}

NotifyStatus Node::notified() const { return notifier_ ? notifier_->status() : NotifyStatus{}; }

}  // namespace espial
