// SPDX-License-Identifier: Apache-2.0
// Peers whose encryption the wire cannot prove, of the status document, as a table for people.
#pragma once

#include <nlohmann/json.hpp>

#include "cli/text/text_table.h"

namespace espial {

// A row per peer with SAs in packet offload or with user-space IPsec; pure.
TextTable unprovable_table(const nlohmann::json& status);

}  // namespace espial
