// SPDX-License-Identifier: Apache-2.0
// What `nft -j -n list ruleset` prints, as a Ruleset (libnftables-json(5), schema version 1).
//
// Pure functions over bounded text. Texts longer than kNftJsonMax or nested deeper than
// kNftJsonDepth are an Error; tables and rules that are not understood are kept as Unknown.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"
#include "model/facts/firewall.h"

namespace espial {

inline constexpr std::size_t kNftJsonMax = 64u << 20;
inline constexpr unsigned kNftJsonDepth = 64;

Result<Ruleset> ruleset_from_nft_json(std::string_view text);

// Has the table a rule that nft's JSON does not explain ("xt"), as those of iptables-nft?
bool has_opaque_xt(const Table& table);

}  // namespace espial
