// SPDX-License-Identifier: Apache-2.0
// What only the text of `nft -a -n list ruleset` tells: each rule as nft prints it, whether a table
// is dormant, and the devices of netdev chains, which the JSON of nft 1.0.6 leaves out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/facts/firewall.h"

namespace espial {

// Adds to ruleset what text says of the same tables, chains and handles. A netdev chain whose
// devices stay unknown says so.
void add_nft_text(Ruleset& ruleset, std::string_view text);

// The tables that the listing names, in its order.
struct ListedTable {
  std::string family;
  std::string name;
  bool flags = false;
  bool dormant = false;
};
std::vector<ListedTable> nft_tables_of(std::string_view text);

}  // namespace espial
