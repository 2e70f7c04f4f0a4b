// SPDX-License-Identifier: Apache-2.0
#include "exporter/notify/notifier.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "exporter/notify/secret_file.h"

namespace espial {
namespace {

constexpr std::size_t kWebhookBatch = 64;

std::string without_slash(std::string url) {
  while (url.back() == '/') url.pop_back();
  return url;
}

std::unique_ptr<Attempts> attempts(const char* kind, std::size_t index, Backoff backoff,
                                   const NotifyLog& log) {
  const auto number = std::to_string(index);
  return std::make_unique<Attempts>(std::string(kind) + "-" + number,
                                    "alerts." + std::string(kind) + "[" + number + "]", backoff,
                                    log);
}

// With CURLOPT_NOSIGNAL a receiver that hangs up would end the process by SIGPIPE.
std::function<Status()> entering(const std::function<Status()>& enter) {
  return [enter]() -> Status {
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    return enter();
  };
}

TransitionReceiver::Way webhook(std::shared_ptr<HttpPost> post, const AlertOrigin& origin,
                                std::function<Status()> enter) {
  return {[post, origin](const std::vector<Alert>& alerts, std::uint64_t dropped) {
            return post->post(webhook_body(alerts, origin, dropped));
          },
          [post] { post->stop(); }, std::move(enter), kWebhookBatch};
}

CommandCall call_of(const std::vector<std::string>& argv, const Alert& alert,
                    const AlertOrigin& origin, std::uint64_t dropped) {
  return {argv,
          webhook_body({&alert, 1}, origin, dropped),
          {"ESPIAL_ALARM=" + alert.key.alarm, "ESPIAL_PEER=" + alert.key.peer,
           "ESPIAL_STATUS=" + std::string(alert.ended ? "resolved" : "firing"),
           "ESPIAL_SEVERITY=" + std::string(to_string(alert.severity)),
           "ESPIAL_NODE=" + origin.node, "ESPIAL_INSTANCE=" + origin.instance},
          nullptr};
}

TransitionReceiver::Way command(const std::vector<std::string>& argv, const AlertOrigin& origin,
                                const NotifierHooks& hooks) {
  auto stop = std::make_shared<std::atomic<bool>>(false);
  return {[argv, origin, stop, run = hooks.run_command](const std::vector<Alert>& alerts,
                                                        std::uint64_t dropped) {
            auto call = call_of(argv, alerts.front(), origin, dropped);
            call.stop = stop.get();
            return run(call);
          },
          [stop] { *stop = true; }, entering(hooks.enter), 1};
}

void add_problems(std::vector<std::string>& out, const std::string& place,
                  const ConfigHttpReceiver& receiver) {
  for (const auto& secret : {receiver.password_file, receiver.key_file})
    if (!secret.empty())
      if (const auto fit = check_secret_file(secret); !fit.ok())
        out.push_back(place + ": " + fit.error().message);
  for (const auto& file : {receiver.ca_file, receiver.cert_file})
    if (!file.empty() && access(file.c_str(), R_OK) != 0)
      out.push_back(place + ": " + file + ": " + std::strerror(errno));
}

}  // namespace

std::vector<std::string> receiver_problems(const ConfigAlerts& config) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < config.alertmanagers.size(); ++i)
    add_problems(out, "alerts.alertmanager[" + std::to_string(i) + "]", config.alertmanagers[i]);
  for (std::size_t i = 0; i < config.webhooks.size(); ++i)
    add_problems(out, "alerts.webhook[" + std::to_string(i) + "]", config.webhooks[i]);
  for (std::size_t i = 0; i < config.commands.size(); ++i)
    if (const auto& program = config.commands[i][0]; access(program.c_str(), X_OK) != 0)
      out.push_back("alerts.command[" + std::to_string(i) + "]: " + program + ": " +
                    std::strerror(errno));
  return out;
}

Result<std::unique_ptr<Notifier>> Notifier::start(const ConfigAlerts& config, AlertOrigin origin,
                                                  NotifierHooks hooks, Backoff backoff,
                                                  HttpPostLimits limits) {
  std::unique_ptr<Notifier> out(new Notifier(config.collapse_above));
  EP_TRY(out->add(config, origin, hooks, backoff, limits));
  return out;
}

Status Notifier::add(const ConfigAlerts& config, const AlertOrigin& origin,
                     const NotifierHooks& hooks, Backoff backoff, HttpPostLimits limits) {
  const std::chrono::seconds resend(config.resend_seconds);
  for (std::size_t i = 0; i < config.alertmanagers.size(); ++i) {
    const auto& one = config.alertmanagers[i];
    EP_ASSIGN(post, HttpPost::open(one, without_slash(one.url) + "/api/v2/alerts", limits));
    alertmanagers_.push_back(std::make_unique<AlertmanagerReceiver>(
        std::move(post), origin, resend, attempts("alertmanager", i, backoff, hooks.log),
        entering(hooks.enter)));
  }
  for (std::size_t i = 0; i < config.webhooks.size(); ++i) {
    EP_ASSIGN(post, HttpPost::open(config.webhooks[i], config.webhooks[i].url, limits));
    others_.push_back(std::make_unique<TransitionReceiver>(
        webhook(std::make_shared<HttpPost>(std::move(post)), origin, entering(hooks.enter)),
        attempts("webhook", i, backoff, hooks.log)));
  }
  for (std::size_t i = 0; i < config.commands.size(); ++i)
    others_.push_back(std::make_unique<TransitionReceiver>(
        command(config.commands[i], origin, hooks), attempts("command", i, backoff, hooks.log)));
  return Ok{};
}

Notifier::~Notifier() {
  // All at once, then one after the other.
  for (const auto& one : alertmanagers_) one->stop();
  for (const auto& one : others_) one->stop();
}

void Notifier::publish(const std::vector<Alarm>& alarms, WallTime time) {
  auto list = std::make_shared<const AlertList>(alerts_of(alarms, collapse_above_, time));
  const auto changes = transitions(*last_, *list);
  for (const auto& alarm : list->collapsed)
    if (last_->collapsed.count(alarm) == 0) ++collapsed_;
  for (const auto& one : alertmanagers_) one->publish(list, !changes.empty());
  for (const auto& one : others_) one->publish(changes);
  last_ = std::move(list);
}

NotifyStatus Notifier::status() const {
  NotifyStatus out;
  for (const auto& one : alertmanagers_) out.receivers.push_back(one->status());
  for (const auto& one : others_) out.receivers.push_back(one->status());
  out.collapsed = collapsed_;
  return out;
}

}  // namespace espial
