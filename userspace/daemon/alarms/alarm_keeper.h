// SPDX-License-Identifier: Apache-2.0
// AlarmKeeper: saves the state of the alarm engine as it changes, and restores it at the start.
//
// A separate thread writes the file, so a slow disk delays nothing; a full disk only sets
// problem(). Owned by the event loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <future>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/alarms/alarm_engine.h"
#include "model/modes/peer_modes.h"
#include "sources/state/saved_alarms.h"

namespace espial {

class AlarmKeeper {
 public:
  static constexpr std::chrono::seconds kSaveEvery{5};  // at most
  // At least, while an alarm is pending: so that the next daemon knows since when.
  static constexpr std::chrono::seconds kWaitingEvery{30};

  explicit AlarmKeeper(const std::string& state_dir) : file_(state_dir) {}
  AlarmKeeper(const AlarmKeeper&) = delete;
  AlarmKeeper& operator=(const AlarmKeeper&) = delete;
  // Waits for a write in progress.
  ~AlarmKeeper() = default;

  // A file that cannot be used is renamed and reported by problem(); the engine starts empty.
  void restore(AlarmEngine& engine, const Moment& now);
  // Call often: saves changes when a save is due.
  void follow(const AlarmEngine& engine, const Moment& now);
  // At the end: saves the remaining changes before it returns.
  void finish(const AlarmEngine& engine, const Moment& now);

  [[nodiscard]] bool saving() const { return saving_.has_value(); }
  // The problem with the file, one line; empty: none.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  struct Saving {
    std::uint64_t revision;
    std::future<Status> status;
  };
  [[nodiscard]] bool due(const AlarmEngine& engine, MonoTime now) const;
  void begin(const AlarmEngine& engine, const Moment& now, std::launch how);
  void take();

  SavedAlarms file_;
  std::string problem_;
  bool failing_ = false;  // the last save
  std::uint64_t saved_revision_ = 0;
  MonoTime began_{};  // when the last save began, or the daemon started
  std::optional<Saving> saving_;
};

}  // namespace espial
