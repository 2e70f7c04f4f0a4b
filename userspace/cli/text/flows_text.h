// SPDX-License-Identifier: Apache-2.0
// The flows document (schema_version 1) for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/terminal/console.h"

namespace espial {

// What select_flows selects by: every class, "dropped" and "would_drop".
std::vector<std::string> flow_kinds();

// The same document with the flows of one class only, or those of which a packet was dropped or
// would have been; all of them when kind is empty.
nlohmann::json select_flows(nlohmann::json flows, std::string_view kind);

// Pure; text of the document is made printable. Most recent first.
// "tcp 10.0.0.1:80 > 10.0.0.2:1024" of one flow.
std::string flow_line(const nlohmann::json& flow);

// One event of `flows --follow` as a line; empty: it is not for people.
std::string follow_line(const nlohmann::json& event, const RenderStyle& style);

// Does an event pass --class kind (empty: all)? What is said of the stream itself always does.
bool is_followed(const nlohmann::json& event, std::string_view kind);

std::string render_flows(const nlohmann::json& flows, const RenderStyle& style);

}  // namespace espial
