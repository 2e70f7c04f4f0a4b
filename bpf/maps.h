/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps of the programs (layout: wire.h).
 */
#ifndef EP_MAPS_H
#define EP_MAPS_H

#include "shared_maps.h"

const volatile struct ep_config ep_config = {};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ep_peer_stat);
} ep_peer_stat SEC(".maps");

/* By peer index. User space writes it; nothing here does. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_RDONLY_PROG);
  __type(key, __u32);
  __type(value, ep_policy_t);
} ep_policy SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ep_net_stat);
} ep_net_stat SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ep_node_stat);
} ep_node_stat SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, EP_FLOW_SLOTS);
  __type(key, __u32);
  __type(value, struct ep_flow);
} ep_flows SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ep_limiter);
} ep_limiter SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 64 * 1024);
} ep_events SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ep_peer_meta);
} ep_peer_meta SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ep_net_meta);
} ep_net_meta SEC(".maps");

/* What the maps of a former layout had counted, all CPUs summed, by the same indexes. Only user
 * space uses these: no program may touch what is replaced while programs count. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ep_peer_stat);
} ep_peer_base SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ep_net_stat);
} ep_net_base SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ep_node_stat);
} ep_node_base SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ep_layout);
} ep_layout SEC(".maps");

/* bit n: class n is unprotected */
#define EP_KIND_ENCRYPTED 0
#define EP_KIND_UNPROTECTED 1
#define EP_KIND_NEUTRAL 0
#define EP_X_(name, label, kind) | (EP_KIND_##kind << EP_CLASS_##name)
#define EP_UNPROTECTED_CLASSES (0 EP_CLASS_LIST(EP_X_))

static __always_inline void ep_count_lost(enum ep_lost what) {
  struct ep_node_stat* node = ep_element(&ep_node_stat, 0);
  if (node) node->lost[what]++;
}

static __always_inline void ep_count_outcome(__u32 outcome) {
  struct ep_node_stat* node = ep_element(&ep_node_stat, 0);
  if (node && outcome < EP_OUTCOME_COUNT) node->outcome[outcome]++;
}

#endif /* EP_MAPS_H */
