// SPDX-License-Identifier: Apache-2.0
// The gate: the packet path of this tree beside that of a base, row by row and round by round in
// one run, on one CPU. No figure of another run or machine takes part.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/versus/verdict.h"

namespace espial::bench {

struct Sides {
  std::string base;  // executables, espial_packet_path
  std::string tree;
};

// Of the rows whose name contains `only`; `seen` hears how many rows are measured again.
Result<std::vector<Versus>> measure_versus(const Sides& sides, const std::string& only,
                                           const std::function<void(std::size_t)>& again);

// For people, the rows that differ below all others; and for machines.
std::string table_of(const std::vector<Versus>& rows, const std::vector<Accepted>& accepted);
// {"schema_version": 1, "base": NAME or null, "without_base": REASON or null, "rows": [{"name",
// "base_ns", "tree_ns", "ratio", "spread", "loads", "verdict"}]}
std::string json_of(const std::vector<Versus>& rows, const std::vector<Accepted>& accepted,
                    const std::string& base, const std::string& without_base);

}  // namespace espial::bench
