// SPDX-License-Identifier: Apache-2.0
#include "frames/host_engine.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "hash.h"

namespace espial::frames {
namespace {

std::uint64_t big_endian(const IpAddress& address, std::size_t at, std::size_t size) {
  std::uint64_t v = 0;
  for (std::size_t i = at; i < at + size; ++i) v = v << 8 | address.bytes()[i];
  return v;
}

ep_role role_number(Role role) {
  switch (role) {
    case Role::kNone:
      return EP_ROLE_NONE;
    case Role::kSelfUnderlay:
      return EP_ROLE_SELF_UNDERLAY;
    case Role::kSelfBackend:
      return EP_ROLE_SELF_BACKEND;
    case Role::kPeerUnderlay:
      return EP_ROLE_PEER_UNDERLAY;
    case Role::kPeerBackend:
      return EP_ROLE_PEER_BACKEND;
    case Role::kNetwork:
      return EP_ROLE_NETWORK;
  }
  return EP_ROLE_NONE;
}

template <typename Slot>
Slot& free_slot(Slot* slots, std::uint32_t hash) {
  while (slots[hash & (TableImage::kSlots - 1)].role != EP_ROLE_NONE) ++hash;
  return slots[hash & (TableImage::kSlots - 1)];
}

template <typename Slot>
void fill(Slot& slot, const RoleEntry& entry) {
  slot.plen = static_cast<__u8>(entry.prefix.length());
  slot.role = static_cast<__u8>(role_number(entry.role));
  slot.peer = entry.peer;
  slot.subnet = entry.subnet;
}

// Distinct prefix lengths of one family, longest first.
__u32 list_lengths(const World& world, Family family, __u8* lengths) {
  std::set<unsigned, std::greater<>> distinct;
  for (const RoleEntry& entry : world.roles)
    if (entry.prefix.family() == family) distinct.insert(entry.prefix.length());
  std::copy(distinct.begin(), distinct.end(), lengths);
  return static_cast<__u32>(distinct.size());
}

void add_vlans_and_spis(ep_table_head& head, const World& world, std::uint32_t ifindex) {
  for (const VlanEntry& entry : world.vlans) {
    std::uint32_t at = ep_hash_vlan(ifindex, entry.vid);
    while (head.vlans[at % EP_VLAN_SLOTS].ifindex != 0) ++at;
    const bool ours = entry.action == VlanAction::kOurs;
    head.vlans[at % EP_VLAN_SLOTS] = {ifindex, entry.vid,
                                      static_cast<__u16>(ours ? EP_VLAN_OURS : EP_VLAN_CLAIMED)};
    ++head.vlan_count;
  }
  for (const std::uint32_t spi : world.null_spis) {
    std::uint32_t at = ep_hash_spi(spi);
    while (head.null_spis[at % EP_NULL_SPI_SLOTS] != 0) ++at;
    head.null_spis[at % EP_NULL_SPI_SLOTS] = spi;
    ++head.null_spi_count;
  }
}

}  // namespace

TableImage::TableImage(const World& world, std::uint32_t ifindex)
    : words_((sizeof(ep_table_head) + kSlots * (sizeof(ep_slot4) + sizeof(ep_slot6))) / 8) {
  auto* bytes = reinterpret_cast<std::uint8_t*>(words_.data());
  auto& head = *reinterpret_cast<ep_table_head*>(bytes);
  auto* slots4 = reinterpret_cast<ep_slot4*>(bytes + sizeof(ep_table_head));
  auto* slots6 = reinterpret_cast<ep_slot6*>(slots4 + kSlots);
  head.seed = 0x5eed;
  head.generation = 1;
  head.v4_lens_count = list_lengths(world, Family::kIpv4, head.v4_lens);
  head.v6_lens_count = list_lengths(world, Family::kIpv6, head.v6_lens);
  for (const RoleEntry& entry : world.roles) {
    const IpAddress& address = entry.prefix.address();
    const unsigned length = entry.prefix.length();
    if (entry.prefix.family() == Family::kIpv4) {
      const auto addr = static_cast<__u32>(big_endian(address, 0, 4));
      auto& slot = free_slot(slots4, ep_hash4(addr, length, head.seed));
      slot.addr = addr;
      fill(slot, entry);
      ++head.entries4;
    } else {
      const std::uint64_t hi = big_endian(address, 0, 8), lo = big_endian(address, 8, 8);
      auto& slot = free_slot(slots6, ep_hash6(hi, lo, length, head.seed));
      slot.hi = hi;
      slot.lo = lo;
      fill(slot, entry);
      ++head.entries6;
    }
  }
  add_vlans_and_spis(head, world, ifindex);
}

ep_table TableImage::table() const {
  return {reinterpret_cast<const ep_table_head*>(words_.data()), kSlots, kSlots};
}

HostVerdict judge_on_host(const TableImage& image, const Input& input, std::size_t on_wire) {
  const ep_table table = image.table();
  ep_packet packet{};
  const auto captured = static_cast<__u32>(input.bytes.size());
  const __u32 how = (input.direction == Direction::TRANSMIT ? EP_HOW_TRANSMIT : 0U) |
                    (input.link == LinkKind::kRaw ? EP_HOW_RAW : 0U);
  const ep_verdict v = ep_host_judge(
      &table, input.bytes.data(), captured, std::max(captured, static_cast<__u32>(on_wire)), how,
      static_cast<__u16>(input.metadata_tci.value_or(0) & 0xfff), kIfindex, &packet);
  HostVerdict out;
  out.starved = packet.need != 0;
  if ((v.flags & EP_VERDICT_SKIP) != 0) {
    out.verdict.counted = false;
    return out;
  }
  out.verdict.klass = static_cast<Class>(v.class_);
  out.verdict.outcome = static_cast<Outcome>(packet.outcome);
  out.verdict.peer = v.peer;
  out.verdict.subnet = v.subnet;
  out.verdict.family = packet.ip.family == EP_FAMILY_IPV6 ? Family::kIpv6 : Family::kIpv4;
  return out;
}

}  // namespace espial::frames
