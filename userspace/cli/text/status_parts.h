// SPDX-License-Identifier: Apache-2.0
// Parts of the status document, as tables and lines for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/text/text_table.h"

namespace espial {

// What a status document says of the daemon's own probes: one line how many ended how, and each way
// that did not end well. Empty when none are sent.
std::string probes_text(const nlohmann::json& status, const RenderStyle& style);

// What enforcement did, of the status document, as a table for people.
// A row per peer (empty: of no peer), action and reason that has occurred; pure.
TextTable enforcement_table(const nlohmann::json& status);

// Peers whose encryption the wire cannot prove, of the status document, as a table for people.
// A row per peer with SAs in packet offload or with user-space IPsec; pure.
TextTable unprovable_table(const nlohmann::json& status);

}  // namespace espial
