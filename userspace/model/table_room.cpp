// SPDX-License-Identifier: Apache-2.0
#include "model/table_room.h"

#include <algorithm>
#include <bit>

namespace espial {
namespace {

constexpr std::uint32_t kMinSlots = 64;
constexpr std::size_t kTooMany = std::size_t{1} << 40;  // no table is as large

std::size_t split(std::size_t prefixes, unsigned from, unsigned to) {
  if (to - from > 30) return kTooMany;
  return std::min(kTooMany, prefixes << (to - from));
}

}  // namespace

std::uint32_t table_slots(std::uint32_t max_peers) {
  return std::max(kMinSlots, std::bit_ceil(max_peers * 6));
}

std::size_t table_room(std::uint32_t slots) { return std::size_t{slots} * 5 / 6; }

LengthPlan plan_lengths(const std::map<unsigned, std::size_t>& prefixes) {
  const std::vector<std::pair<unsigned, std::size_t>> lengths(prefixes.begin(), prefixes.end());
  const std::size_t count = lengths.size();
  if (count == 0) return {};
  // cost(i, j): of lengths i to j together, all as prefixes of length j.
  const auto cost = [&](std::size_t i, std::size_t j) {
    std::size_t sum = 0;
    for (std::size_t k = i; k <= j; ++k)
      sum = std::min(kTooMany, sum + split(lengths[k].second, lengths[k].first, lengths[j].first));
    return sum;
  };
  // best[n][j]: the first j + 1 lengths with n + 1 kept ones, the last of which is j; from: the
  // first length that goes into it.
  struct Best {
    std::size_t entries = kTooMany;
    std::size_t from = 0;
  };
  const std::size_t most = std::min(count, kMaxPrefixLengths);
  std::vector<std::vector<Best>> best(most, std::vector<Best>(count));
  for (std::size_t j = 0; j < count; ++j) best[0][j] = {cost(0, j), 0};
  for (std::size_t n = 1; n < most; ++n)
    for (std::size_t j = n; j < count; ++j)
      for (std::size_t i = n; i <= j; ++i) {
        const auto entries = std::min(kTooMany, best[n - 1][i - 1].entries + cost(i, j));
        if (entries < best[n][j].entries) best[n][j] = {entries, i};
      }
  std::size_t n = 0;
  for (std::size_t i = 1; i < most; ++i)
    if (best[i][count - 1].entries < best[n][count - 1].entries) n = i;
  LengthPlan plan{{}, best[n][count - 1].entries};
  for (std::size_t j = count - 1;; --n) {
    plan.kept.push_back(lengths[j].first);
    if (n == 0) break;
    j = best[n][j].from - 1;
  }
  std::reverse(plan.kept.begin(), plan.kept.end());
  return plan;
}

}  // namespace espial
