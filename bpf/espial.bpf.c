// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The tc programs: classify every packet of a wire device and count it against its peer.
 * Each entry is one constant view of a device (direction, role, link header). A packet goes on to
 * the next program, unless it is a row of enforcement and its peer's policy says drop.
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

#include "count.h"
#include "fast.h"
#define EP_CONTEXT struct __sk_buff
#include "stages.h"

/* The parser's stages as global functions: verified once each, whoever calls them.
 * verifier: a pointer argument may be NULL. */
__noinline int ep_run_link(struct __sk_buff* skb, struct ep_packet* pkt, __u32 how) {
  if (!pkt) return 0;
  __builtin_memset(pkt, 0, sizeof(*pkt));
  pkt->left = skb->len;
  pkt->lenient = skb->gso_size != 0;
  if (skb->vlan_present) pkt->vid = skb->vlan_tci & 0xfff;
  ep_stage_link(skb, pkt, how);
  return 0;
}

__noinline int ep_run_tag(struct __sk_buff* skb, struct ep_packet* pkt, int inner) {
  if (pkt) ep_step_tag(skb, pkt, inner);
  return 0;
}

__noinline int ep_run_ip(struct __sk_buff* skb, struct ep_packet* pkt) {
  if (pkt) ep_stage_ip(skb, pkt);
  return 0;
}

__noinline int ep_run_ext(struct __sk_buff* skb, struct ep_packet* pkt, int inner) {
  return pkt ? ep_step_ext(skb, pkt, inner) : 1;
}

__noinline int ep_run_l4(struct __sk_buff* skb, struct ep_packet* pkt) {
  if (pkt) ep_stage_l4(skb, pkt);
  return 0;
}

__noinline int ep_run_tunnel(struct __sk_buff* skb, struct ep_packet* pkt) {
  if (pkt) ep_stage_tunnel(skb, pkt);
  return 0;
}

__noinline int ep_run_inner_ip(struct __sk_buff* skb, struct ep_packet* pkt) {
  if (pkt) ep_stage_inner_ip(skb, pkt);
  return 0;
}

__noinline int ep_run_inside(struct __sk_buff* skb, struct ep_packet* pkt) {
  if (pkt) ep_stages_inside(skb, pkt);
  return 0;
}

__noinline int ep_parse_skb(struct __sk_buff* skb, struct ep_packet* pkt, __u32 how) {
  if (pkt) ep_stages(skb, pkt, how);
  return 0;
}

/* The packet's XFRM state. Returns 0 when it has none. */
__noinline int ep_find_sa(struct __sk_buff* skb, struct ep_sa* sa) {
  struct bpf_xfrm_state state = {};
  if (!sa || !ep_config.have_xfrm) return 0;
  if (bpf_skb_get_xfrm_state(skb, 0, &state, sizeof(state), 0)) return 0;
  ep_read_sa(state.spi, state.family, state.remote_ipv6, sa);
  return 1;
}

/* Is the SA in the index? */
static __always_inline int ep_is_indexed(__u64 hi, __u64 lo, __u32 spi) {
  const __u64 fingerprint = ep_hash_sa(hi, lo, spi);
  const struct ep_sa_bucket* bucket =
      ep_element(&ep_sa_index, ep_sa_bucket_of(fingerprint, ep_config.sa_buckets));
  if (!bucket) return 0;
#pragma unroll
  for (int i = 0; i < EP_SA_BUCKET; i++)
    if (bucket->sas[i] == fingerprint) return 1;
  return 0;
}

/* Is there an SA of ESP with this destination, or was there one a moment ago? Where the mirror
 * could not keep all of them, none is missed. */
__noinline int ep_knows_sa(__u64 hi, __u64 lo, __u32 spi) {
  if (ep_is_indexed(hi, lo, spi)) return 1;
  struct ep_sa_key key = {.hi = hi, .lo = lo, .spi = spi};
  const ep_sa_gone_t* gone = bpf_map_lookup_elem(&ep_sas, &key);
  if (gone && !*gone) return 1;
  /* Signed: the coarse clock may be behind. */
  if (gone && (__s64)(bpf_ktime_get_coarse_ns() - *gone) < (__s64)EP_SA_GRACE_NS) return 1;
  /* The mark that SAs are missing, in the same words: the stack is nearly used up. */
  key.hi = key.lo = 0;
  key.spi = 0;
  gone = bpf_map_lookup_elem(&ep_sas, &key);
  return !gone || *gone;
}

