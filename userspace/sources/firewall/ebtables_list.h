// SPDX-License-Identifier: Apache-2.0
// What `ebtables-legacy -t TABLE -L --Lx` prints, as tables of bridges (net/bridge/netfilter).
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/facts/firewall.h"

namespace espial {

inline constexpr std::size_t kEbtablesListMax = 64u << 20;

// One table for each that has lines: of an empty one that accepts nothing is printed. Built-in
// chains are base chains at the kernel's hooks and priorities, BROUTING one of PREROUTING. A policy
// that is no base chain's drop is a last rule with handle 0: in ebtables user chains have one, too.
// An Error names the line.
Result<std::vector<Table>> tables_from_ebtables_list(std::string_view text);

}  // namespace espial
