/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The short way for plain packets: IP without options, extension headers or fragments, untagged,
 * and what follows it neither a tunnel nor AH. Everything stands at a constant offset then and is
 * read in place. What is not plain, or not healthy, is left to the stages of parse.h; what is,
 * must get the very verdict that they would give (tests/bpf holds the two against each other).
 */
#ifndef EP_FAST_H
#define EP_FAST_H

#include "parse.h"
#include "table.h"

#define EP_ESP_MIN 8 /* SPI and sequence number */

/* A plain IP header at `start`, of which `length` bytes are on the wire. Returns 0 when it is
 * anything else. verifier: constant offsets only. */
static __always_inline int ep_plain_ipv4(const void* start, const void* end, __u32 length,
                                         int lenient, struct ep_ip* ip) {
  const struct iphdr* header = start;
  if ((const void*)(header + 1) > end || *(const __u8*)start != 0x45) return 0;
  if (header->frag_off & bpf_htons(EP_IPV4_OFFSET | EP_IPV4_MORE)) return 0;
  ip->len = lenient ? length : bpf_ntohs(header->tot_len);
  if (ip->len < sizeof(*header) || ip->len > length) return 0;
  ip->family = EP_FAMILY_IPV4;
  ip->proto = header->protocol;
  ip->src_hi = ip->dst_hi = ~0ULL;
  ip->src_lo = (__u64)bpf_ntohl(header->saddr) << 32;
  ip->dst_lo = (__u64)bpf_ntohl(header->daddr) << 32;
  ip->fragment = EP_FRAGMENT_NONE;
  ip->outcome = EP_OUTCOME_OK;
  return 1;
}

static __always_inline int ep_plain_ipv6(const void* start, const void* end, __u32 length,
                                         int lenient, struct ep_ip* ip) {
  const struct ipv6hdr* header = start;
  if ((const void*)(header + 1) > end || *(const __u8*)start >> 4 != 6) return 0;
  ip->len = lenient ? length : sizeof(*header) + bpf_ntohs(header->payload_len);
  if (ip->len > length || ep_is_ext_header(header->nexthdr)) return 0;
  ip->family = EP_FAMILY_IPV6;
  ip->proto = header->nexthdr;
  ip->src_hi = ep_load64(header->saddr.in6_u.u6_addr32);
  ip->src_lo = ep_load64(header->saddr.in6_u.u6_addr32 + 2);
  ip->dst_hi = ep_load64(header->daddr.in6_u.u6_addr32);
  ip->dst_lo = ep_load64(header->daddr.in6_u.u6_addr32 + 2);
  ip->fragment = EP_FRAGMENT_NONE;
  ip->outcome = EP_OUTCOME_OK;
  return 1;
}

/* An IP header that is read in place. */
struct ep_place {
  const void* start;
  const void* end;
  __u32 length; /* what the wire carried from start on */
  __u32 family;
  __u32 group_mac;
};

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

/* The size of a plain header. */
static __always_inline __u32 ep_plain_size(__u32 family) {
  return family == EP_FAMILY_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

/* What follows a plain IP header. Returns 0 when it is not plain. */
static __always_inline int ep_plain_l4(struct ep_cursor* cur, struct ep_packet* pkt) {
  pkt->has_ip = 1;
  switch (pkt->ip.proto) {
    case EP_PROTO_ESP:
      pkt->wrap = ep_parse_esp(cur, pkt);
      break;
    case EP_PROTO_UDP:
      pkt->wrap = ep_parse_udp(cur, pkt);
      break;
    case EP_PROTO_TCP:
      pkt->wrap = ep_parse_tcp(cur, pkt);
      break;
    case EP_PROTO_ICMP:
      ep_parse_icmp(cur, pkt);
      break;
    case EP_PROTO_ICMPV6:
      ep_parse_icmp6(cur, pkt);
      /* The hop limit decides. */
      if (ep_is_discovery(pkt->icmp6_type) || ep_is_listener(pkt->icmp6_type)) return 0;
      break;
    case EP_PROTO_AH:
    case EP_PROTO_IPIP:
    case EP_PROTO_IPV6:
    case EP_PROTO_GRE:
      return 0;
  }
  pkt->left = cur->remaining;
  return !cur->missed && pkt->outcome == EP_OUTCOME_OK && pkt->more == EP_MORE_NONE;
}

/* The shortest way: the peer of an ESP packet between two known underlay addresses, nearly every
 * packet of a healthy mesh. Two slots of the table and nothing else. 0: undecided. */
static __always_inline __u32 ep_esp_peer(const struct ep_table* table, const struct ep_ip* ip,
                                         __u32 transmit) {
  const __u32 plen = ip->family == EP_FAMILY_IPV4 ? 96 : 128;
  if (table->head->null_spi_count) return 0; /* the SPI would have to be looked at */
  const struct ep_slot* src = ep_slot_of(table, ip->src_hi, ip->src_lo, plen);
  if (!src || src->role != (transmit ? EP_ROLE_SELF_UNDERLAY : EP_ROLE_PEER_UNDERLAY)) return 0;
  const __u32 src_peer = src->peer;
  const struct ep_slot* dst = ep_slot_of(table, ip->dst_hi, ip->dst_lo, plen);
  if (!dst || dst->role != (transmit ? EP_ROLE_PEER_UNDERLAY : EP_ROLE_SELF_UNDERLAY)) return 0;
  return transmit ? dst->peer : src_peer;
}

#endif /* EP_FAST_H */
