// SPDX-License-Identifier: Apache-2.0
// Finds the rules that caused the last drops of `espial flows --class dropped`, in the current
// firewall. Needs root; changes nothing.
#pragma once

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "model/config.h"

namespace espial {

// flows: the document of flows. Each entry of its kernel_drops that netfilter dropped gets "rule",
// as its tool prints it, and "rule_hook"; null if no current rule explains it. Without such
// entries the firewall is not read.
Result<nlohmann::json> name_drop_rules(const Config& config, nlohmann::json flows);

}  // namespace espial
