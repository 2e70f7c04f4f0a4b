// SPDX-License-Identifier: Apache-2.0
// The verify document as people read it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/terminal/console.h"

namespace espial {

// Of verify_document() (exporter/documents/verify_document.h); of another shape: what is there.
std::string render_verify(const nlohmann::json& document, const RenderStyle& style);

// 0: every probe was encrypted both ways, and where none crossed FORWARD the rules let it pass;
// 1: a probe was not, or a rule would lose it; 3: something could not be probed or judged.
int verify_exit(const nlohmann::json& document);

}  // namespace espial
