// SPDX-License-Identifier: Apache-2.0
// Peer modes as JSON: the request of `espial policy`, which is one line to the daemon, and the
// answers. Stable API like the status document.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/config.h"
#include "model/modes/mode_plan.h"
#include "model/snapshot.h"

namespace espial {

// "set" and "confirm" name a peer; see espial(8) for the keys. Errors are kUsage.
Result<ModeRequest> mode_request(const nlohmann::json& request);

struct ModesView {
  const Snapshot& snapshot;  // peers with the modes that should be in force
  const PeerModes& modes;
  const ConfigEnforce& enforce;
  // What the programs obey, parallel to snapshot.peers; nothing: no programs, or not this peer.
  std::vector<std::optional<Mode>> in_force;
  Moment now;
};
nlohmann::json modes_document(const ModesView& view);

// after: the topology with the modes that are in force now.
nlohmann::json mode_answer(const ModePlan& plan, const Topology& after, const Moment& now);

// {"error": ..., "usage": bool}
nlohmann::json error_document(const Error& error);

}  // namespace espial
