// SPDX-License-Identifier: Apache-2.0
// AlarmEngine: conditions in, alarms out. Waits a rule's hold-off before an alarm fires and its
// clear-after before it is resolved, distinguishes flapping from change, and remembers what it
// reported.
//
// Time is a value: durations come from the monotonic clock, so no step of the wall clock moves one;
// Alarm::since is wall time, for people. Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/alarms/alarms.h"
#include "model/report.h"

namespace espial {

// What an engine knows, free of its clock: to be saved, and restored in the next daemon's.
struct AlarmMemory {
  using Age = std::chrono::nanoseconds;
  struct Entry {
    Alarm alarm;          // without what flapping adds to the evidence
    Age age{0};           // of the state
    bool raised = false;  // the condition, with hold-off and clear-after
    bool flapping = false;
    std::vector<Age> changes;  // how long ago, oldest first
  };
  std::vector<Entry> entries;
  std::vector<Alarm> history;   // what step() returned, oldest first
  std::uint64_t forgotten = 0;  // older ones that history had no room for
};

class AlarmEngine {
 public:
  // How long a resolved alarm is still shown.
  static constexpr std::chrono::minutes kKeepResolved{10};
  // An alarm that begins or ends more often than that within kFlapWindow flaps: it fires on, and
  // ends once its condition stayed away, or stayed, for kFlapQuiet.
  static constexpr std::size_t kFlapChanges = 5;
  static constexpr std::chrono::minutes kFlapWindow{10};
  static constexpr std::chrono::minutes kFlapQuiet{5};
  static constexpr std::size_t kMaxChanges = 100;  // that are counted within kFlapWindow
  static constexpr std::size_t kMaxHistory = 1000;
  // What fired before a restart is not resolved earlier: a new window is quiet because it is new.
  static constexpr std::chrono::seconds kSettle{60};
  // What waited to fire goes on waiting after a restart that was no longer than that.
  static constexpr std::chrono::seconds kMaxPendingGap{60};

  // Steps every alarm to this moment. Returns those that began to fire, were resolved, or began to
  // flap (firing, again), in order of the list of alarms, then of peer: report each once. A pending
  // alarm whose condition ends is dropped: it was never reported.
  std::vector<Alarm> step(const std::vector<AlarmCondition>& conditions, WallTime time,
                          MonoTime monotonic);

  // Pending, firing, and lately resolved; firing first, then by severity, name, peer. The evidence
  // of one that flaps says how often it changed.
  [[nodiscard]] std::vector<Alarm> alarms() const;
  // What step() returned, oldest first; at most kMaxHistory.
  [[nodiscard]] const std::deque<Alarm>& history() const { return history_; }
  [[nodiscard]] std::uint64_t forgotten() const { return forgotten_; }

  // Changes when memory() says something else than ages and evidence.
  [[nodiscard]] std::uint64_t revision() const { return revision_; }
  [[nodiscard]] bool waiting() const;  // is one pending?
  [[nodiscard]] AlarmMemory memory(MonoTime now) const;
  // Before the first step(). gap: how long ago the memory was taken. Alarms that are in no list of
  // this build are left out.
  void restore(const AlarmMemory& memory, std::chrono::nanoseconds gap, MonoTime now);

 private:
  using Key = std::pair<AlarmId, std::string>;
  struct Tracked {
    Alarm alarm;
    MonoTime since;                   // of the state
    bool raised = false;              // the condition, with hold-off and clear-after
    std::optional<MonoTime> differs;  // since when the condition is not as `raised` says
    bool flapping = false;            // it keeps changing, and fires until it is quiet
    bool restored = false;            // and the condition not seen since
    std::deque<MonoTime> changes;     // of `raised`, within kFlapWindow
    std::optional<std::pair<Alarm, MonoTime>> before;  // of a pending one: what it was
  };
  struct Now {
    WallTime time;
    MonoTime monotonic;
  };

  static Alarm shown(const Tracked& tracked);
  void enter(Tracked& tracked, AlarmState state, const Now& now);
  bool advance(const AlarmRule& rule, Tracked& tracked, bool holds, const Now& now);
  bool change(Tracked& tracked, const Now& now);
  bool calm_down(Tracked& tracked, const Now& now);
  bool wait(Tracked& tracked, bool holds, const Now& now);
  bool expired(const Tracked& tracked, const Now& now) const;

  std::map<Key, Tracked> tracked_;
  std::deque<Alarm> history_;
  std::uint64_t forgotten_ = 0;
  std::uint64_t revision_ = 0;
};

}  // namespace espial
