// SPDX-License-Identifier: Apache-2.0
// The flows document (schema_version 1) for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "cli/console.h"

namespace espial {

// The same document with the flows of one class only; all of them when klass is empty.
nlohmann::json select_flows(nlohmann::json flows, std::string_view klass);

// Pure; text of the document is made printable. Most recent first.
// "tcp 10.0.0.1:80 > 10.0.0.2:1024" of one flow.
std::string flow_line(const nlohmann::json& flow);

std::string render_flows(const nlohmann::json& flows, const RenderStyle& style);

}  // namespace espial
