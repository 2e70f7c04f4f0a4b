// SPDX-License-Identifier: Apache-2.0
// Attempts: the outcomes of one receiver's attempts: counted, logged once when they change, and
// what they say about when to try again. The receiver's thread notes; any thread may read status().
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <random>
#include <string>

#include "base/result.h"
#include "model/receiver_status.h"
#include "model/snapshot.h"

namespace espial {

// How long to wait before the next attempt.
struct Backoff {
  std::chrono::milliseconds first{500};
  std::chrono::milliseconds longest{30'000};

  // After `failures` (from 1) in a row: doubled by each, up to the longest; between half of that
  // and the whole by `chance` in [0, 1), so that nodes that lost a receiver together return one by
  // one.
  [[nodiscard]] std::chrono::milliseconds wait(std::uint32_t failures, double chance) const {
    const auto shift = std::min<std::uint32_t>(failures == 0 ? 0 : failures - 1, 20);
    const auto whole = std::min(first * (std::int64_t{1} << shift), longest);
    const auto half = static_cast<double>(whole.count()) / 2;
    return std::chrono::milliseconds(static_cast<std::int64_t>(half + half * chance));
  }
};

// good: a receiver that failed works again. One line without secrets.
using NotifyLog = std::function<void(bool good, const std::string& line)>;

class Attempts {
 public:
  // name: "alertmanager-0"; place: where espial.yaml has it, "alerts.alertmanager[0]".
  Attempts(std::string name, std::string place, Backoff backoff, NotifyLog log);

  void note(const Status& outcome, MonoTime now);
  // No attempt before that moment.
  [[nodiscard]] MonoTime not_before() const { return not_before_; }

  void waiting(std::size_t alerts);
  void dropped(std::uint64_t in_all);

  [[nodiscard]] ReceiverStatus status() const;

 private:
  std::string place_;
  Backoff backoff_;
  NotifyLog log_;
  std::minstd_rand random_;
  std::uint32_t failures_ = 0;  // in a row
  MonoTime not_before_ = MonoTime::min();
  mutable std::mutex mutex_;  // of status_
  ReceiverStatus status_;
};

}  // namespace espial
