// SPDX-License-Identifier: Apache-2.0
// Services: what the command line asks of the rest of the program. main() fills it in, tests fake
// it.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/arguments.h"
#include "model/config.h"
#include "model/topology.h"
#include "model/words.h"

namespace espial {

// A command whose function is empty is not offered. Documents have the shape of the manual page's
// JSON section (schema_version 1). All run on the caller's thread and may block.
struct Services {
  std::string version;
  // Returns the exit status when the daemon has ended.
  std::function<Result<int>(const Config&, const RunOptions&)> run_daemon;
  // From the pins, when no daemon answers.
  std::function<Result<nlohmann::json>(const Config&)> offline_status;
  std::function<Result<nlohmann::json>(const Config&)> offline_flows;
  std::function<Result<nlohmann::json>(const Config&)> offline_alarms;  // what was saved
  // Adds to the document of flows which rules dropped what netfilter did
  // (daemon/offline/diagnosis.h).
  std::function<Result<nlohmann::json>(const Config&, nlohmann::json flows)> name_drop_rules;
  std::function<Result<nlohmann::json>(const Config&)> offline_audit;
  // Always asked directly: it reads rules and pings, which a daemon has no privileges for.
  std::function<Result<nlohmann::json>(const Config&)> doctor;
  // What would happen to a packet from one address to the other, as written. Asked directly.
  std::function<Result<nlohmann::json>(const Config&, const std::string& source,
                                       const std::string& destination)>
      explain;
  // Sends probes: what became of them. Asked directly, too; peers and remote pods as written.
  std::function<Result<nlohmann::json>(const Config&, const std::vector<std::string>& peers,
                                       const std::vector<std::string>& pods)>
      verify;
  // A request about modes (exporter/documents/modes_document.h) when no daemon answers.
  std::function<Result<nlohmann::json>(const Config&, const nlohmann::json& request)> offline_modes;
  std::function<Result<Topology>(const Config&)> show_topology;  // for discover, too
  // What was done, as one line; an unknown peer is a kUsage error.
  std::function<Result<std::string>(const Config&, const std::string& peer)> forget;
  std::function<Result<std::string>(const Config&)> detach;
  // Prints its own report; returns the exit status.
  std::function<Result<int>(const ClassifyArguments&)> classify;
};

}  // namespace espial
