// SPDX-License-Identifier: Apache-2.0
// Alerts as JSON: what Alertmanager's API v2 takes, and espial's own document for webhooks and
// commands. Bytes that are not UTF-8 become U+FFFD.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "exporter/notify/alert.h"

namespace espial {

// Who reports: labels that every alert has.
struct AlertOrigin {
  std::string node;
  std::string instance;
  std::vector<std::pair<std::string, std::string>> labels;  // of espial.yaml
};

// alertname (Espial and the alarm's name, as the rules of dashboards/ call it), severity, node,
// instance, reporter="daemon", peer unless it has none, collapsed="true" if it represents many.
nlohmann::json labels_of(const Alert& alert, const AlertOrigin& origin);
// summary, evidence, runbook.
nlohmann::json annotations_of(const Alert& alert, const AlertOrigin& origin);

// Body of POST /api/v2/alerts. endsAt of what fires is now + keep: it ends by itself if nobody says
// again that it fires.
std::string alertmanager_body(std::span<const Alert> alerts, const AlertOrigin& origin,
                              WallTime now, std::chrono::seconds keep);

// schema_version, node, instance, dropped (how many alerts this receiver never got) and alerts:
// status firing or resolved, labels, annotations, starts_at, ends_at (null while it fires).
std::string webhook_body(std::span<const Alert> alerts, const AlertOrigin& origin,
                         std::uint64_t dropped);

}  // namespace espial
