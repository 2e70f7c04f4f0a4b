// SPDX-License-Identifier: Apache-2.0
// What `espial doctor --explain --json` prints (schema_version 1).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "model/explanation.h"
#include "model/snapshot.h"

namespace espial {

nlohmann::json explain_document(const Explanation& explanation, const std::string& node,
                                WallTime time);

}  // namespace espial
