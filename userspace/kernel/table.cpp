// SPDX-License-Identifier: Apache-2.0
#include "kernel/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <set>

#include "hash.h"
#include "kernel/prefix_key.h"
#include "kernel/table_fit.h"
#include "model/table_room.h"

namespace espial {
namespace {

constexpr std::uint32_t kMaxDisplacement = 0xffff;
constexpr std::uint32_t kSeeds = 64;  // how many hash seeds are tried before giving up

// A typed view of the block that is being built.
struct Block {
  std::vector<std::byte> bytes;
  TableCapacity capacity;

  ep_table_head& head() { return *reinterpret_cast<ep_table_head*>(bytes.data()); }
  ep_slot* slots() { return reinterpret_cast<ep_slot*>(bytes.data() + sizeof(ep_table_head)); }
  std::uint16_t* displacements() {
    return reinterpret_cast<std::uint16_t*>(slots() + capacity.slots);
  }
};

// The key length of a prefix (wire.h): IPv4 stands behind 64 bits of ones.
std::uint8_t key_length(const Prefix& prefix) {
  return static_cast<std::uint8_t>(prefix.length() + (prefix.family() == Family::kIpv4 ? 64 : 0));
}

ep_slot make_slot(const TableEntry& entry) {
  const auto key = key_of(entry.prefix.address());
  return {key.hi,
          key.lo,
          key_length(entry.prefix),
          static_cast<std::uint8_t>(entry.role),
          static_cast<std::uint16_t>((entry.configured ? EP_SLOT_CONFIGURED : 0) |
                                     (entry.relayed ? EP_SLOT_RELAYED : 0) |
                                     static_cast<unsigned>(entry.mode) << EP_SLOT_MODE_SHIFT),
          entry.peer,
          entry.subnet,
          0};
}

struct Hashed {
  ep_slot slot;
  std::uint64_t hash;
};

// Moves the keys of one bucket to free slots by the smallest displacement that does.
bool place_bucket(std::span<const Hashed> keys, ep_slot* slots, std::uint32_t count,
                  std::uint16_t& displacement) {
  for (std::uint32_t d = 0; d <= kMaxDisplacement; ++d) {
    std::size_t placed = 0;
    for (; placed < keys.size(); ++placed) {
      ep_slot& slot = slots[ep_slot_index(keys[placed].hash, d, count)];
      if (slot.role != EP_ROLE_NONE) break;
      slot = keys[placed].slot;
    }
    if (placed == keys.size()) {
      displacement = static_cast<std::uint16_t>(d);
      return true;
    }
    while (placed-- > 0) slots[ep_slot_index(keys[placed].hash, d, count)] = ep_slot{};
  }
  return false;
}

std::vector<Hashed> hash_entries(const std::vector<TableEntry>& entries, std::uint32_t seed) {
  std::vector<Hashed> keys;
  std::set<Prefix> seen;
  for (const auto& entry : entries) {
    if (!seen.insert(entry.prefix).second) continue;
    const auto slot = make_slot(entry);
    keys.push_back({slot, ep_hash(slot.hi, slot.lo, slot.plen, seed)});
  }
  return keys;
}

// Places all entries, big buckets first. False: try another seed.
bool place_entries(Block& block, const TableSpec& spec) {
  const auto count = block.capacity.slots;
  auto keys = hash_entries(spec.entries, block.head().seed);
  block.head().entries = static_cast<std::uint32_t>(keys.size());
  std::vector<std::uint32_t> sizes(count / 2);
  for (const auto& key : keys) ++sizes[ep_bucket(key.hash, count)];
  std::sort(keys.begin(), keys.end(), [&](const auto& a, const auto& b) {
    const auto x = ep_bucket(a.hash, count);
    const auto y = ep_bucket(b.hash, count);
    return sizes[x] != sizes[y] ? sizes[x] > sizes[y] : x < y;
  });
  for (std::size_t first = 0; first < keys.size();) {
    const auto bucket = ep_bucket(keys[first].hash, count);
    const std::span<const Hashed> group(&keys[first], sizes[bucket]);
    if (!place_bucket(group, block.slots(), count, block.displacements()[bucket])) return false;
    first += group.size();
  }
  return true;
}

void put_lengths(Block& block, const TableSpec& spec) {
  std::array<std::set<std::uint8_t, std::greater<>>, EP_FAMILY_COUNT> lengths;
  for (const auto& entry : spec.entries)
    lengths[static_cast<std::size_t>(entry.prefix.family())].insert(key_length(entry.prefix));
  auto& head = block.head();
  for (std::size_t family = 0; family < EP_FAMILY_COUNT; ++family) {
    std::size_t next = 0;
    for (const auto length : lengths[family])
      head.masks[family][next++] = {ep_mask_hi(~std::uint64_t{0}, length),
                                    ep_mask_lo(~std::uint64_t{0}, length), length, 0};
  }
}

void put_enforcement(ep_table_head& head, const TableSpec& spec) {
  head.spi_proof = spec.spi_proof ? 1 : 0;
  for (std::size_t i = 0; i < kReasons; ++i)
    head.limits |= static_cast<__u32>(spec.limits[i]) << i * EP_MODE_BITS;
  for (auto& unused : head.exemptions) unused.family = EP_FAMILY_COUNT;
  for (const auto& exemption : spec.exemptions) {
    const auto slot = make_slot({exemption.prefix});
    head.exemptions[head.exemption_count++] = {slot.hi,
                                               slot.lo,
                                               ep_mask_hi(~std::uint64_t{0}, slot.plen),
                                               ep_mask_lo(~std::uint64_t{0}, slot.plen),
                                               static_cast<__u32>(exemption.prefix.family()),
                                               exemption.port,
                                               exemption.protocol,
                                               0};
  }
}

// Linear probing over a small table of the head; false when EP_MAX_PROBE slots are taken.
template <typename Slot, std::size_t kSlots, typename IsFree>
bool put_probed(Slot (&slots)[kSlots], std::uint32_t hash, const Slot& value, IsFree is_free) {
  for (std::uint32_t probe = 0; probe < EP_MAX_PROBE; ++probe) {
    Slot& slot = slots[(hash + probe) & (kSlots - 1)];
    if (!is_free(slot)) continue;
    slot = value;
    return true;
  }
  return false;
}

bool place_vlans(ep_table_head& head, const TableSpec& spec) {
  for (const auto& vlan : spec.vlans) {
    const auto ifindex = static_cast<std::uint32_t>(vlan.ifindex);
    const ep_vlan_slot slot{ifindex, vlan.vid, static_cast<std::uint16_t>(vlan.action)};
    if (!put_probed(head.vlans, ep_hash_vlan(ifindex, vlan.vid, head.seed), slot,
                    [](const ep_vlan_slot& s) { return s.ifindex == 0; }))
      return false;
    ++head.vlan_count;
  }
  return true;
}

bool place_spis(ep_table_head& head, const TableSpec& spec) {
  for (const auto spi : spec.integrity_spis) {
    if (spi == 0) continue;
    if (!put_probed(head.null_spis, ep_hash_spi(spi, head.seed), spi,
                    [](std::uint32_t s) { return s == 0; }))
      return false;
    ++head.null_spi_count;
  }
  return true;
}

}  // namespace

TableCapacity TableCapacity::for_peers(std::uint32_t max_peers) { return {table_slots(max_peers)}; }

std::size_t TableCapacity::bytes() const {
  return sizeof(ep_table_head) + std::size_t{slots} * sizeof(ep_slot) +
         slots / 2 * sizeof(std::uint16_t);
}

Result<BuiltTable> build_table(const TableSpec& whole, const TableCapacity& capacity) {
  EP_ASSIGN(fitted, fit_table(whole, capacity));
  const TableSpec& spec = fitted.spec;
  for (std::uint32_t seed = 1; seed <= kSeeds; ++seed) {
    Block block{std::vector<std::byte>(capacity.bytes()), capacity};
    block.head().generation = spec.generation;
    block.head().seed = seed * 0x9e3779b9;
    put_lengths(block, spec);
    put_enforcement(block.head(), spec);
    if (place_vlans(block.head(), spec) && place_spis(block.head(), spec) &&
        place_entries(block, spec))
      return BuiltTable{std::move(block.bytes), std::move(fitted.left_out)};
  }
  return Error{
      fmt::format("peer table: no hash table layout found for {} prefixes, {} VLANs and {} "
                  "integrity-only SAs (raise max_peers)",
                  spec.entries.size(), spec.vlans.size(), spec.integrity_spis.size())};
}

}  // namespace espial
