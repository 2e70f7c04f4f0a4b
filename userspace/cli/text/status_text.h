// SPDX-License-Identifier: Apache-2.0
// The status document (schema_version 1) as a table for people, and as an exit status.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/terminal/console.h"

namespace espial {

// Pure. Text of the document is made printable: no byte of it reaches the terminal as it is.
std::string render_status(const nlohmann::json& status, const RenderStyle& style);

// 1: an alarm fires, or a peer that is no candidate is leaking, mixed, one_way, down or exposed.
// Else 3: such a peer is unknown. Else 0.
int status_exit(const nlohmann::json& status);

}  // namespace espial
