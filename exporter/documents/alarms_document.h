// SPDX-License-Identifier: Apache-2.0
// The JSON document of `espial alarms --json`; stable API as in status_document.h.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/alarms/alarm_engine.h"
#include "model/alarms/alarm_messages.h"
#include "model/report.h"

namespace espial {

struct AlarmsView {
  std::string node;
  std::string instance;
  WallTime time;
  std::optional<WallTime> saved;   // read from the state folder; nothing: the daemon's own
  std::vector<std::string> peers;  // all that are known
  const AlarmEngine& engine;
  AlarmMessageCounts messages;
};

// The history has the latest first.
nlohmann::json alarms_document(const AlarmsView& view);

}  // namespace espial
