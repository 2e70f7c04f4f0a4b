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

static __always_inline long ep_load_bytes(const void* context, __u32 at, void* to, __u32 size) {
  return bpf_skb_load_bytes(context, at, to, size);
}

#include "fast.h"
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
        __uint(key_size, sizeof(__u32));
        __uint(value_size, sizeof(struct ep_table_head));
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

/* The current table. Called once a packet: none is judged by a mixture of two tables. */
static __always_inline const struct ep_table_head* ep_current_table(void) {
  __u32 zero = 0;
  void* inner = bpf_map_lookup_elem(&ep_tables, &zero);
  return inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
}

/* The parser's stages as global functions: verified once each, whoever calls them.
 * verifier: a pointer argument may be NULL. */
__noinline int ep_parse_ip(struct __sk_buff* skb, struct ep_packet* pkt, __u32 how) {
  if (!pkt) return 0;
  __builtin_memset(pkt, 0, sizeof(*pkt));
  pkt->left = skb->len;
  pkt->lenient = skb->gso_size != 0;
  if (skb->vlan_present) pkt->vid = skb->vlan_tci & 0xfff;
  ep_stage_ip(skb, pkt, how);
  return 0;
}

__noinline int ep_parse_ext(struct __sk_buff* skb, struct ep_packet* pkt, int inner) {
  return pkt ? ep_step_ext(skb, pkt, inner) : 1;
}

__noinline int ep_parse_upper(struct __sk_buff* skb, struct ep_packet* pkt) {
  if (pkt) ep_stage_l4(skb, pkt);
  return 0;
}

__noinline int ep_parse_tunnels(struct __sk_buff* skb, struct ep_packet* pkt) {
  if (pkt) ep_stage_tunnel(skb, pkt);
  return 0;
}

__noinline int ep_parse_inside(struct __sk_buff* skb, struct ep_packet* pkt) {
  if (!pkt) return 0;
  if (pkt->inner.family == EP_FAMILY_IPV6) {
    for (int i = 0; i < EP_MAX_EXT_HEADERS && ep_is_ext_header(pkt->inner.proto); i++)
      if (ep_parse_ext(skb, pkt, 1)) break;
    ep_end_inner_ext(pkt);
  }
  ep_stage_inner(skb, pkt);
  return 0;
}

/* Any packet. */
__noinline int ep_parse_skb(struct __sk_buff* skb, struct ep_packet* pkt, __u32 how) {
  if (!pkt) return 0;
  ep_parse_ip(skb, pkt, how);
  if (pkt->more == EP_MORE_EXT) {
    for (int i = 0; i < EP_MAX_EXT_HEADERS && ep_is_ext_header(pkt->ip.proto); i++)
      if (ep_parse_ext(skb, pkt, 0)) break;
    ep_end_ext(pkt);
  }
  if (pkt->more == EP_MORE_L4) ep_parse_upper(skb, pkt);
  if (pkt->more == EP_MORE_TUNNEL) ep_parse_tunnels(skb, pkt);
  if (pkt->more == EP_MORE_INNER) ep_parse_inside(skb, pkt);
  return 0;
}

