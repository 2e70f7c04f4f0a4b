// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The tc programs: classify every packet of a wire device and count it against its peer.
 * Each entry is one constant view of a device (direction, role, link header); all of them return
 * "next": monitoring never changes a packet's fate.
 *
 * XFRM state is asked for on ingress only (a forwarded packet keeps its state) and only before a
 * packet would be called anything unprotected: net/core/filter.c, bpf_skb_get_xfrm_state.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
/* linux/bpf.h first: the helpers' prototypes need its types. */
#include <bpf/bpf_helpers.h>

#include "judge.h"

const volatile struct ep_config ep_config = {};

/* The single inner array's value is the whole table (wire.h); user space sets its size. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 1);
  __type(key, __u32);
  __array(
      values, struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, 1);
        __type(key, __u32);
        __type(value, struct ep_table_head);
      });
} ep_tables SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ep_peer_stat);
} ep_peer_stat SEC(".maps");

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

/* bit n: class n is unprotected */
#define EP_KIND_ENCRYPTED 0
#define EP_KIND_UNPROTECTED 1
#define EP_KIND_NEUTRAL 0
#define EP_X_(name, label, kind) | (EP_KIND_##kind << EP_CLASS_##name)
#define EP_UNPROTECTED_CLASSES (0 EP_CLASS_LIST(EP_X_))

EP_STATIC_ASSERT(EP_CLASS_COUNT == 16, "a class is used as a masked index");

static __always_inline void ep_lose(enum ep_lost what) {
  __u32 zero = 0;
  struct ep_node_stat* node = bpf_map_lookup_elem(&ep_node_stat, &zero);
  if (node) node->lost[what]++;
}

static __always_inline void ep_count_outcome(__u32 outcome) {
  __u32 zero = 0;
  struct ep_node_stat* node = bpf_map_lookup_elem(&ep_node_stat, &zero);
  if (node && outcome < EP_OUTCOME_COUNT) node->outcome[outcome]++;
}

/* The current table. The caller's whole verdict comes from one call: no packet is judged by a
 * mixture of two tables. */
static __always_inline const struct ep_table_head* ep_current_table(void) {
  __u32 zero = 0;
  void* inner = bpf_map_lookup_elem(&ep_tables, &zero);
  return inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
}

/* Parses what is readable. Returns 0, or how many bytes must be readable to go on. */
__noinline int ep_parse_skb(struct __sk_buff* skb, struct ep_packet* pkt, __u32 how) {
  if (!pkt) return 0; /* verifier: a pointer argument may be NULL */
  struct ep_cursor cur = {
      .start = (void*)(long)skb->data,
      .pos = (void*)(long)skb->data,
      .end = (void*)(long)skb->data_end,
      .remaining = skb->len,
      .lenient = skb->gso_size != 0,
  };
  if (skb->vlan_present) pkt->vid = skb->vlan_tci & 0xfff;
  ep_parse(&cur, pkt, how);
  return pkt->need;
}

/* Judges the packet against one table, and asks for its XFRM state before it would be called
 * unprotected. Returns 0, or 1 when there is no table. */
__noinline int ep_judge_skb(struct __sk_buff* skb, struct ep_packet* pkt, struct ep_verdict* v,
                            __u32 how) {
  if (!pkt || !v) return 1; /* verifier: pointer arguments may be NULL */
  struct ep_table table = {
      .head = ep_current_table(),
      .v4_slots = ep_config.v4_slots,
      .v6_slots = ep_config.v6_slots,
  };
  if (!table.head) return 1;
  *v = ep_judge(&table, pkt, how & EP_HOW_TRANSMIT, skb->ifindex);
  if (how & EP_HOW_TRANSMIT) return 0;
  if (ep_config.have_xfrm && ep_may_be_decrypted(v)) {
    struct bpf_xfrm_state state = {};
    if (bpf_skb_get_xfrm_state(skb, 0, &state, sizeof(state), 0) == 0) {
      struct ep_sa sa = {.spi = bpf_ntohl(state.spi)};
      if (state.family == 2 /* AF_INET */) {
        sa.family = EP_FAMILY_IPV4;
        sa.remote_lo = bpf_ntohl(state.remote_ipv4);
      } else {
        sa.family = EP_FAMILY_IPV6;
        sa.remote_hi = ep_load64(state.remote_ipv6);
        sa.remote_lo = ep_load64(state.remote_ipv6 + 2);
      }
      ep_attribute(&table, pkt, &sa, v);
    }
  }
  return 0;
}

