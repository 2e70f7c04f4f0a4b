// SPDX-License-Identifier: Apache-2.0
// The audit as JSON (schema_version 1): what `espial audit --json` prints.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "model/mesh.h"
#include "model/snapshot.h"

namespace espial {

nlohmann::json audit_document(const MeshAudit& audit, const std::string& node, WallTime time);

// What the status document says of a peer's policies and SAs; null without an audit of it.
nlohmann::json ipsec_document(const PeerAudit* audit);

}  // namespace espial
