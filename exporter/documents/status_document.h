// SPDX-License-Identifier: Apache-2.0
// The JSON documents: /api/v1/status and `espial status --json`, /api/v1/flows and `espial flows
// --json`. Stable API: keys are only added while kSchemaVersion stays.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/report.h"
#include "model/snapshot.h"

namespace espial {

inline constexpr int kSchemaVersion = 1;

// Every class, outcome and loss is always present, as zero if it never happened; a ratio without
// traffic is null; times are RFC 3339 UTC.
nlohmann::json status_document(const Report& report);

// drops: flows that lost packets in the kernel.
nlohmann::json flows_document(const std::vector<FlowRecord>& flows,
                              const std::vector<DropRecord>& drops = {});

// One line (indent < 0) or indented text, ending in a newline. Bytes that are not UTF-8 (a device
// name may hold any) become U+FFFD rather than an exception.
std::string document_text(const nlohmann::json& document, int indent = -1);

// One flow as JSON: an entry of the flows document, and an event of `flows --follow`.
nlohmann::json flow_document(const FlowRecord& flow);
nlohmann::json drop_document(const DropRecord& drop);

}  // namespace espial
