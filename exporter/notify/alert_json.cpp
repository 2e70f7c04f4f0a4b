// SPDX-License-Identifier: Apache-2.0
#include "exporter/notify/alert_json.h"

#include "base/time_text.h"
#include "model/alarms/alarms.h"

namespace espial {
namespace {

using nlohmann::json;

constexpr int kSchema = 1;

std::string alert_name(const Alert& alert) { return "Espial" + alert.key.alarm; }

std::string text_of(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string summary_of(const Alert& alert, const AlertOrigin& origin) {
  std::string out = origin.node + ": " + alert.key.alarm;
  if (!alert.key.peer.empty()) out += " with " + alert.key.peer;
  if (alert.key.collapsed) out += " with many peers";
  return out;
}

}  // namespace

json labels_of(const Alert& alert, const AlertOrigin& origin) {
  json labels{{"alertname", alert_name(alert)},
              {"severity", std::string(to_string(alert.severity))},
              {"node", origin.node},
              {"instance", origin.instance},
              {"reporter", "daemon"}};
  for (const auto& [name, value] : origin.labels) labels[name] = value;
  if (!alert.key.peer.empty()) labels["peer"] = alert.key.peer;
  if (alert.key.collapsed) labels["collapsed"] = "true";
  return labels;
}

json annotations_of(const Alert& alert, const AlertOrigin& origin) {
  return {{"summary", summary_of(alert, origin)},
          {"evidence", alert.evidence},
          {"runbook", runbook_of(alert.key.alarm)}};
}

std::string alertmanager_body(std::span<const Alert> alerts, const AlertOrigin& origin,
                              WallTime now, std::chrono::seconds keep) {
  json list = json::array();
  for (const auto& alert : alerts)
    list.push_back({{"labels", labels_of(alert, origin)},
                    {"annotations", annotations_of(alert, origin)},
                    {"startsAt", rfc3339(alert.starts)},
                    {"endsAt", rfc3339(alert.ended.value_or(now + keep))}});
  return text_of(list);
}

std::string webhook_body(std::span<const Alert> alerts, const AlertOrigin& origin,
                         std::uint64_t dropped) {
  json list = json::array();
  for (const auto& alert : alerts)
    list.push_back({{"status", alert.ended ? "resolved" : "firing"},
                    {"labels", labels_of(alert, origin)},
                    {"annotations", annotations_of(alert, origin)},
                    {"starts_at", rfc3339(alert.starts)},
                    {"ends_at", alert.ended ? json(rfc3339(*alert.ended)) : json(nullptr)}});
  return text_of({{"schema_version", kSchema},
                  {"node", origin.node},
                  {"instance", origin.instance},
                  {"dropped", dropped},
                  {"alerts", std::move(list)}});
}

}  // namespace espial
