/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The shortest way to a drop: plain TCP and UDP in clear from a peer's backend to ours, of which a
 * flood consists. Everything in one function and one look at each map: a call costs as much as a
 * look-up where returns are guarded. Whatever else matters to a packet (VLANs, exemptions,
 * deadlines, tunnels) is left to the long way of xdp.h, which would come to the very same.
 */
#ifndef EP_FLOOD_H
#define EP_FLOOD_H

#include "count.h"
#include "fast.h"

#define EP_UNDECIDED (-1)

/* An IP header behind an untagged Ethernet header. Returns 0 when there is none. */
static __always_inline int ep_find_untagged(struct xdp_md* xdp, struct ep_place* place) {
  const struct ethhdr* eth = (const void*)(long)xdp->data;
  place->end = (void*)(long)xdp->data_end;
  if ((const void*)(eth + 1) > place->end) return 0;
  if (eth->h_proto != bpf_htons(ETH_P_IP) && eth->h_proto != bpf_htons(ETH_P_IPV6)) return 0;
  place->family = eth->h_proto == bpf_htons(ETH_P_IPV6);
  place->start = eth + 1;
  place->length = (__u32)bpf_xdp_get_buff_len(xdp) - sizeof(*eth);
  return 1;
}

/* The ports of TCP or UDP that hides nothing. Returns 0 when it is something else, or incomplete.
 */
static __always_inline int ep_plain_ports(const struct ep_ip* ip, const void* l4, const void* end,
                                          struct ep_packet* pkt) {
  const __u32 left = ip->len - ep_plain_size(ip->family);
  if (ip->proto == EP_PROTO_TCP) {
    const struct tcphdr* tcp = l4;
    if (left < sizeof(*tcp) || (const void*)(tcp + 1) > end) return 0;
    pkt->sport = tcp->source;
    pkt->dport = tcp->dest;
    return 1;
  }
  const struct udphdr* udp = l4;
  if (ip->proto != EP_PROTO_UDP || left < sizeof(*udp) || (const void*)(udp + 1) > end) return 0;
  pkt->sport = udp->source;
  pkt->dport = udp->dest;
  return pkt->sport != bpf_htons(EP_PORT_NATT) && pkt->dport != bpf_htons(EP_PORT_NATT) &&
         !ep_is_tunnel_port(pkt->dport);
}

/* Is cleartext of this peer dropped, and nothing more to be asked about it? */
static __always_inline int ep_drops_all(const struct ep_table* table, __u32 peer) {
  const ep_policy_t* policy = ep_element(&ep_policy, peer);
  if (!policy || table->head->exemption_count) return 0;
  const __u32 limit = table->head->limits >> EP_REASON_CLEARTEXT * EP_MODE_BITS & EP_MODE_MASK;
  /* The whole word: without a deadline. */
  return *(const volatile ep_policy_t*)policy == EP_MODE_ENFORCE && limit == EP_MODE_ENFORCE;
}

/* Counts a dropped packet everywhere but in the flow table. Returns 0, and has counted nothing,
 * when the peer has no counters. */
static __always_inline int ep_count_flood(const struct ep_who* who, __u64 index, __u64 bytes,
                                          __u64 now) {
  struct ep_peer_stat* stat = ep_element(&ep_peer_stat, who->peer);
  if (!stat || index >= EP_CELLS) return 0;
  struct ep_cell* cell = &stat->cell[0][0][0] + index;
  cell->packets++;
  cell->bytes += bytes;
  struct ep_cell* dropped = &stat->enforced[EP_ACTION_DROP][EP_DIR_RECEIVE][EP_REASON_CLEARTEXT];
  dropped->packets++;
  dropped->bytes += bytes;
  stat->last_enforced_ns[EP_ACTION_DROP] = now;
  stat->last_unprotected_ns[EP_DIR_RECEIVE] = now;
  if (!who->subnet) return 1;
  struct ep_net_stat* net = ep_element(&ep_net_stat, who->subnet);
  if (net) net->cleartext[EP_DIR_RECEIVE]++;
  return 1;
}

