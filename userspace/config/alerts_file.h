// SPDX-License-Identifier: Apache-2.0
// The section `alerts` of espial.yaml, for who delivers them. Its problems are parse_config()'s.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/config_alerts.h"

namespace espial {

// Of a text without problems.
ConfigAlerts parse_alerts(std::string_view text);

// Of the file that load_config() has read; a missing one tells nobody.
Result<ConfigAlerts> load_alerts(const std::string& path);

}  // namespace espial
