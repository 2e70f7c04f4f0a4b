// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next attempt.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace espial {

struct Backoff {
  std::chrono::milliseconds first{500};
  std::chrono::milliseconds longest{30'000};

  // After `failures` (from 1) in a row: doubled by each, up to the longest; between half of that
  // and the whole by `chance` in [0, 1), so that nodes that lost a receiver together return one by
  // one.
  [[nodiscard]] std::chrono::milliseconds wait(std::uint32_t failures, double chance) const {
    const auto shift = std::min<std::uint32_t>(failures == 0 ? 0 : failures - 1, 20);
    const auto whole = std::min(first * (std::int64_t{1} << shift), longest);
    const auto half = static_cast<double>(whole.count()) / 2;
    return std::chrono::milliseconds(static_cast<std::int64_t>(half + half * chance));
  }
};

}  // namespace espial
