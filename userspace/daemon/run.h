// SPDX-License-Identifier: Apache-2.0
// The daemon: a Node, its event loop, its HTTP server and its control socket.
#pragma once

#include <string>

#include "base/result.h"
#include "model/arguments.h"
#include "model/config.h"

namespace espial {

// Runs until SIGTERM or SIGINT; SIGHUP reads the configuration again. Programs stay attached when
// it ends. Returns the exit status.
Result<int> run_daemon(const Config& config, const RunOptions& options, const std::string& version);

}  // namespace espial
