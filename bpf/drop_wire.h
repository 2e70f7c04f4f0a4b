/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the drop program (drops.bpf.c) and user space share. Nothing of it is pinned, so this layout
 * may change freely between builds.
 */
#ifndef EP_DROP_WIRE_H
#define EP_DROP_WIRE_H

#include <stddef.h>

#include "wire.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EP_X_(name, ...) EP_HOOK_##name,
enum ep_hook { EP_HOOK_LIST(EP_X_) EP_HOOK_COUNT };
#undef EP_X_
EP_STATIC_ASSERT(EP_HOOK_COUNT == 8, "a hook is used as a masked index");

#define EP_DROP_REASONS 16 /* reasons that one CPU tells apart for one peer; power of two */
#define EP_DROP_FLOWS 64   /* per CPU; power of two */
#define EP_NO_REASON 0xffffffffu

/* Read-only data, frozen at load. Numbers of reasons are this kernel's: user space takes them from
 * its BTF by name, EP_NO_REASON when the kernel has no such reason. */
struct ep_drop_config {
  __u32 slots;     /* of a peer table, as ep_config.slots */
  __u32 max_peers; /* ep_drop_stat has max_peers + 1 entries */
  __u32 netns;     /* inode number of the network namespace that is watched */
  __u32 netfilter_drop;
  __u32 tc_ingress;
  __u32 tc_egress;
  __u32 otherhost;
  __u32 no_socket;
  __u32 packet_sock_error;
  __u32 reserved;
};

struct ep_drop_reason {
  __u64 packets; /* 0: a free slot */
  __u32 reason;  /* enum skb_drop_reason of this kernel */
  __u32 reserved;
};

/* Per CPU and peer. Packets are skbs here, as netfilter's own counters count them. */
struct ep_drop_stat {
  __u64 netfilter[EP_HOOK_COUNT][EP_FAMILY_COUNT];
  struct ep_drop_reason reasons[EP_DROP_REASONS]; /* in order of appearance */
  __u64 more;                                     /* of reasons that found no slot */
};

/* A flow that lost packets; a slot of the per-CPU table. */
struct ep_drop_flow {
  __u8 src[16]; /* IPv4 in the first four bytes */
  __u8 dst[16];
  __be16 sport; /* 0 when unknown (fragments, no ports) */
  __be16 dport;
  __u8 family; /* enum ep_family */
  __u8 proto;  /* IP protocol */
  __u8 dir;    /* enum ep_dir: receive = from the peer */
  __u8 hook;   /* enum ep_hook; EP_HOOK_COUNT: not dropped by netfilter */
  __u32 peer;
  __u32 reason;
  /* The key ends here. */
  __u32 ifindex; /* of the device the packet was on or came by; 0 = none */
  __u32 reserved;
  __u64 packets;
  __u64 first_ns; /* CLOCK_MONOTONIC */
  __u64 last_ns;
};
#define EP_DROP_KEY_WORDS 6
EP_STATIC_ASSERT(offsetof(struct ep_drop_flow, ifindex) == 8 * EP_DROP_KEY_WORDS, "key");
EP_STATIC_ASSERT(sizeof(struct ep_drop_flow) == 80, "ep_drop_flow");

#ifdef __cplusplus
}
#endif

#endif /* EP_DROP_WIRE_H */
