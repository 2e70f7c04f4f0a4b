// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/text/text_table.h"

namespace espial {

// What a status document says of the daemon's own probes: one line how many ended how, and each way
// that did not end well. Empty when none are sent.
std::string probes_text(const nlohmann::json& status, const RenderStyle& style);

}  // namespace espial
