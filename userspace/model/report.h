// SPDX-License-Identifier: Apache-2.0
// Report: a snapshot with what follows from it: coverage, verdicts, alarms.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/snapshot.h"

namespace espial {

enum class Verdict : std::uint8_t {
  kLeaking,    // unprotected packets and no ESP
  kMixed,      // both
  kOneWay,     // ESP in one direction only
  kEncrypted,  // all ESP
  kSilent,     // nothing
  kDown,       // policy, no SA (control plane)
  kExposed,    // no policy: it would leak (control plane)
  kUnknown,    // espial cannot see
};
inline constexpr std::size_t kVerdicts = 8;
std::string_view to_string(Verdict verdict);

// Packets over the window, one direction, as they were on the wire: dropped ones only if received.
struct Traffic {
  std::uint64_t encrypted = 0;  // receive: max(ESP seen, decrypted)
  std::uint64_t unprotected = 0;
  std::uint64_t encrypted_bytes = 0;
  std::uint64_t unprotected_bytes = 0;
  // Packets encrypted / (encrypted + unprotected); nothing without traffic, never 1.
  [[nodiscard]] std::optional<double> coverage() const;
};

struct PeerReport {
  Verdict verdict = Verdict::kUnknown;
  std::string reason;                         // one line, may be empty
  std::array<Traffic, kDirections> window{};  // the last `window` seconds
  std::array<Traffic, kDirections> total{};   // since the counters exist
  std::uint64_t unknown_spi = 0;  // received ESP that no SA took, since the daemon looks
};

enum class Severity : std::uint8_t { kInfo, kWarning, kCritical };
std::string_view to_string(Severity severity);
enum class AlarmState : std::uint8_t { kPending, kFiring, kResolved };
std::string_view to_string(AlarmState state);

struct Alarm {
  std::string name;  // "CleartextTraffic"
  Severity severity = Severity::kWarning;
  std::string peer;  // empty: of the node
  AlarmState state = AlarmState::kPending;
  WallTime since;        // of the state
  std::string evidence;  // numbers, one line
};

struct Probing;

struct Report {
  Snapshot snapshot;
  std::chrono::seconds window{60};         // what PeerReport::window really covers
  std::vector<PeerReport> peers;           // parallel to snapshot.peers
  std::vector<Alarm> alarms;               // pending, firing, and lately resolved
  std::shared_ptr<const Probing> probing;  // null: no probes are sent
};

}  // namespace espial
