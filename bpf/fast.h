/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The shortest path: an ESP packet between two known underlay addresses, without options, fragments
 * or tags. Nearly every packet of a healthy mesh; reads the frame in place, two slots of the table
 * and nothing else. Whatever is not exactly that is not decided here: the general path judges it,
 * and must come to the same verdict for what is (tests/frames holds the two against each other).
 */
#ifndef EP_FAST_H
#define EP_FAST_H

#include "parse.h"
#include "table.h"

#define EP_ESP_MIN 8 /* SPI and sequence number */

/* What the fast path found. */
struct ep_fast {
  __u64 src_hi;
  __u64 src_lo;
  __u64 dst_hi;
  __u64 dst_lo;
  __u32 family;
  __u32 plen; /* of a host entry of the family */
  __u32 len;  /* of the IP packet */
};

/* Reads an ESP packet from `start`, the first byte of the IP header, of which `length` bytes are on
 * the wire. Returns 0 when it is anything else. verifier: constant offsets only. */
static __always_inline int ep_fast_ipv4(const void* start, const void* end, __u32 length,
                                        struct ep_fast* fast) {
  const struct iphdr* ip = start;
  if ((const void*)(ip + 1) > end) return 0;
  if (*(const __u8*)start != 0x45 || ip->protocol != EP_PROTO_ESP) return 0;
  if (ip->frag_off & bpf_htons(EP_IPV4_OFFSET | EP_IPV4_MORE)) return 0;
  fast->len = bpf_ntohs(ip->tot_len);
  if (fast->len < sizeof(*ip) + EP_ESP_MIN || fast->len > length) return 0;
  fast->family = EP_FAMILY_IPV4;
  fast->plen = 96;
  fast->src_hi = fast->dst_hi = ~0ULL;
  fast->src_lo = (__u64)bpf_ntohl(ip->saddr) << 32;
  fast->dst_lo = (__u64)bpf_ntohl(ip->daddr) << 32;
  return 1;
}

static __always_inline int ep_fast_ipv6(const void* start, const void* end, __u32 length,
                                        struct ep_fast* fast) {
  const struct ipv6hdr* ip = start;
  if ((const void*)(ip + 1) > end) return 0;
  if (ip->version != 6 || ip->nexthdr != EP_PROTO_ESP) return 0;
  const __u32 payload = bpf_ntohs(ip->payload_len);
  fast->len = sizeof(*ip) + payload;
  if (payload < EP_ESP_MIN || fast->len > length) return 0;
  fast->family = EP_FAMILY_IPV6;
  fast->plen = 128;
  fast->src_hi = ep_load64(ip->saddr.in6_u.u6_addr32);
  fast->src_lo = ep_load64(ip->saddr.in6_u.u6_addr32 + 2);
  fast->dst_hi = ep_load64(ip->daddr.in6_u.u6_addr32);
  fast->dst_lo = ep_load64(ip->daddr.in6_u.u6_addr32 + 2);
  return 1;
}

/* The slot of one whole address, or of another: the caller compares. */
static __always_inline const struct ep_slot* ep_host_slot(const struct ep_table* table, __u64 hi,
                                                          __u64 lo, __u32 plen) {
  const __u64 displacements = sizeof(*table->head) + (__u64)table->slots * sizeof(struct ep_slot);
  const __u64 hash = ep_hash(hi, lo, plen, table->head->seed);
  const __u16* displacement =
      ep_at(table, displacements + ep_bucket(hash, table->slots) * sizeof(*displacement));
  const __u32 index = ep_slot_index(hash, *displacement, table->slots);
  return ep_at(table, sizeof(*table->head) + (__u64)index * sizeof(struct ep_slot));
}

/* The peer of an ESP packet between underlays, or 0: undecided. */
static __always_inline __u32 ep_fast_peer(const struct ep_table* table, const struct ep_fast* fast,
                                          __u32 transmit) {
  if (table->head->null_spi_count) return 0; /* the SPI would have to be looked at */
  const struct ep_slot* src = ep_host_slot(table, fast->src_hi, fast->src_lo, fast->plen);
  if (src->hi != fast->src_hi || src->lo != fast->src_lo || src->plen != fast->plen) return 0;
  if (src->role != (transmit ? EP_ROLE_SELF_UNDERLAY : EP_ROLE_PEER_UNDERLAY)) return 0;
  const __u32 src_peer = src->peer;
  const struct ep_slot* dst = ep_host_slot(table, fast->dst_hi, fast->dst_lo, fast->plen);
  if (dst->hi != fast->dst_hi || dst->lo != fast->dst_lo || dst->plen != fast->plen) return 0;
  if (dst->role != (transmit ? EP_ROLE_PEER_UNDERLAY : EP_ROLE_SELF_UNDERLAY)) return 0;
  return transmit ? dst->peer : src_peer;
}

#endif /* EP_FAST_H */
