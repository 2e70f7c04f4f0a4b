// SPDX-License-Identifier: Apache-2.0
// The gate: the packet path of this tree beside that of a base, row by row and round by round in one
// run, on one CPU. No figure of another run or machine takes part.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace espial::bench {

// One row in ns per packet, one value for each time that a side was loaded: where the kernel puts
// code and maps, and how a hash falls, differ from load to load.
struct Versus {
  std::string name;  // of the case
  std::vector<double> base;
  std::vector<double> tree;

  enum class Verdict : std::uint8_t { kSame, kBetter, kWorse, kUnclear };
  // Of medians: above 1, the tree is slower.
  [[nodiscard]] double ratio() const;
  // The widest that loads of one side lie apart, as a share of the smallest.
  [[nodiscard]] double spread() const;
  // Worse, better: nearly every load of the tree is on the one side of every load of the base by
  // more than the tolerance. Unclear: the medians say so, but the loads do not agree.
  [[nodiscard]] Verdict verdict() const;
};
std::string_view to_string(Versus::Verdict verdict);

struct Sides {
  std::string base;  // executables, espial_packet_path
  std::string tree;
};

// Of the rows whose name contains `only`; `seen` hears how many rows are measured again.
Result<std::vector<Versus>> measure_versus(const Sides& sides, const std::string& only,
                                           const std::function<void(std::size_t)>& again);

// For people, the rows that differ below all others; and for machines.
std::string table_of(const std::vector<Versus>& rows);
// {"schema_version": 1, "base": NAME or null, "without_base": REASON or null, "rows": [{"name",
// "base_ns", "tree_ns", "ratio", "spread", "loads", "verdict"}]}
std::string json_of(const std::vector<Versus>& rows, const std::string& base,
                    const std::string& without_base);

}  // namespace espial::bench
