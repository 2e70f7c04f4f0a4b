// SPDX-License-Identifier: Apache-2.0
// CoverageWatch: how much of each peer's traffic was encrypted over five minutes, both directions
// together, in packets.
//
// Time comes from Snapshot::monotonic only. At most 1 KiB per peer, and none without a target. A
// peer that leaves the snapshot is forgotten. Not thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/alarms/alarms.h"
#include "model/snapshot.h"

namespace espial {

class CoverageWatch {
 public:
  static constexpr std::chrono::minutes kLength{5};
  static constexpr std::chrono::seconds kMarkEvery{15};  // how coarse the far edge is

  // Adds CoverageBelowTarget for each peer, candidates aside, whose coverage is below the target (a
  // ratio; nothing: there is none). Without traffic there is no coverage. offloaded: of what each
  // peer was sent in clear, what a device encrypts behind tc (OffloadWatch), parallel to the peers.
  void advance(const Snapshot& snapshot, const std::vector<Cell>& offloaded,
               std::optional<double> target, std::vector<AlarmCondition>& out);

 private:
  // Packets, since the counters exist.
  struct Counts {
    std::array<std::uint64_t, kDirections> esp{};
    std::uint64_t decrypted = 0;
    std::array<std::uint64_t, kDirections> unprotected{};
  };
  struct Mark {
    MonoTime at;
    Counts counts;
  };
  struct History {
    std::vector<Mark> marks;  // oldest first
    Counts last;
    std::uint64_t look = 0;
  };

  static Counts counts_of(const PeerCounters& counters, const Cell& offloaded);
  static bool went_back(const Counts& earlier, const Counts& later);
  static void add(std::vector<AlarmCondition>& out, const std::string& peer, const Mark& from,
                  const Counts& now, MonoTime at, double target);

  std::unordered_map<std::string, History> peers_;
  std::uint64_t looks_ = 0;
};

}  // namespace espial
