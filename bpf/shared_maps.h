/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps that the drop program (drops.bpf.c) has in common with the tc and XDP programs, and how
 * an element of any map is reached.
 */
#ifndef EP_SHARED_MAPS_H
#define EP_SHARED_MAPS_H

#include <linux/bpf.h>
/* linux/bpf.h first: the helpers' prototypes need its types. */
#include <bpf/bpf_helpers.h>

#include "wire.h"

/* The single inner array's value is the whole table (wire.h); user space sets its size. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 1);
  __type(key, __u32);
  __array(
      values, struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, 1);
        __uint(key_size, sizeof(__u32));
        __uint(value_size, sizeof(struct ep_table_head));
      });
} ep_tables SEC(".maps");

/* Packets that the tc programs have dropped: raised by them, compared by the drop program (own.h).
 * Pinned with the programs, not with the other maps. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} ep_own_drops SEC(".maps");

/* The SAs of ESP of this network namespace. Written by the SA mirror alone, and by user space,
 * which sets the size. Pinned with the programs, not with the other maps. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct ep_sa_key);
  __type(value, ep_sa_gone_t);
} ep_sas SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ep_sa_bucket);
} ep_sa_index SEC(".maps");

/* An element of an array map, or NULL. verifier: the key is written as a whole word of the stack;
 * Linux 6.1 without CAP_PERFMON refuses four bytes where eight were spilled. */
static __always_inline void* ep_element(void* map, __u64 index) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  index <<= 32;
#endif
  return bpf_map_lookup_elem(map, &index);
}

/* The current table. Called once a packet: none is judged by a mixture of two tables. */
static __always_inline const struct ep_table_head* ep_current_table(void) {
  void* inner = ep_element(&ep_tables, 0);
  return inner ? ep_element(inner, 0) : NULL;
}

#endif /* EP_SHARED_MAPS_H */
