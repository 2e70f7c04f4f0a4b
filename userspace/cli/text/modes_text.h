// SPDX-License-Identifier: Apache-2.0
// `espial policy` for people, from its documents.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/terminal/console.h"

namespace espial {

// One row per peer: mode, its source, since when, what was or would have been dropped.
std::string render_modes(const nlohmann::json& document, const RenderStyle& style);
// 1 when some peer's mode is not what the programs obey.
int modes_exit(const nlohmann::json& document);

// What a command changed, one line per peer; and why it was refused, one line each.
std::string render_changes(const nlohmann::json& answer);
std::string render_refusals(const nlohmann::json& answer);

}  // namespace espial
