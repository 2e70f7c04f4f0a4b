// SPDX-License-Identifier: Apache-2.0
// Notifier: sends the node's alarms to every receiver in `alerts` of espial.yaml. A thread for each
// receiver, so that none waits for another, and publish() for none of them.
//
// Alertmanagers get state: what fires is sent again every resend_seconds, with an end that it
// reaches by itself if nothing more is heard. Webhooks and commands get transitions. After a
// restart firing alarms are sent again.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "exporter/notify/alert_json.h"
#include "exporter/notify/alertmanager.h"
#include "exporter/notify/transition_receiver.h"
#include "model/config_alerts.h"

namespace espial {

// One run of a command for one alert.
struct CommandCall {
  std::vector<std::string> argv;
  std::string input;                     // its standard input: webhook_body() of one alert
  std::vector<std::string> environment;  // NAME=value
  const std::atomic<bool>* stop;
};

struct NotifierHooks {
  NotifyLog log;
  // First on each thread of a receiver: what gives up its privileges. An error: it never delivers.
  std::function<Status()> enter;
  // On the thread of a command: runs it to its end, bounded in time. Ok: it ended with 0.
  std::function<Status(const CommandCall& call)> run_command;
};

// What is wrong already with the files that receivers need, one line each.
std::vector<std::string> receiver_problems(const ConfigAlerts& config);

class Notifier {
 public:
  // An error: libcurl does not start. A receiver that cannot be reached is none.
  static Result<std::unique_ptr<Notifier>> start(const ConfigAlerts& config, AlertOrigin origin,
                                                 NotifierHooks hooks, Backoff backoff = {},
                                                 HttpPostLimits limits = {});
  // Ends what is under way; what waits is lost.
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  // Every alarm of this moment. Takes microseconds, whatever the receivers do. One thread.
  void publish(const std::vector<Alarm>& alarms, WallTime time);

  // Any thread.
  [[nodiscard]] NotifyStatus status() const;

 private:
  Notifier(std::size_t collapse_above) : collapse_above_(collapse_above) {}
  Status add(const ConfigAlerts& config, const AlertOrigin& origin, const NotifierHooks& hooks,
             Backoff backoff, HttpPostLimits limits);

  std::size_t collapse_above_;
  std::shared_ptr<const AlertList> last_ = std::make_shared<AlertList>();
  std::atomic<std::uint64_t> collapsed_ = 0;
  std::vector<std::unique_ptr<AlertmanagerReceiver>> alertmanagers_;
  std::vector<std::unique_ptr<TransitionReceiver>> others_;
};

}  // namespace espial