/* A value of which the verifier knows nothing. */
static __always_inline __u64 ep_anything(struct __sk_buff* skb) {
  return ((const volatile struct __sk_buff*)skb)->len;
}

/* How many packets this skb is on the wire, and how many bytes they are together. */
static __always_inline struct ep_cell ep_wire_size(struct __sk_buff* skb,
                                                   const struct ep_packet* pkt) {
  struct ep_cell size = {.packets = 1, .bytes = pkt->ip.len};
  __u32 gso_size = skb->gso_size;
  if (!gso_size) return size;
  __u32 segments = skb->gso_segs;
  /* Some senders (tun, virtio) leave gso_segs to whoever segments. */
  const __u32 headers = ep_header_len(pkt);
  if (!segments && pkt->ip.len > headers)
    segments = (pkt->ip.len - headers + gso_size - 1) / gso_size;
  if (segments > 1) {
    size.packets = segments;
    size.bytes += (__u64)(segments - 1) * headers;
  }
  return size;
}

/* Counts a packet. Returns its fate. */
static __always_inline __u32 ep_count(struct __sk_buff* skb, struct ep_packet* pkt,
                                      struct ep_verdict* v, __u32 how) {
  const struct ep_cell size = ep_wire_size(skb, pkt);
  const __u32 class_ = v->class_ & EP_CLASS_MASK;
  const int suspect = ep_is_suspect(class_);
  const __u32 fate = suspect || v->flags & EP_VERDICT_SPOOFED
                         ? ep_enforce(pkt, v, how, size.packets, size.bytes)
                         : EP_FATE_PASS;
  if (v->flags & EP_VERDICT_DECRYPTED) {
    ep_add_decrypted(v->peer, pkt->ip.family, v->flags, size.packets, size.bytes);
    return fate;
  }
  if (pkt->outcome != EP_OUTCOME_OK) ep_count_outcome(pkt->outcome);
  const __u64 index = ep_unknown(EP_CELL(how, pkt->ip.family & 1, class_), ep_anything(skb));
  if (!(how & EP_HOW_TRANSMIT && fate == EP_FATE_DROP) &&
      !ep_add_cell(v->peer, index, size.packets, size.bytes))
    ep_count_lost(EP_LOST_NO_COUNTER);
  if (suspect) ep_suspect(pkt, v, ep_scene(skb->ifindex, fate, how), size.packets, size.bytes);
  return fate;
}

/* Does this program count this packet? A decrypted packet is counted where it re-enters, anything
 * else where it crossed the wire; with ESP GRO the same packet passes both places decrypted. */
static __always_inline int ep_counts_here(const struct ep_verdict* v, __u32 how) {
  if (v->flags & EP_VERDICT_SKIP) return 0;
  return v->flags & EP_VERDICT_DECRYPTED ? how & EP_HOW_REENTRY : how & EP_HOW_WIRE;
}

static __always_inline void ep_report(struct __sk_buff* skb, const struct ep_packet* pkt,
                                      const struct ep_verdict* v, __u32 how, __u32 fate) {
  skb->cb[EP_REPORT_CLASS] = v->class_;
  skb->cb[EP_REPORT_OUTCOME] = pkt->outcome;
  skb->cb[EP_REPORT_PEER] = v->peer;
  skb->cb[EP_REPORT_FLAGS] = EP_REPORT_SEEN |
                             (v->flags & EP_VERDICT_DECRYPTED ? EP_REPORT_DECRYPTED : 0) |
                             (v->flags & EP_VERDICT_SPOOFED ? EP_REPORT_SPOOFED : 0) |
                             (fate == EP_FATE_DROP ? EP_REPORT_DROPPED : 0) |
                             (fate == EP_FATE_WOULD_DROP ? EP_REPORT_WOULD_DROP : 0) |
                             (ep_counts_here(v, how) ? 0 : EP_REPORT_SKIPPED);
}

