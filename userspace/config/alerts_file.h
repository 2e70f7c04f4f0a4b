// SPDX-License-Identifier: Apache-2.0
// The section `alerts` of espial.yaml, for delivery. parse_config() reports its problems.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/config_alerts.h"

namespace espial {

// Of a text without problems.
ConfigAlerts parse_alerts(std::string_view text);

// From the file that load_config() has read; a missing file means no receivers.
Result<ConfigAlerts> load_alerts(const std::string& path);

}  // namespace espial
