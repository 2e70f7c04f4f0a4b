// SPDX-License-Identifier: Apache-2.0
// What the gate says of one row, from nothing but times of this run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace espial::bench {

enum class Verdict : std::uint8_t { kSame, kBetter, kWorse, kAccepted, kUnclear };
std::string_view to_string(Verdict verdict);

// One row in ns per packet, one value for each time that a side was loaded: where the kernel puts
// code and maps, and how a hash falls, differ from load to load.
struct Versus {
  std::string name;  // of the case
  std::vector<double> base;
  std::vector<double> tree;

  // Of medians: above 1, the tree is slower.
  [[nodiscard]] double ratio() const;
  // The widest that loads of one side lie apart, as a share of the smallest.
  [[nodiscard]] double spread() const;
  // Worse, better: nearly every load of the tree is on the one side of nearly every load of the
  // base by more than the tolerance. Unclear: the medians say so, but the loads do not agree.
  [[nodiscard]] Verdict verdict() const;
};

// A cost that somebody decided to pay (tests/bench/accepted).
struct Accepted {
  std::string prefix;  // of the names of rows
  double ratio = 1;    // at most
};
// Lines "PREFIX RATIO WHY", and those that start with #.
Result<std::vector<Accepted>> parse_accepted(const std::string& text);

// The verdict, kAccepted instead of kWorse where the ratio is below an accepted one.
Verdict judged(const Versus& row, const std::vector<Accepted>& accepted);
// Those that no row needs (any more).
std::vector<Accepted> unneeded(const std::vector<Versus>& rows,
                               const std::vector<Accepted>& accepted);

}  // namespace espial::bench
