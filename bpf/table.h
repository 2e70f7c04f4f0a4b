/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Look-ups in the peer table (layout: wire.h, hashes: hash.h). A look-up walks the distinct prefix
 * lengths of the family, longest first, and reads one slot for each, so the longest prefix wins and
 * an address of a full-length entry costs one slot. No packet can add an entry.
 */
#ifndef EP_TABLE_H
#define EP_TABLE_H

#include "hash.h"
#include "packet.h"

/* verifier: every access is the table's start plus one bounded scalar, so that the speculation
 * limit of the sum is the same on all paths (needed without CAP_PERFMON). */
static __always_inline const void* ep_at(const struct ep_table* table, __u64 offset) {
  asm volatile("" : "+r"(offset));
  return (const void*)table->head + offset;
}

/* The slot of exactly this prefix, or NULL. One comparison, not three: each doubles what the
 * verifier walks. */
static __always_inline const struct ep_slot* ep_slot_of(const struct ep_table* table, __u64 hi,
                                                        __u64 lo, __u32 plen) {
  __u32 slots = table->slots;
#if __clang_major__ > 14
  /* verifier: worked out anew for each look-up, what follows from it needs no stack, of which clang
   * 19 takes too much. Not for clang 14: it needs less, and ESP was a nanosecond slower. */
  asm volatile("" : "+r"(slots));
#endif
  const __u64 displacements = sizeof(*table->head) + (__u64)slots * sizeof(struct ep_slot);
  const __u64 hash = ep_hash(hi, lo, plen, table->head->seed);
  const __u16* displacement =
      ep_at(table, displacements + ep_bucket(hash, slots) * sizeof(*displacement));
  const __u32 index = ep_slot_index(hash, *displacement, slots);
  const struct ep_slot* slot =
      ep_at(table, sizeof(*table->head) + (__u64)index * sizeof(struct ep_slot));
  return (slot->hi ^ hi) | (slot->lo ^ lo) | (slot->plen ^ plen) ? NULL : slot;
}

/* What one address is; *who is zero before. */
static __always_inline void ep_find(const struct ep_table* table, __u32 family, __u64 hi, __u64 lo,
                                    struct ep_who* who) {
  family &= EP_FAMILY_COUNT - 1;
  /* verifier: unrolled, because the speculation limit of a sum is the largest offset seen there. */
#pragma unroll
  for (__u32 i = 0; i < EP_MAX_PREFIX_LENS; i++) {
    const struct ep_mask* mask =
        ep_at(table, offsetof(struct ep_table_head, masks) +
                         (family * EP_MAX_PREFIX_LENS + i) * sizeof(*mask));
    if (!mask->plen) break; /* the list ends */
    const struct ep_slot* slot = ep_slot_of(table, hi & mask->hi, lo & mask->lo, mask->plen);
    if (!slot) continue;
    who->role = slot->role;
    who->flags = slot->flags;
    who->peer = slot->peer;
    who->subnet = slot->subnet;
    break;
  }
}

/* The same as a function, for what few packets ask. Five look-ups in one function would not fit on
 * its stack; a call costs more than a look-up where returns are guarded. */
static __noinline int ep_lookup(const struct ep_table* table, __u32 family, __u64 hi, __u64 lo,
                                struct ep_who* who) {
  ep_find(table, family, hi, lo, who);
  return 0;
}

static __always_inline enum ep_vlan_action ep_lookup_vlan(const struct ep_table* table,
                                                          __u32 ifindex, __u32 vid) {
  const struct ep_table_head* head = table->head;
  if (!head->vlan_count) return EP_VLAN_OTHER;
  __u32 hash = ep_hash_vlan(ifindex, vid, head->seed);
#pragma unroll
  for (__u32 probe = 0; probe < EP_MAX_PROBE; probe++) {
    const __u64 index = (hash + probe) & (EP_VLAN_SLOTS - 1);
    const struct ep_vlan_slot* slot =
        ep_at(table, offsetof(struct ep_table_head, vlans) + index * sizeof(*slot));
    if (slot->ifindex == ifindex && slot->vid == vid) return slot->action;
  }
  return EP_VLAN_OTHER;
}

static __always_inline int ep_is_null_spi(const struct ep_table* table, __u32 spi) {
  const struct ep_table_head* head = table->head;
  if (!head->null_spi_count || !spi) return 0;
  __u32 hash = ep_hash_spi(spi, head->seed);
#pragma unroll
  for (__u32 probe = 0; probe < EP_MAX_PROBE; probe++) {
    const __u64 index = (hash + probe) & (EP_NULL_SPI_SLOTS - 1);
    const __u32* slot =
        ep_at(table, offsetof(struct ep_table_head, null_spis) + index * sizeof(*slot));
    if (*slot == spi) return 1;
  }
  return 0;
}

/* Looks up all that the judge will ask. names is zero before. */
static __always_inline void ep_name(const struct ep_table* table, const struct ep_packet* pkt,
                                    __u32 ifindex, struct ep_names* names) {
  const struct ep_ip *ip = &pkt->ip, *inner = &pkt->inner;
  if (pkt->vid) names->vlan_action = (__u8)ep_lookup_vlan(table, ifindex, pkt->vid);
  if (!pkt->has_ip) return;
  ep_find(table, ip->family, ip->src_hi, ip->src_lo, &names->src);
  ep_find(table, ip->family, ip->dst_hi, ip->dst_lo, &names->dst);
  names->null_spi = (__u8)ep_is_null_spi(table, pkt->spi);
  if (pkt->wrap == EP_WRAP_TUNNEL) {
    ep_lookup(table, inner->family, inner->src_hi, inner->src_lo, &names->inner_src);
    ep_lookup(table, inner->family, inner->dst_hi, inner->dst_lo, &names->inner_dst);
  }
}

/* Which of the packet's IP headers leads to ESP that has to be of an SA: the outer one or, in a
 * tunnel, the inner one; NULL: none. A later fragment has no SPI. */
static __always_inline const struct ep_ip* ep_esp_of(const struct ep_table* table,
                                                     const struct ep_packet* pkt) {
  if (!table->head->spi_proof) return NULL;
  const struct ep_ip* ip = &pkt->ip;
  if (pkt->wrap == EP_WRAP_TUNNEL) {
    if (pkt->inner.proto != EP_PROTO_ESP) return NULL;
    ip = &pkt->inner;
    asm volatile("" : "+r"(ip)); /* verifier: one of two pointers, not one plus a chosen offset */
  } else if (pkt->wrap != EP_WRAP_ESP && pkt->wrap != EP_WRAP_ESP_UDP) {
    return NULL;
  }
  return ip->fragment == EP_FRAGMENT_LATER ? NULL : ip;
}

/* And what ep_attribute() will ask about the SA. */
static __always_inline void ep_name_sa(const struct ep_table* table, struct ep_names* names) {
  const struct ep_sa* sa = &names->sa;
  ep_lookup(table, sa->family, sa->remote_hi, sa->remote_lo, &names->remote);
  names->null_sa = (__u8)ep_is_null_spi(table, sa->spi);
}

#endif /* EP_TABLE_H */
