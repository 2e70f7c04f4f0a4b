// SPDX-License-Identifier: Apache-2.0
// AlarmKeeper: what the alarm engine knows, saved as it changes and restored at the start.
//
// Files are written by a thread of their own, one at a time, so a slow disk holds up nobody; a full
// one changes nothing but problem(). Owned by the event loop.
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
  // While something waits to fire, at least: so that its waiting is known to the next daemon.
  static constexpr std::chrono::seconds kWaitingEvery{30};

  explicit AlarmKeeper(const std::string& state_dir) : file_(state_dir) {}
  AlarmKeeper(const AlarmKeeper&) = delete;
  AlarmKeeper& operator=(const AlarmKeeper&) = delete;
  // Waits for a write that is under way.
  ~AlarmKeeper() = default;

  // A file that cannot be used is set aside and told by problem(); the engine begins with nothing.
  void restore(AlarmEngine& engine, const Moment& now);
  // Often: saves what changed when it is time to.
  void follow(const AlarmEngine& engine, const Moment& now);
  // At the end: what has changed since, before it returns.
  void finish(const AlarmEngine& engine, const Moment& now);

  [[nodiscard]] bool saving() const { return saving_.has_value(); }
  // Of the file, one line; empty: none.
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
  MonoTime began_{};  // the last save, or the start: which is no reason to write at once
  std::optional<Saving> saving_;
};

}  // namespace espial
