// SPDX-License-Identifier: Apache-2.0
// What `espial doctor --json` prints (schema_version 1).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "model/doctor_report.h"
#include "model/snapshot.h"

namespace espial {

nlohmann::json doctor_document(const DoctorReport& report, const std::string& node, WallTime time);

}  // namespace espial
