// SPDX-License-Identifier: Apache-2.0
// Reads SysctlFacts of this network namespace. Reads only; any thread.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "model/facts/facts.h"
#include "model/facts/sysctls.h"

namespace espial {

SysctlFacts read_sysctls(const std::vector<LinkFact>& links);

// A counter of /proc/net/netstat: lines of names, each before its line of values. For tests.
std::optional<std::uint64_t> netstat_counter(std::istream& netstat, const std::string& name);

}  // namespace espial
