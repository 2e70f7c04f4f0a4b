// SPDX-License-Identifier: Apache-2.0
// The explanation of one packet as people read it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/terminal/console.h"

namespace espial {

std::string render_explain(const nlohmann::json& document, const RenderStyle& style);

// 0: leaves encrypted; 1: held, clear or dropped; 3: unknown.
int explain_exit(const nlohmann::json& document);

}  // namespace espial
