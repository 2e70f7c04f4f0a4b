// SPDX-License-Identifier: Apache-2.0
// What `espial doctor` found: plain values, one finding per cause, worst first.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"

namespace espial {

enum class Effect : std::uint8_t {
  kLost,   // packets do not arrive
  kLeaks,  // packets leave in clear
  kRisk,   // nothing yet; it will under a condition that the summary names
};
std::string_view to_string(Effect effect);  // "lost", "leaks", "risk"

struct DoctorFinding {
  std::string cause;  // a word that scripts compare: "rule_drops", "forwarding_off", "no_policy"...
  Effect effect = Effect::kLost;
  std::string summary;                // one line
  std::vector<std::string> evidence;  // rules as their tool prints them, values, counters
  std::vector<std::string> remedies;  // commands, in this order; may be empty
  std::vector<std::string> peers;     // sorted; empty: this node alone
  std::optional<Family> family{};     // of the packets that it is about; nothing: both
};

// An alarm of a running daemon, which has a history of the wire where a command has one look.
struct FiringAlarm {
  std::string alarm;  // "OneWayEncryption"
  std::string peer;
  std::string evidence;  // one line
};

struct DoctorReport {
  std::vector<DoctorFinding> findings;
  std::vector<std::string> unknown;  // what could not be told, and why: no promise about that
};

}  // namespace espial
