// SPDX-License-Identifier: Apache-2.0
// What the command line can do without a daemon: read the pins, the kernel and the saved topology.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "model/config.h"
#include "model/topology.h"

namespace espial {

// The status document from the pinned maps. Rates come from two readings a second apart.
Result<nlohmann::json> offline_status(const Config& config);
Result<nlohmann::json> offline_flows(const Config& config);

// The alarms that the last daemon saved. Error: it saved none.
Result<nlohmann::json> offline_alarms(const Config& config);

// Compares the current policies, SAs and routes with the topology; needs no pins.
Result<nlohmann::json> offline_audit(const Config& config);

// A request about modes (exporter/documents/modes_document.h). A change takes the
// instance's lock, and edits the saved modes and the pinned map.
Result<nlohmann::json> offline_modes(const Config& config, const nlohmann::json& request);

// The effective topology as a daemon started now would see it.
Result<Topology> effective_topology(const Config& config);

// Removes a learnt peer from the saved topology; a running daemon applies it at its next reload.
Result<std::string> forget_saved_peer(const Config& config, const std::string& peer);

// Removes everything of the instance from the kernel. Refused while its daemon runs.
Result<std::string> detach_instance(const Config& config);

}  // namespace espial
