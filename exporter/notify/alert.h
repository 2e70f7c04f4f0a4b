// SPDX-License-Identifier: Apache-2.0
// Alerts: what is sent to alarm receivers. Pure values and functions.
//
// An alert is a firing alarm, or represents many: of one alarm name at most collapse_above
// alarms, the oldest, have alerts of their own; the rest are one alert with their count. Pending
// alarms are not sent yet, and an alert that is no longer in the list has ended.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/report.h"

namespace espial {

// Which alert it is, whatever its state.
struct AlertKey {
  std::string alarm;  // "CleartextTraffic"
  std::string peer;   // empty: of the node, or of many
  bool collapsed = false;
  auto operator<=>(const AlertKey&) const = default;
};

struct Alert {
  AlertKey key;
  Severity severity = Severity::kWarning;
  WallTime starts;
  std::optional<WallTime> ended;  // nothing: it fires
  std::string evidence;           // one line
};

struct AlertList {
  WallTime time;                                            // of which moment
  std::vector<Alert> firing;                                // in the order of their keys, each once
  std::set<std::pair<std::string, std::string>> collapsed;  // alarm and peer inside of one alert
};

AlertList alerts_of(const std::vector<Alarm>& alarms, std::size_t collapse_above, WallTime time);

// What changed from one list to the next: ends, then beginnings, in the order of their keys.
std::vector<Alert> transitions(const AlertList& before, const AlertList& now);

}  // namespace espial
