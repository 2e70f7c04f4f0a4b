// SPDX-License-Identifier: Apache-2.0
// The other tools are run as their users run them: by their commands.
#pragma once

#include <string>

#include "base/result.h"

namespace espial::bench {

// Runs a shell command line, feeding it `input`. Error: it failed, with the line.
Status shell(const char* line, const std::string& input = {});

// What a command line prints. Error: it failed, with the line.
Result<std::string> output_of(const std::string& line);

}  // namespace espial::bench
