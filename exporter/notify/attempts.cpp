// SPDX-License-Identifier: Apache-2.0
#include "exporter/notify/attempts.h"

#include <utility>

namespace espial {

Attempts::Attempts(std::string name, std::string place, Backoff backoff, NotifyLog log)
    : place_(std::move(place)),
      backoff_(backoff),
      log_(std::move(log)),
      random_(std::random_device{}()) {
  status_.receiver = std::move(name);
}

void Attempts::note(const Status& outcome, MonoTime now) {
  const bool failed_before = failures_ > 0;
  {
    const std::scoped_lock lock(mutex_);
    if (outcome.ok()) {
      ++status_.delivered;
      status_.problem.clear();
      status_.last_success = std::chrono::system_clock::now();
    } else {
      ++status_.failed;
      status_.problem = outcome.error().message;
    }
  }
  if (outcome.ok()) {
    failures_ = 0;
    not_before_ = MonoTime::min();
    if (failed_before) log_(true, place_ + ": accepts alarms again");
    return;
  }
  const double chance = std::uniform_real_distribution<double>(0, 1)(random_);
  not_before_ = now + backoff_.wait(++failures_, chance);
  if (!failed_before)
    log_(false, place_ + ": " + outcome.error().message + " (alarms are queued; retrying)");
}

void Attempts::waiting(std::size_t alerts) {
  const std::scoped_lock lock(mutex_);
  status_.waiting = alerts;
}

void Attempts::dropped(std::uint64_t in_all) {
  const std::scoped_lock lock(mutex_);
  status_.dropped = in_all;
}

ReceiverStatus Attempts::status() const {
  const std::scoped_lock lock(mutex_);
  return status_;
}

}  // namespace espial
