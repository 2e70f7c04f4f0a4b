// SPDX-License-Identifier: Apache-2.0
// The command line of espial, on CLI11, whose exceptions end here.
#pragma once

#include "cli/services.h"
#include "cli/terminal/console.h"

namespace espial {

// Runs the command that argv names, on standard output and error, and returns the exit status:
// 0 good, 1 the answer is bad, 2 usage or invalid configuration, 3 could not find out, 70 a bug
// (an uncaught exception). Every error is one line on standard error.
int cli_main(int argc, char** argv, const Services& services);

// The same on a console of the caller's.
int cli_main(int argc, const char* const* argv, const Services& services, Console& console);

}  // namespace espial
