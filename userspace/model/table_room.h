// SPDX-License-Identifier: Apache-2.0
// What the peer table has room for, and which prefix lengths it uses (bpf/wire.h, table.h): a
// look-up tries each distinct length, so a table has few of them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace espial {

// EP_MAX_PREFIX_LENS: distinct ones of a family in one table.
inline constexpr std::size_t kMaxPrefixLengths = 8;

// Slots of a table for so many peers, a power of two: room for four prefixes per peer (an underlay
// address and a subnet of each family) and as much again.
std::uint32_t table_slots(std::uint32_t max_peers);
// How many prefixes fit into them.
std::size_t table_room(std::uint32_t slots);

struct LengthPlan {
  std::vector<unsigned> kept;  // ascending; the longest is among them
  std::size_t entries = 0;     // once all are of a kept length; saturated at table_room's maximum
};

// Which lengths of a family to keep, so that the others, split into prefixes of the next longer
// kept length, become as few entries as possible. `prefixes`: how many there are of each length.
LengthPlan plan_lengths(const std::map<unsigned, std::size_t>& prefixes);

}  // namespace espial
