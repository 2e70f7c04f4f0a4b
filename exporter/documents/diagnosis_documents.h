// SPDX-License-Identifier: Apache-2.0
// What the commands that diagnose print as JSON (schema_version 1), and what they ask the daemon.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/doctor_report.h"
#include "model/explanation.h"
#include "model/facts/ike_trouble.h"
#include "model/probe_result.h"
#include "model/snapshot.h"

namespace espial {

// What `espial doctor --json` prints (schema_version 1).
nlohmann::json doctor_document(const DoctorReport& report, const std::string& node, WallTime time);

// What `espial doctor --explain --json` prints (schema_version 1).
nlohmann::json explain_document(const Explanation& explanation, const std::string& node,
                                WallTime time);

// What `espial verify --json` prints (schema_version 1).
nlohmann::json verify_document(const VerifyReport& report, const std::string& node, WallTime time);

// What charon's log said, from the daemon that listens to the command that explains.
// {"schema_version": 1, "troubles": [{"kind", "connection", "remote_host", "line", "at_ms"}]};
// at_ms: Unix time in milliseconds.
nlohmann::json ike_troubles_document(const std::vector<IkeTrouble>& troubles);
// What is no trouble that this espial knows is left out.
std::vector<IkeTrouble> ike_troubles_from(const nlohmann::json& document);

}  // namespace espial
