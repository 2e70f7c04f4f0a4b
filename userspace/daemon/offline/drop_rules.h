// SPDX-License-Identifier: Apache-2.0
// The rules behind the last drops of `espial flows --class dropped`: reads the firewall as it is
// now. Needs root; changes nothing.
#pragma once

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "model/config.h"

namespace espial {

// flows: the document of flows. Each entry of its kernel_drops that netfilter dropped gets "rule",
// as its tool prints it, and "rule_hook"; null where no rule of now explains it. Without such
// entries nothing is read.
Result<nlohmann::json> name_drop_rules(const Config& config, nlohmann::json flows);

}  // namespace espial