/* The packet's XFRM state. Returns 0 when it has none. */
__noinline int ep_find_sa(struct __sk_buff* skb, struct ep_sa* sa) {
  struct bpf_xfrm_state state = {};
  if (!sa || !ep_config.have_xfrm) return 0;
  if (bpf_skb_get_xfrm_state(skb, 0, &state, sizeof(state), 0)) return 0;
  sa->present = 1;
  sa->spi = bpf_ntohl(state.spi);
  if (state.family == 2 /* AF_INET */) {
    sa->family = EP_FAMILY_IPV4;
    sa->remote_hi = ~0ULL;
    sa->remote_lo = (__u64)bpf_ntohl(state.remote_ipv4) << 32;
  } else {
    sa->family = EP_FAMILY_IPV6;
    sa->remote_hi = ep_load64(state.remote_ipv6);
    sa->remote_lo = ep_load64(state.remote_ipv6 + 2);
  }
  return 1;
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

static __always_inline int ep_same_flow(const struct ep_flow_key* a, const struct ep_flow_key* b) {
  const __u64 *x = (const __u64*)a, *y = (const __u64*)b;
  __u64 differ = 0;
  for (int i = 0; i < (int)(sizeof(*a) / 8); i++) differ |= x[i] ^ y[i];
  return !differ;
}

/* IPv4 stands in the upper half of lo (packet.h), so in the first four bytes. */
static __always_inline void ep_store_address(__u8* to, __u32 family, __u64 hi, __u64 lo) {
  __u64* words = (__u64*)to;
  words[0] = bpf_cpu_to_be64(family == EP_FAMILY_IPV4 ? lo : hi);
  words[1] = bpf_cpu_to_be64(family == EP_FAMILY_IPV4 ? 0 : lo);
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

/* Remembers a flow in its direct-mapped slot; the first packet is an event. */
static __always_inline void ep_note_flow(const struct ep_flow* seen, __u64 now) {
  __u32 slot = ep_hash_flow(&seen->key) & (EP_FLOW_SLOTS - 1);
  struct ep_flow* flow = bpf_map_lookup_elem(&ep_flows, &slot);
  if (!flow) return;
  if (flow->packets && ep_same_flow(&flow->key, &seen->key)) {
    flow->packets += seen->packets;
    flow->bytes += seen->bytes;
    flow->last_ns = now;
    return;
  }
  if (flow->packets) ep_lose(EP_LOST_FLOW_EVICTED);
  *flow = *seen;
  flow->first_ns = now;
  flow->last_ns = now;
  if (ep_config.flow_events_per_second) ep_send_event(flow, now);
}

/* When and in which network the last unprotected packet passed. */
static __always_inline void ep_date_unprotected(const struct ep_flow* seen, __u32 subnet,
                                                __u64 now) {
  const __u32 dir = seen->key.dir & (EP_DIR_COUNT - 1);
  struct ep_peer_stat* stat = bpf_map_lookup_elem(&ep_peer_stat, &seen->peer);
  if (stat) stat->last_unprotected_ns[dir] = now;
  if (!subnet) return;
  struct ep_net_stat* net = bpf_map_lookup_elem(&ep_net_stat, &subnet);
  if (net) net->cleartext[dir] += seen->packets;
}

EP_STATIC_ASSERT(EP_HOW_TRANSMIT == EP_DIR_TRANSMIT, "the direction is the lowest bit of how");
#define EP_DIR(how) ((how)&EP_HOW_TRANSMIT)
/* The index of a cell among those of a peer. */
#define EP_CELL(how, family, class_) \
  ((EP_DIR(how) * EP_FAMILY_COUNT + (family)) * EP_CLASS_COUNT + (class_))
#define EP_CELLS (EP_DIR_COUNT * EP_FAMILY_COUNT * EP_CLASS_COUNT) /* a power of two */

/* verifier: `value`, but nothing is known of it any more. */
static __always_inline __u64 ep_unknown(struct __sk_buff* skb, __u64 value) {
  const volatile struct __sk_buff* context = skb;
  return value + (context->len - context->len);
}

/* Counts in one cell of a peer. Returns 0 when the peer has no counters.
 * verifier: an index that is a constant on one path and another constant on the next is refused
 * without CAP_PERFMON: see ep_unknown. */
static __always_inline int ep_add_cell(__u32 peer, __u64 index, __u64 packets, __u64 bytes) {
  struct ep_peer_stat* stat = bpf_map_lookup_elem(&ep_peer_stat, &peer);
  if (!stat) return 0;
  struct ep_cell* cell = &stat->cell[0][0][0] + (index & (EP_CELLS - 1));
  cell->packets += packets;
  cell->bytes += bytes;
  return 1;
}

__noinline int ep_add_decrypted(__u32 peer, __u32 family, __u32 flags, __u64 packets, __u64 bytes) {
  struct ep_peer_stat* stat = bpf_map_lookup_elem(&ep_peer_stat, &peer);
  if (!stat) {
    ep_lose(EP_LOST_NO_COUNTER);
    return 0;
  }
  struct ep_cell* cell = &stat->decrypted[family & (EP_FAMILY_COUNT - 1)];
  cell->packets += packets;
  cell->bytes += bytes;
  if (flags & EP_VERDICT_SPOOFED) stat->spoofed += packets;
  if (flags & EP_VERDICT_UNATTRIBUTED) stat->unattributed += packets;
  return 1;
}

/* The last eight bytes of a flow's key as one word.
 * verifier: without CAP_PERFMON, Linux 6.1 refuses a small store into a word of the stack after one
 * to its start. */
static __always_inline __u64 ep_flow_kind(const struct ep_packet* pkt, const struct ep_verdict* v,
                                          __u32 how) {
  const __u64 ports = (__u64)bpf_ntohs(pkt->sport) << 48 | (__u64)bpf_ntohs(pkt->dport) << 32;
  return bpf_cpu_to_be64(ports | (__u64)pkt->ip.family << 24 | pkt->ip.proto << 16 |
                         EP_DIR(how) << 8 | (v->class_ & 0xff));
}

/* Notes an unprotected packet, or one of an unknown node. */
__noinline int ep_suspect(struct __sk_buff* skb, struct ep_packet* pkt, struct ep_verdict* v,
                          __u32 how) {
  if (!pkt || !v) return 0; /* verifier: pointer arguments may be NULL */
  const struct ep_cell size = ep_wire_size(skb, pkt);
  struct ep_flow seen = {.packets = size.packets, .bytes = size.bytes};
  seen.ifindex = skb->ifindex;
  barrier(); /* verifier: the word's start last, see ep_flow_kind */
  seen.peer = v->peer;
  *(__u64*)&seen.key.sport = ep_flow_kind(pkt, v, how);
  ep_store_address(seen.key.src, pkt->ip.family, pkt->ip.src_hi, pkt->ip.src_lo);
  ep_store_address(seen.key.dst, pkt->ip.family, pkt->ip.dst_hi, pkt->ip.dst_lo);
  const __u64 now = bpf_ktime_get_coarse_ns();
  if (v->class_ != EP_CLASS_UNKNOWN_NODE) ep_date_unprotected(&seen, v->subnet, now);
  ep_note_flow(&seen, now);
  return 0;
}

static __always_inline void ep_count(struct __sk_buff* skb, struct ep_packet* pkt,
                                     struct ep_verdict* v, __u32 how) {
  const struct ep_cell size = ep_wire_size(skb, pkt);
  const __u32 class_ = v->class_ & (EP_CLASS_COUNT - 1);
  if (v->flags & EP_VERDICT_DECRYPTED) {
    ep_add_decrypted(v->peer, pkt->ip.family, v->flags, size.packets, size.bytes);
    return;
  }
  if (pkt->outcome != EP_OUTCOME_OK) ep_count_outcome(pkt->outcome);
  const __u64 index = EP_CELL(how, pkt->ip.family & 1, class_);
  if (!ep_add_cell(v->peer, ep_unknown(skb, index), size.packets, size.bytes)) {
    ep_lose(EP_LOST_NO_COUNTER);
    return;
  }
  if ((EP_UNPROTECTED_CLASSES | 1 << EP_CLASS_UNKNOWN_NODE) >> class_ & 1)
    ep_suspect(skb, pkt, v, how);
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

/* The IP header of an untagged packet, which is read in place. */
struct ep_place {
  const void* start;
  const void* end;
  __u32 length; /* what the wire carried from start on */
  __u32 family;
  __u32 group_mac;
};

/* Returns 0 when there is none. */
static __always_inline int ep_find_ip(struct __sk_buff* skb, __u32 how, struct ep_place* place) {
  const void* data = (void*)(long)skb->data;
  place->end = (void*)(long)skb->data_end;
  if (skb->vlan_present) return 0;
  if (how & EP_HOW_RAW) {
    if (data + 1 > place->end) return 0;
    place->family = *(const __u8*)data >> 4 == 6 ? EP_FAMILY_IPV6 : EP_FAMILY_IPV4;
    place->length = skb->len;
    place->group_mac = 0;
    place->start = data;
    return 1;
  }
  const struct ethhdr* eth = data;
  if ((const void*)(eth + 1) > place->end) return 0;
  if (eth->h_proto != bpf_htons(ETH_P_IP) && eth->h_proto != bpf_htons(ETH_P_IPV6)) return 0;
  place->family = eth->h_proto == bpf_htons(ETH_P_IPV6);
  place->length = skb->len - sizeof(*eth);
  place->group_mac = eth->h_dest[0] & 1;
  place->start = eth + 1;
  return 1;
}

/* Reads a plain IP header; *l4 becomes what follows it. Returns 0 when it is not plain. */
static __always_inline int ep_read_ip(const struct ep_place* place, int lenient, struct ep_ip* ip,
                                      const void** l4) {
  const void* start = place->start;
  /* verifier: the pointers stay pointers; a sum with a chosen offset would be refused. */
  asm volatile("" : "+r"(start));
  if (place->family == EP_FAMILY_IPV4) {
    if (!ep_plain_ipv4(start, place->end, place->length, lenient, ip)) return 0;
    *l4 = start + sizeof(struct iphdr);
    asm volatile("" : "+r"(*l4));
  } else {
    if (!ep_plain_ipv6(start, place->end, place->length, lenient, ip)) return 0;
    *l4 = start + sizeof(struct ipv6hdr);
    asm volatile("" : "+r"(*l4));
  }
  return 1;
}

/* The shortest way. Returns 1 when the packet is counted. */
static __always_inline int ep_watch_esp(struct __sk_buff* skb, const __u32 how) {
  struct ep_place place;
  struct ep_ip ip;
  const void* l4;
  if (ep_config.report || skb->gso_size || !ep_find_ip(skb, how, &place)) return 0;
  if (!ep_read_ip(&place, 0, &ip, &l4) || ip.proto != EP_PROTO_ESP) return 0;
  if (ip.len < ep_plain_size(ip.family) + EP_ESP_MIN) return 0;
  const struct ep_table table = {.head = ep_current_table(), .slots = ep_config.slots};
  if (!table.head) return 0;
  const __u32 peer = ep_esp_peer(&table, &ip, how & EP_HOW_TRANSMIT);
  if (!peer) return 0;
  return ep_add_cell(peer, ep_unknown(skb, EP_CELL(how, ip.family, EP_CLASS_ESP)), 1, ip.len);
}

/* Reads a plain packet (fast.h); pkt is zero before. Returns 0, and nothing is said of pkt, when it
 * is not plain. */
__noinline int ep_read_plain(struct __sk_buff* skb, struct ep_packet* pkt, __u32 how) {
  if (!pkt) return 0; /* verifier: pointer arguments may be NULL */
  struct ep_place place;
  struct ep_cursor l4 = {.in_place = 1, .lenient = skb->gso_size != 0};
  if (ep_config.report || !ep_find_ip(skb, how, &place)) return 0;
  if (!ep_read_ip(&place, l4.lenient, &pkt->ip, &l4.context)) return 0;
  l4.end = place.end;
  l4.remaining = pkt->ip.len - ep_plain_size(pkt->ip.family);
  pkt->group_mac = place.group_mac;
  return ep_plain_l4(&l4, pkt);
}

/* The verdict on a packet, all of it from one table; *names holds the SA, if that is known. On
 * ingress, what would be called unprotected is first asked for its XFRM state. Returns 0, or 1 when
 * there is no table. `transmit` is a constant: without CAP_PERFMON the verifier refuses a pointer
 * that is chosen between the two ends. */
static __always_inline int ep_decide(struct __sk_buff* skb, struct ep_packet* pkt,
                                     struct ep_names* names, struct ep_verdict* v,
                                     const __u32 transmit) {
  if (!pkt || !names || !v) return 1; /* verifier: pointer arguments may be NULL */
  const struct ep_table table = {.head = ep_current_table(), .slots = ep_config.slots};
  if (!table.head) return 1;
  ep_name(&table, pkt, skb->ifindex, names);
  ep_judge(pkt, names, transmit, v);
  if (transmit || !ep_may_be_decrypted(names, v)) return 0;
  if (!names->sa.present && !ep_find_sa(skb, &names->sa)) return 0;
  ep_name_sa(&table, names);
  ep_attribute(names, v);
  return 0;
}

/* verifier: global functions are walked once, and leave results of which nothing is known, whatever
 * path led to them. */
__noinline int ep_decide_rx(struct __sk_buff* skb, struct ep_packet* pkt, struct ep_names* names,
                            struct ep_verdict* v) {
  return ep_decide(skb, pkt, names, v, 0);
}

__noinline int ep_decide_tx(struct __sk_buff* skb, struct ep_packet* pkt, struct ep_names* names,
                            struct ep_verdict* v) {
  return ep_decide(skb, pkt, names, v, 1);
}

/* Everything else; `how` is a constant in its direction. */
static __always_inline int ep_watch_any(struct __sk_buff* skb, __u32 how, const __u32 transmit) {
  struct ep_names names = {};
  /* A device that is not on the wire itself: only a packet with XFRM state matters here. */
  if (!(how & EP_HOW_WIRE) && !ep_find_sa(skb, &names.sa)) return 0;
  struct ep_packet pkt = {};
  struct ep_verdict v = {};
  if (!ep_read_plain(skb, &pkt, how)) ep_parse_skb(skb, &pkt, how);
  if (transmit ? ep_decide_tx(skb, &pkt, &names, &v) : ep_decide_rx(skb, &pkt, &names, &v)) {
    ep_lose(EP_LOST_NO_TABLE);
    return 0;
  }
  if (ep_counts_here(&v, how)) ep_count(skb, &pkt, &v, how);
  if (ep_config.report) ep_report(skb, &pkt, &v, how);
  return 0;
}

__noinline int ep_watch_rx(struct __sk_buff* skb, __u32 how) { return ep_watch_any(skb, how, 0); }
__noinline int ep_watch_tx(struct __sk_buff* skb, __u32 how) { return ep_watch_any(skb, how, 1); }

static __always_inline int ep_watch(struct __sk_buff* skb, const __u32 how) {
  if (how & EP_HOW_WIRE && ep_watch_esp(skb, how)) return TC_ACT_UNSPEC;
  if (how & EP_HOW_TRANSMIT)
    ep_watch_tx(skb, how);
  else
    ep_watch_rx(skb, how);
  return TC_ACT_UNSPEC;
}

SEC("tc") int ep_rx_wire(struct __sk_buff* skb) { return ep_watch(skb, EP_HOW_WIRE); }
SEC("tc") int ep_rx_both(struct __sk_buff* skb) {
  return ep_watch(skb, EP_HOW_WIRE | EP_HOW_REENTRY);
}
SEC("tc") int ep_rx_re(struct __sk_buff* skb) { return ep_watch(skb, EP_HOW_REENTRY); }
SEC("tc") int ep_tx(struct __sk_buff* skb) { return ep_watch(skb, EP_HOW_WIRE | EP_HOW_TRANSMIT); }
SEC("tc") int ep_rx_wire_l3(struct __sk_buff* skb) {
  return ep_watch(skb, EP_HOW_WIRE | EP_HOW_RAW);
}
SEC("tc") int ep_rx_both_l3(struct __sk_buff* skb) {
  return ep_watch(skb, EP_HOW_WIRE | EP_HOW_REENTRY | EP_HOW_RAW);
}
SEC("tc") int ep_rx_re_l3(struct __sk_buff* skb) {
  return ep_watch(skb, EP_HOW_REENTRY | EP_HOW_RAW);
}
SEC("tc") int ep_tx_l3(struct __sk_buff* skb) {
  return ep_watch(skb, EP_HOW_WIRE | EP_HOW_TRANSMIT | EP_HOW_RAW);
}

char _license[] SEC("license") = "Dual BSD/GPL";
