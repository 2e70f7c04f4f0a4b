/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Espial's own drops, told from others'. A tc program that is about to drop adds one to a per-CPU
 * count (ep_own_drops, espial.bpf.c). The kernel frees that packet next on the same CPU, before any
 * other tc program can run there: a drop by tc is ours exactly when the count has moved. What XDP
 * drops never was an skb on a NIC. A veth makes skbs before its XDP program runs: what that drops
 * there is not told from others' (reason NOT_SPECIFIED on 6.18).
 */
#ifndef EP_OWN_H
#define EP_OWN_H

#include "dropped.h"

/* The count as it was at the last look. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} ep_own_seen SEC(".maps");

static __always_inline int ep_is_own(__u32 reason) {
  if (reason != ep_drop_config.tc_ingress && reason != ep_drop_config.tc_egress) return 0;
  const __u64* shot = ep_element(&ep_own_drops, 0);
  __u64* seen = ep_element(&ep_own_seen, 0);
  if (!shot || !seen || *shot == *seen) return 0;
  *seen = *shot;
  return 1;
}

#endif /* EP_OWN_H */
