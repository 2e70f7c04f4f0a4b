// SPDX-License-Identifier: Apache-2.0
// What enforcement did, of the status document, as a table for people.
#pragma once

#include <nlohmann/json.hpp>

#include "cli/text/text_table.h"

namespace espial {

// A row per peer (empty: of no peer), action and reason that has occurred; pure.
TextTable enforcement_table(const nlohmann::json& status);

}  // namespace espial
