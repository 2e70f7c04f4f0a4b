// SPDX-License-Identifier: Apache-2.0
// A reload: the file again, and whether a running node can follow it.
#pragma once

#include <string>

#include "base/result.h"
#include "model/config.h"
#include "model/config_alerts.h"

namespace espial {

// An error when the file is bad, or changes what only a restart can change.
Result<Config> next_config(const std::string& path, const Config& now, const ConfigAlerts& alerts);

}  // namespace espial
