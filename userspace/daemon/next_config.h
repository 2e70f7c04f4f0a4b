// SPDX-License-Identifier: Apache-2.0
// A reload: reads the file again, and checks whether a running node can apply it.
#pragma once

#include <string>

#include "base/result.h"
#include "model/config.h"
#include "model/config_alerts.h"

namespace espial {

// An error if the file is invalid, or changes something that needs a restart.
Result<Config> next_config(const std::string& path, const Config& now, const ConfigAlerts& alerts);

}  // namespace espial
