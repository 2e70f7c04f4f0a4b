// SPDX-License-Identifier: Apache-2.0
#include "exporter/documents/alarms_document.h"

#include "base/time_text.h"
#include "exporter/documents/status_document.h"

namespace espial {

using nlohmann::json;

namespace {

json alarm_json(const Alarm& alarm) {
  return {{"alarm", alarm.name},
          {"severity", std::string(to_string(alarm.severity))},
          {"peer", alarm.peer},
          {"state", std::string(to_string(alarm.state))},
          {"since", rfc3339(alarm.since)},
          {"evidence", alarm.evidence},
          {"runbook", runbook_of(alarm.name)}};
}

}  // namespace

json alarms_document(const AlarmsView& view) {
  json alarms = json::array();
  for (const Alarm& alarm : view.engine.alarms()) alarms.push_back(alarm_json(alarm));
  json history = json::array();
  const auto& past = view.engine.history();
  for (auto it = past.rbegin(); it != past.rend(); ++it) {
    json line = alarm_json(*it);
    line["time"] = line["since"];
    line.erase("since");
    history.push_back(std::move(line));
  }
  return {{"schema_version", kSchemaVersion},
          {"node", view.node},
          {"instance", view.instance},
          {"time", rfc3339(view.time)},
          {"daemon", {{"running", !view.saved}}},
          {"saved", view.saved ? json(rfc3339(*view.saved)) : json(nullptr)},
          {"peers", view.peers},
          {"alarms", std::move(alarms)},
          {"history", std::move(history)},
          {"history_forgotten", view.engine.forgotten()},
          {"messages",
           {{"told", view.messages.told},
            {"collapsed", view.messages.collapsed},
            {"lost", view.messages.lost}}}};
}

}  // namespace espial
