// SPDX-License-Identifier: Apache-2.0
// The audit document as people read it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/terminal/console.h"

namespace espial {

std::string render_audit(const nlohmann::json& document, const RenderStyle& style);

// 1: some pair is exposed or misconfigured; 3: none is, but policies cannot be read; else 0.
int audit_exit(const nlohmann::json& document);

}  // namespace espial