/* How many packets this skb is on the wire, and how many bytes they are together. */
static __always_inline struct ep_cell ep_wire_size(struct __sk_buff* skb,
                                                   const struct ep_packet* pkt) {
  struct ep_cell size = {.packets = 1, .bytes = pkt->l3_len};
  __u32 gso_size = skb->gso_size;
  if (!gso_size) return size;
  __u32 segments = skb->gso_segs;
  /* Some senders (tun, virtio) leave gso_segs to whoever segments. */
  if (!segments && pkt->l3_len > pkt->header_len)
    segments = (pkt->l3_len - pkt->header_len + gso_size - 1) / gso_size;
  if (segments > 1) {
    size.packets = segments;
    size.bytes += (__u64)(segments - 1) * pkt->header_len;
  }
  return size;
}

static __always_inline __u32 ep_hash_flow(const struct ep_flow_key* key) {
  const __u64* words = (const __u64*)key;
  __u64 hash = 0;
  for (int i = 0; i < (int)(sizeof(*key) / 8); i++) {
    hash = (hash ^ words[i]) * EP_HASH_MULTIPLIER;
    hash ^= hash >> 29;
  }
  return (__u32)(hash >> 32);
}

static __always_inline void ep_store_address(__u8* to, __u32 family, __u64 hi, __u64 lo) {
  __u32* words = (__u32*)to;
  if (family == EP_FAMILY_IPV4) {
    words[0] = bpf_htonl((__u32)lo);
    return;
  }
  words[0] = bpf_htonl((__u32)(hi >> 32));
  words[1] = bpf_htonl((__u32)hi);
  words[2] = bpf_htonl((__u32)(lo >> 32));
  words[3] = bpf_htonl((__u32)lo);
}

/* A new flow: one event, unless this second's share is used up. */
static __always_inline void ep_send_event(const struct ep_flow* flow, __u64 now) {
  __u32 zero = 0;
  struct ep_limiter* limiter = bpf_map_lookup_elem(&ep_limiter, &zero);
  if (!limiter) return;
  if (now - limiter->window_ns >= 1000000000ULL) {
    limiter->window_ns = now;
    limiter->used = 0;
  }
  if (limiter->used >= ep_config.flow_events_per_second) {
    ep_lose(EP_LOST_FLOW_EVENT_RATE);
    return;
  }
  limiter->used++;
  if (bpf_ringbuf_output(&ep_events, (void*)flow, sizeof(*flow), 0))
    ep_lose(EP_LOST_FLOW_EVENT_FULL);
}

