// SPDX-License-Identifier: Apache-2.0
#include "exporter/notify/alertmanager.h"

#include <algorithm>
#include <utility>

namespace espial {

using std::chrono::steady_clock;

AlertmanagerReceiver::AlertmanagerReceiver(HttpPost post, AlertOrigin origin,
                                           std::chrono::seconds resend,
                                           std::unique_ptr<Attempts> attempts, Enter enter)
    : post_(std::move(post)),
      origin_(std::move(origin)),
      keep_(resend * kKeep),
      attempts_(std::move(attempts)),
      board_(resend),
      thread_([this, enter = std::move(enter)] { run(enter); }) {}

AlertmanagerReceiver::~AlertmanagerReceiver() {
  stop();
  thread_.join();
}

void AlertmanagerReceiver::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  post_.stop();
}

void AlertmanagerReceiver::publish(std::shared_ptr<const AlertList> list, bool changed) {
  {
    const std::scoped_lock lock(mutex_);
    latest_.swap(list);
    changed_ = changed_ || changed;
  }
  if (changed) wake_.notify_one();
}

bool AlertmanagerReceiver::wait() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (stop_) return false;
    // News that came while an attempt was under way, or while there is nothing to wait for.
    if (std::exchange(changed_, false)) break;
    const auto next = board_.next();
    if (!next) {
      wake_.wait(lock, [&] { return stop_ || changed_; });
      continue;
    }
    const auto when = std::max(*next, attempts_->not_before());
    if (when <= steady_clock::now()) break;
    wake_.wait_until(lock, when, [&] { return stop_ || changed_; });
  }
  // What fires on has its newest evidence.
  if (latest_) board_.take(*latest_);
  return true;
}

bool AlertmanagerReceiver::stopping() {
  const std::scoped_lock lock(mutex_);
  return stop_;
}

void AlertmanagerReceiver::send() {
  attempts_->waiting(board_.waiting());
  attempts_->dropped(board_.dropped());
  const auto now = steady_clock::now();
  if (now < attempts_->not_before()) return;
  const auto due = board_.due(now, kBatch);
  if (due.empty()) return;
  const auto sent =
      post_.post(alertmanager_body(due, origin_, std::chrono::system_clock::now(), keep_));
  if (sent.ok()) board_.delivered(due, now);
  if (!stopping()) attempts_->note(sent, steady_clock::now());
  attempts_->waiting(board_.waiting());
}

void AlertmanagerReceiver::run(const Enter& enter) {
  if (const auto entered = enter(); !entered.ok())
    return attempts_->note(entered, steady_clock::now());
  while (wait()) send();
}

}  // namespace espial
