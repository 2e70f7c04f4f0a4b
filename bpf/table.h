/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The peer table: open addressing over one block of memory, probed inline. Look-ups walk the
 * distinct prefix lengths of the family, longest first, so the longest prefix wins. User space
 * builds the table with the same hash and guarantees that every entry is found within EP_MAX_PROBE
 * slots. No packet can add an entry.
 */
#ifndef EP_TABLE_H
#define EP_TABLE_H

#include "hash.h"
#include "packet.h"

static __always_inline struct ep_who ep_lookup4(const struct ep_table* table, __u32 addr) {
  const struct ep_table_head* head = table->head;
  struct ep_who who = {};
  for (__u32 i = 0; i < EP_MAX_PREFIX_LENS; i++) {
    if (i >= head->v4_lens_count) break;
    __u32 plen = head->v4_lens[i];
    __u32 masked = ep_mask4(addr, plen);
    __u32 slot = ep_hash4(masked, plen, head->seed);
    for (__u32 probe = 0; probe < EP_MAX_PROBE; probe++, slot++) {
      /* verifier: one scalar offset from the table's start, so that the speculation limit of the
       * addition is the same on every path (needed without CAP_PERFMON). */
      __u64 at = sizeof(*head) + (__u64)(slot & (table->v4_slots - 1)) * sizeof(struct ep_slot4);
      const struct ep_slot4* s = (const void*)head + at;
      if (s->role == EP_ROLE_NONE) break;
      if (s->addr != masked || s->plen != plen) continue;
      who.role = s->role;
      who.flags = s->flags;
      who.peer = s->peer;
      who.subnet = s->subnet;
      return who;
    }
  }
  return who;
}

static __always_inline struct ep_who ep_lookup6(const struct ep_table* table, __u64 hi, __u64 lo) {
  const struct ep_table_head* head = table->head;
  struct ep_who who = {};
  for (__u32 i = 0; i < EP_MAX_PREFIX_LENS; i++) {
    if (i >= head->v6_lens_count) break;
    __u32 plen = head->v6_lens[i];
    __u64 mhi = ep_mask_hi(hi, plen), mlo = ep_mask_lo(lo, plen);
    __u32 slot = ep_hash6(mhi, mlo, plen, head->seed);
    for (__u32 probe = 0; probe < EP_MAX_PROBE; probe++, slot++) {
      __u64 at = sizeof(*head) + (__u64)table->v4_slots * sizeof(struct ep_slot4) +
                 (__u64)(slot & (table->v6_slots - 1)) * sizeof(struct ep_slot6);
      const struct ep_slot6* s = (const void*)head + at;
      if (s->role == EP_ROLE_NONE) break;
      if (s->hi != mhi || s->lo != mlo || s->plen != plen) continue;
      who.role = s->role;
      who.flags = s->flags;
      who.peer = s->peer;
      who.subnet = s->subnet;
      return who;
    }
  }
  return who;
}

static __always_inline struct ep_who ep_lookup(const struct ep_table* table, __u32 family, __u64 hi,
                                               __u64 lo) {
  return family == EP_FAMILY_IPV4 ? ep_lookup4(table, (__u32)lo) : ep_lookup6(table, hi, lo);
}

static __always_inline enum ep_vlan_action ep_lookup_vlan(const struct ep_table* table,
                                                          __u32 ifindex, __u32 vid) {
  const struct ep_table_head* head = table->head;
  if (!head->vlan_count) return EP_VLAN_OTHER;
  __u32 slot = ep_hash_vlan(ifindex, vid);
  for (__u32 probe = 0; probe < EP_MAX_PROBE; probe++, slot++) {
    const struct ep_vlan_slot* s = &head->vlans[slot & (EP_VLAN_SLOTS - 1)];
    if (!s->ifindex) break;
    if (s->ifindex == ifindex && s->vid == vid) return s->action;
  }
  return EP_VLAN_OTHER;
}

static __always_inline int ep_is_null_spi(const struct ep_table* table, __u32 spi) {
  const struct ep_table_head* head = table->head;
  if (!head->null_spi_count || !spi) return 0;
  __u32 slot = ep_hash_spi(spi);
  for (__u32 probe = 0; probe < EP_MAX_PROBE; probe++, slot++) {
    __u32 s = head->null_spis[slot & (EP_NULL_SPI_SLOTS - 1)];
    if (!s) break;
    if (s == spi) return 1;
  }
  return 0;
}

#endif /* EP_TABLE_H */
