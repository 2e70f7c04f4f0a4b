// SPDX-License-Identifier: Apache-2.0
// AlertBoard: the state that one Alertmanager should have, and what has been delivered to it.
//
// A map by alert, so that while an Alertmanager is away the newest state replaces the older and
// only alerts cost memory, not time. What fires is due again every `resend`; what ended is due
// once. An alert that began and ended while the receiver was unreachable is sent as firing first:
// an Alertmanager does not notify of alerts that it first receives as resolved. Not thread-safe, no
// clock.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "exporter/notify/alert.h"

namespace espial {

class AlertBoard {
 public:
  static constexpr std::size_t kMaxEnded = 1024;  // that wait; the oldest go first, and are counted

  explicit AlertBoard(std::chrono::seconds resend) : resend_(resend) {}

  // The alerts that fire now; what is on the board and not among them has ended.
  void take(const AlertList& list);

  // What is to be sent now, at most `most`; what never arrived first.
  [[nodiscard]] std::vector<Alert> due(MonoTime now, std::size_t most) const;
  // Those of due() have arrived.
  void delivered(const std::vector<Alert>& sent, MonoTime now);

  // When something is due next; nothing: when something changes.
  [[nodiscard]] std::optional<MonoTime> next() const;
  // Alerts whose newest state has not been delivered.
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  struct Entry {
    Alert alert;
    std::optional<MonoTime> accepted;  // when it arrived as firing; nothing: never
    [[nodiscard]] bool news() const { return !accepted || alert.ended; }
  };

  void drop_oldest_ended();

  std::chrono::seconds resend_;
  std::map<AlertKey, Entry> entries_;
  std::uint64_t dropped_ = 0;
};

}  // namespace espial
