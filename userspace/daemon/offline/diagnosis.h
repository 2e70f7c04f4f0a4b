// SPDX-License-Identifier: Apache-2.0
// What commands find out by themselves about the node: its rules and sysctls, and what
// happens to packets that they send. Needs root. Changes nothing.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/config.h"

namespace espial {

// Reads the rules and sysctls of the node and pings the underlays to find what blocks the
// backends' traffic. Takes up to two seconds.
Result<nlohmann::json> doctor_now(const Config& config);

// What would happen to a ping between the two, as written. Sends nothing. kUsage: no addresses of
// one family.
Result<nlohmann::json> explain_now(const Config& config, const std::string& source,
                                   const std::string& destination);

// Sends probes to the peers' backends, from this node and from a local pod, and reports what
// crossed the wire. kUsage: a peer or address that does not exist; kUnable: no programs are
// attached. Takes a few seconds if packets are lost, less otherwise.
Result<nlohmann::json> verify_now(const Config& config, const std::vector<std::string>& peers,
                                  const std::vector<std::string>& remote_pods);

// The rules behind the last drops of `espial flows --class dropped`: reads the firewall as it is
// now.
// flows: the document of flows. Each entry of its kernel_drops that netfilter dropped gets "rule",
// as its tool prints it, and "rule_hook"; null if no current rule explains it. Without such
// entries the firewall is not read.
Result<nlohmann::json> name_drop_rules(const Config& config, nlohmann::json flows);

}  // namespace espial
