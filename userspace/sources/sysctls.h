// SPDX-License-Identifier: Apache-2.0
// Reads SysctlFacts of this network namespace. Reads only; any thread.
#pragma once

#include <vector>

#include "model/facts.h"
#include "model/sysctls.h"

namespace espial {

SysctlFacts read_sysctls(const std::vector<LinkFact>& links);

}  // namespace espial
