// SPDX-License-Identifier: Apache-2.0
// The alarms document (schema_version 1) as tables for people, and as an exit status.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "cli/terminal/console.h"

namespace espial {

// Only what is about one peer (empty: all), and the history only if it is wanted. A peer that the
// document does not know is a kUsage error.
Result<nlohmann::json> select_alarms(nlohmann::json document, const std::string& peer,
                                     bool history);

// Pure. Text of the document is made printable.
std::string render_alarms(const nlohmann::json& document, const RenderStyle& style);

// 1: an alarm fires. Else 3 if no daemon runs. Else 0.
int alarms_exit(const nlohmann::json& document);

}  // namespace espial
