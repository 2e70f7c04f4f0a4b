// SPDX-License-Identifier: Apache-2.0
// What the command line finds out by itself about the node: its rules and switches, and what
// becomes of packets that it sends. Needs root. Changes nothing.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/config.h"

namespace espial {

// Reads the rules and switches of the node, pings the underlays: what is in the way of the
// backends' traffic. Takes up to a second or two.
Result<nlohmann::json> doctor_now(const Config& config);

// What would happen to a ping between the two, as written. Sends nothing. kUsage: no addresses of
// one family.
Result<nlohmann::json> explain_now(const Config& config, const std::string& source,
                                   const std::string& destination);

// Sends probes to the peers' backends, from this node and from a local pod, and says what crossed
// the wire. kUsage: a peer or address that does not exist; kUnable: no programs are attached.
// Takes some seconds where something is lost, less where nothing is.
Result<nlohmann::json> verify_now(const Config& config, const std::vector<std::string>& peers,
                                  const std::vector<std::string>& remote_pods);

// The rules behind the last drops of `espial flows --class dropped`: reads the firewall as it is
// now.
// flows: the document of flows. Each entry of its kernel_drops that netfilter dropped gets "rule",
// as its tool prints it, and "rule_hook"; null where no rule of now explains it. Without such
// entries nothing is read.
Result<nlohmann::json> name_drop_rules(const Config& config, nlohmann::json flows);

}  // namespace espial
