// SPDX-License-Identifier: Apache-2.0
// What iptables-save, ip6tables-save and their -nft-save and -legacy-save print, as tables
// (iptables-extensions(8)). Matches and targets that are not understood become Unknown.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/facts/firewall.h"

namespace espial {

inline constexpr std::size_t kIptablesSaveMax = 64u << 20;

// The tables with their built-in chains as base chains, at the hooks and priorities that the kernel
// gives them. An Error names the line.
Result<std::vector<Table>> tables_from_iptables_save(std::string_view text, Family family,
                                                     RuleTool tool);

// Replaces the rules of nft's tables of iptables-nft, which nft's JSON leaves opaque, by those that
// iptables-nft-save printed. A chain whose numbers of rules differ (it changed in between) stays.
void explain_xt(Ruleset& ruleset, const std::vector<Table>& saved);

}  // namespace espial
