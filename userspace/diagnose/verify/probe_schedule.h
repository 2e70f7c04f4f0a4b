// SPDX-License-Identifier: Apache-2.0
// ProbeSchedule: when the daemon sends which probe. A pure function of the time it is asked at, so
// that a mesh of any size costs the same each second.
//
// A round holds every probe once, evenly spread and a little shifted each time (jitter): a round
// takes as long as the pace asks for, or longer where the limit per second, or the patience for the
// probes of one peer, wants that. Between two probes there is never less than 1/per_second, also
// after a standstill. Owned by the event loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

namespace espial {

struct ProbePace {
  std::chrono::nanoseconds interval{0};  // between two probes of the same way; 0: none at all
  std::uint32_t per_second = 10;         // at most; from 1
  std::chrono::nanoseconds patience{0};  // how long a probe may be out
  bool operator==(const ProbePace&) const = default;
};

class ProbeSchedule {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using IsOut = std::function<bool(std::size_t group)>;

  // seed: other nodes should have another, so that they do not probe all at once.
  explicit ProbeSchedule(std::uint64_t seed) : seed_(seed) {}

  // groups: of each probe, whose it is; two of one group are never out at a time. The same again
  // changes nothing; other probes go on where the round is, so that no change starves anybody.
  void plan(std::vector<std::size_t> groups, const ProbePace& pace, Time now);

  // The probe that is to be sent now; ask again until there is none. is_out: is one of this group
  // out? Then others go first, and this one as soon as that has ended.
  std::optional<std::size_t> take(Time now, const IsOut& is_out);

  // When to ask again, also if nothing ends meanwhile; Time::max(): never.
  [[nodiscard]] Time wake() const { return wake_; }
  // How long a round takes; 0: nothing is probed.
  [[nodiscard]] std::chrono::nanoseconds round() const;

 private:
  [[nodiscard]] std::chrono::nanoseconds gap() const;
  [[nodiscard]] Time due_at(std::size_t rank) const;
  void collect(Time now);

  std::uint64_t seed_;
  ProbePace pace_;
  std::vector<std::size_t> groups_;
  std::vector<std::size_t> order_;    // probes as a round sends them
  std::chrono::nanoseconds slot_{0};  // of a round, for each probe
  Time start_{};                      // of the round
  std::uint64_t rounds_ = 0;
  std::size_t rank_ = 0;  // of order_, next
  std::deque<std::size_t> waiting_;
  std::vector<bool> waits_;  // by probe
  std::optional<Time> sent_;
  Time wake_ = Time::max();
};

}  // namespace espial
