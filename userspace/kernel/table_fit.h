// SPDX-License-Identifier: Apache-2.0
// Makes a table's contents fit its limits. What is configured stays; what does not fit is left out
// and said. Pure.
#pragma once

#include <string>
#include <vector>

#include "kernel/table.h"

namespace espial {

struct FittedTable {
  TableSpec spec;                     // its entries have no prefix twice
  std::vector<std::string> left_out;  // one line each
};

// Prefixes whose length is one too many are split into longer ones, which changes nothing for any
// address. Where that takes more room than there is, learnt peers' prefixes are left out: first
// those of a length that nothing else has, then all. VLANs that are this node's own go before those
// that a device above claims. Error: even what is configured does not fit.
Result<FittedTable> fit_table(const TableSpec& spec, const TableCapacity& capacity);

}  // namespace espial