/* Remembers an unprotected flow in its direct-mapped slot; the first packet is an event. */
__noinline int ep_note_flow(struct __sk_buff* skb, struct ep_packet* pkt, struct ep_verdict* v,
                            __u32 how) {
  if (!pkt || !v) return 0; /* verifier: pointer arguments may be NULL */
  struct ep_flow_key key = {
      .sport = pkt->sport,
      .dport = pkt->dport,
      .family = pkt->ip.family,
      .proto = pkt->ip.proto,
      .dir = how & EP_HOW_TRANSMIT ? EP_DIR_TRANSMIT : EP_DIR_RECEIVE,
      .class_ = v->class_,
  };
  ep_store_address(key.src, pkt->ip.family, pkt->ip.src_hi, pkt->ip.src_lo);
  ep_store_address(key.dst, pkt->ip.family, pkt->ip.dst_hi, pkt->ip.dst_lo);
  __u32 slot = ep_hash_flow(&key) & (EP_FLOW_SLOTS - 1);
  struct ep_flow* flow = bpf_map_lookup_elem(&ep_flows, &slot);
  if (!flow) return 0;
  __u64 now = bpf_ktime_get_coarse_ns();
  struct ep_cell size = ep_wire_size(skb, pkt);
  if (!__builtin_memcmp(&flow->key, &key, sizeof(key)) && flow->packets) {
    flow->packets += size.packets;
    flow->bytes += size.bytes;
    flow->last_ns = now;
    return 0;
  }
  if (flow->packets) ep_lose(EP_LOST_FLOW_EVICTED);
  flow->key = key;
  flow->peer = v->peer;
  flow->ifindex = skb->ifindex;
  flow->packets = size.packets;
  flow->bytes = size.bytes;
  flow->first_ns = now;
  flow->last_ns = now;
  if (ep_config.flow_events_per_second) ep_send_event(flow, now);
  return 0;
}

/* What only unprotected packets cost: time stamp, network, flow. */
static __always_inline void ep_count_unprotected(struct __sk_buff* skb, struct ep_packet* pkt,
                                                 struct ep_verdict* v, struct ep_peer_stat* stat,
                                                 __u32 dir, const struct ep_cell* size, __u32 how) {
  stat->last_unprotected_ns[dir] = bpf_ktime_get_coarse_ns();
  __u32 subnet = v->subnet;
  if (subnet) {
    struct ep_net_stat* net = bpf_map_lookup_elem(&ep_net_stat, &subnet);
    if (net) net->cleartext[dir] += size->packets;
  }
  ep_note_flow(skb, pkt, v, how);
}

static __always_inline void ep_count(struct __sk_buff* skb, struct ep_packet* pkt,
                                     struct ep_verdict* v, __u32 how) {
  const __u32 dir = how & EP_HOW_TRANSMIT ? EP_DIR_TRANSMIT : EP_DIR_RECEIVE;
  __u32 peer = v->peer;
  struct ep_peer_stat* stat = bpf_map_lookup_elem(&ep_peer_stat, &peer);
  if (!stat) {
    ep_lose(EP_LOST_NO_COUNTER);
    return;
  }
  struct ep_cell size = ep_wire_size(skb, pkt);
  __u32 family = pkt->ip.family & 1;
  if (v->flags & EP_VERDICT_DECRYPTED) {
    stat->decrypted[family].packets += size.packets;
    stat->decrypted[family].bytes += size.bytes;
    if (v->flags & EP_VERDICT_SPOOFED) stat->spoofed += size.packets;
    if (v->flags & EP_VERDICT_UNATTRIBUTED) stat->unattributed += size.packets;
    return;
  }
  if (pkt->outcome != EP_OUTCOME_OK) ep_count_outcome(pkt->outcome);
  struct ep_cell* cell = &stat->cell[dir][family][v->class_ & (EP_CLASS_COUNT - 1)];
  cell->packets += size.packets;
  cell->bytes += size.bytes;
  if (EP_UNPROTECTED_CLASSES >> (v->class_ & 31) & 1)
    ep_count_unprotected(skb, pkt, v, stat, dir, &size, how);
  else if (v->class_ == EP_CLASS_UNKNOWN_NODE)
    ep_note_flow(skb, pkt, v, how);
}

/* Does this program count this packet? A decrypted packet is counted where it re-enters, anything
 * else where it crossed the wire; with ESP GRO the same packet passes both places decrypted. */
static __always_inline int ep_counts_here(const struct ep_verdict* v, __u32 how) {
  if (v->flags & EP_VERDICT_SKIP) return 0;
  return v->flags & EP_VERDICT_DECRYPTED ? how & EP_HOW_REENTRY : how & EP_HOW_WIRE;
}

