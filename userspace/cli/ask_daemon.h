// SPDX-License-Identifier: Apache-2.0
// One document of a running daemon, or of what can be found out without one.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/result.h"
#include "model/config.h"

namespace espial {

using Offline = std::function<Result<nlohmann::json>(const Config&)>;

// The document (schema_version 1) from the daemon, or, when none answers, from `offline` (empty:
// nothing). Blocks for kControlDeadline at most, and as long as `offline` takes.
Result<nlohmann::json> ask_daemon(const Config& config, std::string_view request,
                                  const Offline& offline);

}  // namespace espial
