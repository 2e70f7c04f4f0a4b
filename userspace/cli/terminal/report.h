// SPDX-License-Identifier: Apache-2.0
// Exit statuses, and how a command reports an error.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/terminal/console.h"

namespace espial {

// Exit statuses of every command.
inline constexpr int kExitGood = 0;
inline constexpr int kExitBad = 1;     // the answer is bad
inline constexpr int kExitUsage = 2;   // usage or invalid configuration
inline constexpr int kExitUnable = 3;  // could not find out
inline constexpr int kExitBug = 70;    // sysexits.h EX_SOFTWARE

// The error, each of its lines after "espial: ".
std::string error_text(const Error& error);
int exit_of(const Error& error);
// Writes the error to console.err, each of its lines after "espial: ", and returns its exit status.
int report(const Error& error, Console& console);

}  // namespace espial
