// SPDX-License-Identifier: Apache-2.0
// What is written about alarms that changed: a line each, or one for all peers of a flood.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/report.h"

namespace espial {

// The same change of the same alarm for more peers than that in one step is one line.
inline constexpr std::size_t kFloodPeers = 20;
inline constexpr std::size_t kNamedPeers = 5;  // of a flood, in its line

// What became of the lines, since the daemon started.
struct AlarmMessageCounts {
  std::uint64_t told = 0;       // lines
  std::uint64_t collapsed = 0;  // changes that had no line of their own: many peers in one
  std::uint64_t lost = 0;       // lines that the journal did not take
};

struct AlarmMessage {
  std::string text;  // one line
  std::string alarm;
  Severity severity = Severity::kWarning;
  AlarmState state = AlarmState::kFiring;
  std::string peer;         // empty: the node's, or a flood's
  std::string evidence;     // of a flood: how many, and the first names
  std::size_t changes = 1;  // that it tells
};

// In the order of the changes; a flood is placed where its first change was.
std::vector<AlarmMessage> messages_of(const std::vector<Alarm>& changes);

}  // namespace espial
