// SPDX-License-Identifier: Apache-2.0
// The doctor document as people read it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/terminal/console.h"

namespace espial {

// Leaves only what concerns one of these peers, or the node; none given: everything.
nlohmann::json select_findings(nlohmann::json document, const std::vector<std::string>& peers);

std::string render_doctor(const nlohmann::json& document, const RenderStyle& style);

// 1: packets are lost or leak; 3: none found, but not everything could be checked; else 0. A risk
// alone is 0.
int doctor_exit(const nlohmann::json& document);

}  // namespace espial
