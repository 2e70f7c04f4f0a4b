// SPDX-License-Identifier: Apache-2.0
// `espial classify`: captures, judged by the same parser and judge as live traffic.
#pragma once

#include "base/result.h"
#include "cli/terminal/console.h"
#include "model/arguments.h"

namespace espial {

// Reads every capture of `arguments`, judges every frame and writes one report to console.out.
// Returns 0, or 1 when unprotected traffic is in it. Errors: kUsage for a file that is no capture,
// is damaged (after reporting what was read) or has another link type; kUnable for an unreadable
// file or, when it was asked for by name, an engine that does not start.
Result<int> classify_command(const ClassifyArguments& arguments, Console& console);

}  // namespace espial
