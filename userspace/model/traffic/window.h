// SPDX-License-Identifier: Apache-2.0
// Window: how much each peer's counters grew over the last minute.
//
// Counters are exact; only the window's far edge is coarse. The window keeps a mark of the counters
// every few seconds (length / kMarksPerWindow) and subtracts the oldest mark that is not older than
// the length, so it covers length - one mark .. length: what grew now is seen now, what is older
// than the length never counts. Memory: at most 6 KiB per peer, 1 KiB of one whose counters stand
// still; a peer that leaves the snapshot is forgotten. Time comes from Snapshot::monotonic only.
// Not thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/snapshot.h"
#include "model/traffic/coverage.h"

namespace espial {

// Growth of one peer's counters (or of what belongs to no peer).
struct PeerWindow {
  Tally growth;
  // What the growth covers: up to Window's length, less while the history is young, 0 at the first
  // look, more only if nobody looked for longer than the length.
  std::chrono::nanoseconds covered{0};
  // The age of an unprotected packet that is younger than the length but older than this history
  // (the daemon restarted), so that no growth shows it.
  std::array<std::optional<std::chrono::nanoseconds>, kDirections> unprotected_before{};
};

struct NodeWindow {
  std::vector<PeerWindow> peers;  // parallel to Snapshot::peers
  PeerWindow no_peer;
  std::array<std::uint64_t, kLosts> lost{};  // growth
  std::chrono::nanoseconds covered{0};       // of no_peer and lost
};

class Window {
 public:
  static constexpr std::size_t kMarksPerWindow = 10;

  explicit Window(std::chrono::nanoseconds length = std::chrono::seconds{60});

  // Takes a snapshot in and says what grew. Snapshots must come in time order (one a second, or
  // more); a counter that went back (programs detached and attached anew) restarts that history.
  // offloaded: parallel to the peers (OffloadWatch says it), or empty.
  NodeWindow advance(const Snapshot& snapshot, const std::vector<Cell>& offloaded = {});

  [[nodiscard]] std::chrono::nanoseconds length() const { return length_; }

 private:
  static constexpr std::size_t kMarks = kMarksPerWindow + 2;

  struct Mark {
    std::uint64_t number;
    Tally tally;
  };
  struct History {
    void mark(std::uint64_t number, std::uint64_t oldest_kept, const Tally& now);
    [[nodiscard]] const Tally& at_mark(std::uint64_t number) const;

    std::vector<Mark> marks;  // those that differ from the one before, oldest first
    Tally last;
    std::uint64_t first_mark = 0;       // no older mark is this history's
    MonoTime since;                     // of the first look
    std::optional<std::uint64_t> look;  // the last advance() that saw this peer
  };
  struct LostHistory {
    std::array<std::array<std::uint64_t, kLosts>, kMarks> marks{};
    std::array<std::uint64_t, kLosts> last{};
    std::uint64_t first_mark = 0;
  };

  bool take_mark(MonoTime now);
  PeerWindow look_at(History& history, const PeerCounters& counters, const Cell& offloaded,
                     const Snapshot& snapshot, bool marked);
  std::array<std::uint64_t, kLosts> look_at_lost(const Snapshot& snapshot, bool marked);
  void restart(History& history, const Tally& now, MonoTime time) const;
  [[nodiscard]] std::uint64_t oldest_kept() const;
  [[nodiscard]] std::uint64_t baseline(std::uint64_t first_mark, MonoTime now) const;

  std::chrono::nanoseconds length_;
  std::array<MonoTime, kMarks> mark_times_{};
  std::uint64_t newest_mark_ = 0;  // 0: none yet
  std::uint64_t looks_ = 0;
  std::unordered_map<std::string, History> peers_;
  History no_peer_;
  LostHistory lost_;
};

}  // namespace espial
