/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which packets of the mesh the kernel drops, why, and in which netfilter hook. Runs when a packet
 * is dropped and never else. It only reads: nothing that is dropped or kept depends on it.
 *
 * A packet counts when its device (else its route's, else its socket's) is of the watched network
 * namespace and its IP header names a peer: a backend subnet, or an underlay that carries ESP, AH,
 * IKE or a tunnel. Numbers of structs come from the kernel's BTF at load (CO-RE); the drop reason
 * is the third argument of the tracepoint since Linux 5.17 (include/trace/events/skb.h).
 */
#include <linux/bpf.h>
/* linux/bpf.h first: the helpers' prototypes need its types. */
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "dropped.h"
#include "hook.h"
#include "own.h"

/* Whose network namespace is it? A packet in a socket's queue keeps other things where its device
 * was: what is read through them is of no namespace, or a failed read. */
static __always_inline __u32 ep_netns_of(struct net* net) { return BPF_CORE_READ(net, ns.inum); }

static __always_inline int ep_is_here(const struct ep_dropped* drop) {
  struct net_device* dev = drop->dev ? drop->dev : drop->out;
  struct sock* sk = drop->sk;
  struct net* net = NULL;
  if (dev)
    net = BPF_CORE_READ(dev, nd_net.net);
  else if (sk)
    net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
  return net && ep_netns_of(net) == ep_drop_config.netns;
}

/* Drops that lose nothing: copies for packet sockets (dev_queue_xmit_nit marks them outgoing), what
 * a bridge flooded to whom it is not for, groups, and answers to ping that its raw socket has. */
static __always_inline int ep_is_harmless(const struct ep_dropped* drop, __u32 kind) {
  if (kind == EP_PACKET_BROADCAST || kind == EP_PACKET_MULTICAST || kind == EP_PACKET_OUTGOING)
    return 1;
  if (kind == EP_PACKET_OTHERHOST) return drop->reason != ep_drop_config.netfilter_drop;
  return drop->reason == ep_drop_config.otherhost ||
         drop->reason == ep_drop_config.packet_sock_error;
}

static __always_inline void ep_count_reason(struct ep_drop_stat* stat, __u32 reason) {
  for (__u32 i = 0; i < EP_DROP_REASONS; i++) {
    struct ep_drop_reason* slot = &stat->reasons[i];
    if (slot->packets && slot->reason != reason) continue;
    slot->reason = reason;
    slot->packets++;
    return;
  }
  stat->more++;
}

static __always_inline __u64 ep_differs(const struct ep_drop_flow* a,
                                        const struct ep_drop_flow* b) {
  const __u64 *x = (const __u64*)a, *y = (const __u64*)b;
  __u64 differ = 0;
#pragma unroll
  for (int i = 0; i < EP_DROP_KEY_WORDS; i++) differ |= x[i] ^ y[i];
  return differ;
}

static __always_inline __u32 ep_flow_index(const struct ep_drop_flow* flow) {
  const __u64* words = (const __u64*)flow;
  __u64 hash = 0;
#pragma unroll
  for (int i = 0; i < EP_DROP_KEY_WORDS; i++) {
    hash = (hash ^ words[i]) * EP_HASH_MULTIPLIER;
    hash ^= hash >> 29;
  }
  return (__u32)(hash >> 32) & (EP_DROP_FLOWS - 1);
}

/* Each flow has one slot. It goes to another flow when it was quiet for a second: so a flood writes
 * at most EP_DROP_FLOWS new flows a second, and what stays is whole. */
static __always_inline void ep_remember(const struct ep_drop_flow* seen) {
  const __u32 index = ep_flow_index(seen);
  struct ep_drop_flow* flow = bpf_map_lookup_elem(&ep_drop_flows, &index);
  if (!flow) return;
  const __u64 now = bpf_ktime_get_ns();
  if (flow->packets && ep_differs(flow, seen)) {
    if (now - flow->last_ns < 1000000000ULL) return;
    flow->packets = 0;
  }
  if (!flow->packets) {
    *flow = *seen;
    flow->first_ns = now;
  }
  flow->packets++;
  flow->last_ns = now;
}

static __always_inline int ep_on_drop(struct sk_buff* skb, __u32 reason) {
  struct ep_dropped drop = {.skb = skb, .reason = reason};
  ep_read_devices(&drop);
  if (!ep_is_here(&drop) || ep_is_own(reason)) return 0;
  if (ep_is_harmless(&drop, ep_packet_kind(skb))) return 0;
  struct ep_drop_flow flow = {};
  if (!ep_read_headers(&drop, &flow)) return 0;
  const __u32 key = drop.peer;
  struct ep_drop_stat* stat = bpf_map_lookup_elem(&ep_drop_stat, &key);
  if (!stat) return 0;
  flow.hook = EP_HOOK_COUNT;
  if (reason == ep_drop_config.netfilter_drop) {
    flow.hook = ep_hook_of(&drop);
    stat->netfilter[flow.hook & (EP_HOOK_COUNT - 1)][flow.family & 1]++;
  }
  ep_count_reason(stat, reason);
  flow.peer = drop.peer;
  flow.reason = reason;
  flow.ifindex = drop.iif;
  ep_remember(&flow);
  return 0;
}

/* One of these is loaded: the first that the kernel takes. */
SEC("tp_btf/kfree_skb") int ep_drop_btf(__u64* ctx) {
  return ep_on_drop((struct sk_buff*)ctx[0], (__u32)ctx[2]);
}

SEC("raw_tracepoint/kfree_skb") int ep_drop_raw(struct bpf_raw_tracepoint_args* ctx) {
  return ep_on_drop((struct sk_buff*)ctx->args[0], (__u32)ctx->args[2]);
}

enum skb_drop_reason { EP_ANY_REASON };
struct trace_event_raw_kfree_skb {
  void* skbaddr;
  enum skb_drop_reason reason;
} __attribute__((preserve_access_index));

SEC("tracepoint/skb/kfree_skb") int ep_drop_tp(struct trace_event_raw_kfree_skb* ctx) {
  return ep_on_drop(ctx->skbaddr, ctx->reason);
}

char _license[] SEC("license") = "Dual BSD/GPL";