/* Where the IP header of an untagged packet is. Returns 0 when there is none. */
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

/* The shortest way. Returns 1 when the packet is counted. */
static __always_inline int ep_watch_esp(struct __sk_buff* skb, const __u32 how) {
  struct ep_place place;
  struct ep_ip ip;
  const void* l4;
  if (ep_config.report || skb->gso_size || !ep_find_ip(skb, how, &place)) return 0;
  if (!ep_read_ip(&place, 0, &ip, &l4) || ip.proto != EP_PROTO_ESP) return 0;
  if (ip.len < ep_plain_size(ip.family) + EP_ESP_MIN || l4 + sizeof(__be32) > place.end) return 0;
  const __be32 spi = *(const __be32*)l4;
  const struct ep_table table = {.head = ep_current_table(), .slots = ep_config.slots};
  if (!table.head) return 0;
  const __u32 peer = ep_esp_peer(&table, &ip, how & EP_HOW_TRANSMIT);
  if (!peer) return 0;
  if (table.head->spi_proof && !ep_is_indexed(ip.dst_hi, ip.dst_lo, bpf_ntohl(spi))) return 0;
  const __u64 index = ep_unknown(EP_CELL(how, ip.family, EP_CLASS_ESP), ep_anything(skb));
  return ep_add_cell(peer, index, 1, ip.len);
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
  const struct ep_ip* esp = ep_esp_of(&table, pkt);
  if (esp) names->foreign_spi = !ep_knows_sa(esp->dst_hi, esp->dst_lo, pkt->spi);
  ep_judge(pkt, names, transmit, v);
  if (transmit || !ep_may_be_decrypted(v)) return 0;
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

/* Everything else; `how` is a constant in its direction. Returns the packet's fate. */
static __always_inline int ep_watch_any(struct __sk_buff* skb, __u32 how, const __u32 transmit) {
  struct ep_names names = {};
  /* A device that is not on the wire itself: only a packet with XFRM state matters here. */
  if (!(how & EP_HOW_WIRE) && !ep_find_sa(skb, &names.sa)) return EP_FATE_PASS;
  struct ep_packet pkt = {};
  struct ep_verdict v = {};
  if (!ep_read_plain(skb, &pkt, how)) ep_parse_skb(skb, &pkt, how);
  if (transmit ? ep_decide_tx(skb, &pkt, &names, &v) : ep_decide_rx(skb, &pkt, &names, &v)) {
    ep_count_lost(EP_LOST_NO_TABLE);
    return EP_FATE_PASS;
  }
  const __u32 fate = ep_counts_here(&v, how) ? ep_count(skb, &pkt, &v, how) : EP_FATE_PASS;
  if (ep_config.report) ep_report(skb, &pkt, &v, how, fate);
  return (int)fate;
}

__noinline int ep_watch_rx(struct __sk_buff* skb, __u32 how) { return ep_watch_any(skb, how, 0); }
__noinline int ep_watch_tx(struct __sk_buff* skb, __u32 how) { return ep_watch_any(skb, how, 1); }

/* Tells the drop program that the next packet which tc drops on this CPU is ours (own.h). */
static __always_inline int ep_drop(void) {
  __u64* shot = ep_element(&ep_own_drops, 0);
  if (shot) ++*shot;
  return TC_ACT_SHOT;
}

static __always_inline int ep_watch(struct __sk_buff* skb, const __u32 how) {
  if (how & EP_HOW_WIRE && ep_watch_esp(skb, how)) return TC_ACT_UNSPEC;
  const int fate = how & EP_HOW_TRANSMIT ? ep_watch_tx(skb, how) : ep_watch_rx(skb, how);
  return fate == EP_FATE_DROP ? ep_drop() : TC_ACT_UNSPEC;
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

#include "xdp.h"

char _license[] SEC("license") = "Dual BSD/GPL";
