// SPDX-License-Identifier: Apache-2.0
// `espial flows --follow`: flows in clear and dropped flows as they happen, from the daemon.
#pragma once

#include <chrono>

#include "cli/commands.h"

namespace espial {

// Runs until interrupted or its output is closed: exit status 0. 3 when there is no daemon to begin
// with; one that restarts is waited for. Events go to console.out, what happens to the stream to
// console.err. `since`: also what was seen that long ago.
int follow_command(const Config& config, const FlowsOptions& options, std::chrono::seconds since,
                   Console& console);

}  // namespace espial