static __always_inline void ep_report(struct __sk_buff* skb, const struct ep_packet* pkt,
                                      const struct ep_verdict* v, __u32 how) {
  skb->cb[EP_REPORT_CLASS] = v->class_;
  skb->cb[EP_REPORT_OUTCOME] = pkt->outcome;
  skb->cb[EP_REPORT_PEER] = v->peer;
  skb->cb[EP_REPORT_FLAGS] = EP_REPORT_SEEN |
                             (v->flags & EP_VERDICT_DECRYPTED ? EP_REPORT_DECRYPTED : 0) |
                             (v->flags & EP_VERDICT_SPOOFED ? EP_REPORT_SPOOFED : 0) |
                             (ep_counts_here(v, how) ? 0 : EP_REPORT_SKIPPED);
}

/* Headers may lie outside the linear area: make them readable, at most twice. */
static __always_inline void ep_parse_all(struct __sk_buff* skb, struct ep_packet* pkt, __u32 how) {
  int need = ep_parse_skb(skb, pkt, how);
  for (int i = 0; need && i < 2; i++) {
    /* The second try takes everything: an extension header chain can be long. */
    if (bpf_skb_pull_data(skb, i || need > 256 ? skb->len : skb->len < 256 ? skb->len : 256)) break;
    __builtin_memset(pkt, 0, sizeof(*pkt));
    need = ep_parse_skb(skb, pkt, how);
  }
  if (need) ep_lose(EP_LOST_UNREADABLE);
}

static __always_inline int ep_watch(struct __sk_buff* skb, const __u32 how) {
  struct ep_packet pkt = {};
  struct ep_verdict v = {};
  ep_parse_all(skb, &pkt, how);
  if (ep_judge_skb(skb, &pkt, &v, how)) {
    ep_lose(EP_LOST_NO_TABLE);
    return TC_ACT_UNSPEC;
  }
  if (ep_counts_here(&v, how)) ep_count(skb, &pkt, &v, how);
  if (ep_config.report) ep_report(skb, &pkt, &v, how);
  return TC_ACT_UNSPEC;
}

/* A device where decrypted packets re-enter and that is not on the wire itself: nothing but a
 * packet with XFRM state matters here. */
static __always_inline int ep_watch_reentry(struct __sk_buff* skb, const __u32 how) {
  struct bpf_xfrm_state state = {};
  if (!ep_config.have_xfrm) return TC_ACT_UNSPEC;
  if (bpf_skb_get_xfrm_state(skb, 0, &state, sizeof(state), 0)) return TC_ACT_UNSPEC;
  return ep_watch(skb, how);
}

SEC("tc") int ep_rx_wire(struct __sk_buff* skb) { return ep_watch(skb, EP_HOW_WIRE); }
SEC("tc") int ep_rx_both(struct __sk_buff* skb) {
  return ep_watch(skb, EP_HOW_WIRE | EP_HOW_REENTRY);
}
SEC("tc") int ep_rx_re(struct __sk_buff* skb) { return ep_watch_reentry(skb, EP_HOW_REENTRY); }
SEC("tc") int ep_tx(struct __sk_buff* skb) { return ep_watch(skb, EP_HOW_WIRE | EP_HOW_TRANSMIT); }
SEC("tc") int ep_rx_wire_l3(struct __sk_buff* skb) {
  return ep_watch(skb, EP_HOW_WIRE | EP_HOW_RAW);
}
SEC("tc") int ep_rx_both_l3(struct __sk_buff* skb) {
  return ep_watch(skb, EP_HOW_WIRE | EP_HOW_REENTRY | EP_HOW_RAW);
}
SEC("tc") int ep_rx_re_l3(struct __sk_buff* skb) {
  return ep_watch_reentry(skb, EP_HOW_REENTRY | EP_HOW_RAW);
}
SEC("tc") int ep_tx_l3(struct __sk_buff* skb) {
  return ep_watch(skb, EP_HOW_WIRE | EP_HOW_TRANSMIT | EP_HOW_RAW);
}

char _license[] SEC("license") = "Dual BSD/GPL";
