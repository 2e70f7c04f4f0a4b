// SPDX-License-Identifier: Apache-2.0
// What `espial verify --json` prints (schema_version 1).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "model/probe_result.h"
#include "model/snapshot.h"

namespace espial {

nlohmann::json verify_document(const VerifyReport& report, const std::string& node, WallTime time);

}  // namespace espial
