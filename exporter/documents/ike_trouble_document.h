// SPDX-License-Identifier: Apache-2.0
// What charon's log said, from the daemon that listens to the command that explains.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "model/facts/ike_trouble.h"

namespace espial {

// {"schema_version": 1, "troubles": [{"kind", "connection", "remote_host", "line", "at_ms"}]};
// at_ms: Unix time in milliseconds.
nlohmann::json ike_troubles_document(const std::vector<IkeTrouble>& troubles);
// What is no trouble that this espial knows is left out.
std::vector<IkeTrouble> ike_troubles_from(const nlohmann::json& document);

}  // namespace espial