/* Adds to a flow that is in the table. Returns 0 when it is not. */
static __always_inline int ep_add_known_flow(const struct ep_flow_key* key, __u64 bytes,
                                             __u64 now) {
  const __u32 first = ep_hash_flow(key) & (EP_FLOW_SLOTS - 1) & ~(EP_FLOW_WAYS - 1);
#pragma unroll
  for (__u32 way = 0; way < EP_FLOW_WAYS; way++) {
    struct ep_flow* flow = ep_element(&ep_flows, first + way);
    if (!flow || !flow->packets) return 0; /* ways fill in order */
    if (ep_differ(&flow->key, key)) continue;
    flow->packets++;
    flow->bytes += bytes;
    flow->enforced[EP_ACTION_DROP]++;
    flow->last_ns = now;
    return 1;
  }
  return 0;
}

/* owner: the ifindex above the peer. */
__noinline int ep_note_new_flow(struct ep_flow_key* key, __u64 owner, __u64 bytes, __u64 now) {
  if (!key) return 0; /* verifier: pointer arguments may be NULL */
  const struct ep_sighting seen = {
      .key = *key, .size = {.packets = 1, .bytes = bytes}, .now = now, .fate = EP_FATE_DROP};
  ep_note_flow(&seen, (__u32)owner, (__u32)(owner >> 32));
  return 0;
}

static __always_inline void ep_note_flood(struct xdp_md* xdp, const struct ep_packet* pkt,
                                          __u32 peer, __u64 now) {
  const struct ep_verdict v = {.class_ = EP_CLASS_CLEARTEXT};
  struct ep_flow_key key;
  ep_store_address(key.src, pkt->ip.family, pkt->ip.src_hi, pkt->ip.src_lo);
  ep_store_address(key.dst, pkt->ip.family, pkt->ip.dst_hi, pkt->ip.dst_lo);
  *(__u64*)&key.sport = ep_flow_kind(pkt, &v, 0);
  if (ep_add_known_flow(&key, pkt->ip.len, now)) return;
  ep_note_new_flow(&key, (__u64)xdp->ingress_ifindex << 32 | peer, pkt->ip.len, now);
}

/* XDP_DROP, and the packet is counted; XDP_PASS; or EP_UNDECIDED, and nothing was done. */
__noinline int ep_drop_flood(struct xdp_md* xdp) {
  struct ep_place place;
  struct ep_packet pkt; /* of which ip and the ports are used */
  const void* l4;
  if (!ep_find_untagged(xdp, &place) || !ep_read_ip(&place, 0, &pkt.ip, &l4)) return EP_UNDECIDED;
  if (!ep_plain_ports(&pkt.ip, l4, place.end, &pkt)) return EP_UNDECIDED;
  const struct ep_table table = {.head = ep_current_table(), .slots = ep_config.slots};
  if (!table.head) return XDP_PASS;
  const __u64 any = ((const volatile struct xdp_md*)xdp)->rx_queue_index;
  const __u32 family = ep_unknown(pkt.ip.family, any) & 1; /* an index from here on */
  struct ep_who src = {}, dst = {};
  ep_find(&table, family, pkt.ip.src_hi, pkt.ip.src_lo, &src);
  if (src.role != EP_ROLE_PEER_BACKEND) return EP_UNDECIDED;
  ep_find(&table, family, pkt.ip.dst_hi, pkt.ip.dst_lo, &dst);
  if (dst.role != EP_ROLE_SELF_BACKEND || ep_is_multicast(&pkt.ip)) return EP_UNDECIDED;
  if (!ep_drops_all(&table, src.peer)) return EP_UNDECIDED;
  const __u64 now = bpf_ktime_get_coarse_ns();
  if (!ep_count_flood(&src, EP_CELL(0, family, EP_CLASS_CLEARTEXT), pkt.ip.len, now))
    return EP_UNDECIDED;
  ep_note_flood(xdp, &pkt, src.peer, now);
  return XDP_DROP;
}

#endif /* EP_FLOOD_H */
