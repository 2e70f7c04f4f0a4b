/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The parser: from the first byte of a frame to struct ep_packet. Tells what the bytes say, never
 * what the addresses mean (judge.h does). Follows RFC 791, 8200, 4302, 4303, 3948, 8229, 2784,
 * 2890, 7348, 8926, IEEE 802.1Q, and where these leave it to the kernel net/ipv4/gre_demux.c. Uses
 * no helper and no map.
 */
#ifndef EP_PARSE_H
#define EP_PARSE_H

#include <bpf/bpf_endian.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "packet.h"

/* Reads a frame front to back, header after header: by copying through ep_load_bytes(), which the
 * includer defines, or in place. `remaining` counts what the wire carried from `at` on, trimmed to
 * the IP length once that is known.
 * verifier: without CAP_PERFMON a packet pointer moves by constants only (retrieve_ptr_limit in
 * kernel/bpf/verifier.c), so a parser of options and chains cannot use packet pointers; fast.h
 * reads in place what stands at constant offsets. */
struct ep_cursor {
  const void* context; /* of ep_load_bytes; in place: where offset 0 is */
  const void* end;     /* in place: of what can be read */
  __u32 at;            /* the next byte's offset */
  __u32 remaining;
  __u32 lenient;  /* lengths in headers may exceed the frame: GSO, or in a first fragment */
  __u16 in_place; /* a constant wherever a cursor is made */
  __u16 missed;   /* in place: a header that the wire carried is not readable here */
};

static __always_inline int ep_read_in_place(struct ep_cursor* cur, void* to, __u32 size) {
  const void* from = cur->context + cur->at;
  if (from + size > cur->end) {
    cur->missed = 1;
    return 0;
  }
  __builtin_memcpy(to, from, size);
  return 1;
}

/* Copies the next `size` bytes to `to`. Returns 0 when they are not there. */
static __always_inline int ep_take_bytes(struct ep_cursor* cur, void* to, __u32 size) {
  if (cur->remaining < size) return 0;
  if (cur->in_place) {
    if (!ep_read_in_place(cur, to, size)) return 0;
  } else if (ep_load_bytes(cur->context, cur->at, to, size)) {
    return 0;
  }
  cur->at += size;
  cur->remaining -= size;
  return 1;
}
#define EP_TAKE(cur, header) ep_take_bytes(cur, &(header), sizeof(header))

/* Passes over `size` bytes without reading them. */
static __always_inline int ep_skip(struct ep_cursor* cur, __u32 size) {
  if (cur->remaining < size) return 0;
  cur->at += size;
  cur->remaining -= size;
  return 1;
}

enum {
  EP_PROTO_HOPOPTS = 0,
  EP_PROTO_ICMP = 1,
  EP_PROTO_IGMP = 2,
  EP_PROTO_IPIP = 4,
  EP_PROTO_TCP = 6,
  EP_PROTO_UDP = 17,
  EP_PROTO_IPV6 = 41,
  EP_PROTO_ROUTING = 43,
  EP_PROTO_FRAGMENT = 44,
  EP_PROTO_GRE = 47,
  EP_PROTO_ESP = 50,
  EP_PROTO_AH = 51,
  EP_PROTO_ICMPV6 = 58,
  EP_PROTO_DSTOPTS = 60,
  EP_PROTO_MOBILITY = 135,
  EP_PROTO_HIP = 139,
  EP_PROTO_SHIM6 = 140,
};
enum {
  EP_PORT_IKE = 500,
  EP_PORT_NATT = 4500,
  EP_PORT_VXLAN = 4789,
  EP_PORT_VXLAN_OLD = 8472,
  EP_PORT_VXLAN_GPE = 4790,
  EP_PORT_GENEVE = 6081,
};
enum { /* protocols of GRE that linux/if_ether.h does not name */
       EP_GRE_WCCP = 0x883e,
       EP_GRE_ERSPAN = 0x88be,
       EP_GRE_ERSPAN3 = 0x22eb,
};
#define EP_GRE_CSUM 0x8000
#define EP_GRE_ROUTING 0x4000
#define EP_GRE_KEY 0x2000
#define EP_GRE_SEQ 0x1000
#define EP_GRE_VERSION 0x0007
#define EP_IPV4_OFFSET 0x1fff
#define EP_IPV4_MORE 0x2000
#define EP_IPV6_OFFSET 0xfff8
#define EP_IPV6_MORE 0x0001

struct ep_vlan_tag {
  __be16 tci;
  __be16 next;
};
struct ep_ext_header {
  __u8 next;
  __u8 len;
};
struct ep_routing_header {
  __u8 next;
  __u8 len;
  __u8 type;
  __u8 segments_left;
};
struct ep_fragment_header {
  __u8 next;
  __u8 reserved;
  __be16 offset;
  __be32 id;
};
struct ep_auth_header {
  __u8 next;
  __u8 len; /* in 32-bit words, minus 2 */
  __be16 reserved;
  __be32 spi;
  __be32 seq;
};
struct ep_gre_header {
  __be16 flags;
  __be16 protocol;
};

static __always_inline int ep_is_vlan(__be16 type) {
  return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/* The IPv4 header with its options; trims the cursor to the packet. */
static __always_inline enum ep_outcome ep_parse_ipv4(struct ep_cursor* cur, struct ep_ip* ip) {
  __u32 present = cur->remaining;
  struct iphdr header;
  if (!EP_TAKE(cur, header)) return EP_OUTCOME_SHORT_IPV4;
  if (header.version != 4) return EP_OUTCOME_BAD_VERSION;
  __u32 header_len = header.ihl * 4;
  if (header_len < sizeof(header)) return EP_OUTCOME_BAD_IHL;
  if (header_len > present) return EP_OUTCOME_SHORT_IPV4;
  __u32 total = bpf_ntohs(header.tot_len);
  __u16 frag = bpf_ntohs(header.frag_off);
  __u8 proto = header.protocol;
  if (!cur->lenient) {
    if (total < header_len || total > present) return EP_OUTCOME_BAD_LENGTH;
    cur->remaining = total - sizeof(header);
    ip->len = total;
  } else {
    ip->len = present;
  }
  if (!ep_skip(cur, header_len - sizeof(header))) {
    ip->len = present;
    return EP_OUTCOME_SHORT_IPV4;
  }
  ip->family = EP_FAMILY_IPV4;
  ip->proto = proto;
  ip->src_hi = ip->dst_hi = ~0ULL;
  ip->src_lo = (__u64)bpf_ntohl(header.saddr) << 32;
  ip->dst_lo = (__u64)bpf_ntohl(header.daddr) << 32;
  if (frag & EP_IPV4_OFFSET) {
    ip->fragment = EP_FRAGMENT_LATER;
    return EP_OUTCOME_LATER_FRAGMENT;
  }
  if (frag & EP_IPV4_MORE) ip->fragment = EP_FRAGMENT_FIRST;
  return EP_OUTCOME_OK;
}

static __always_inline int ep_is_ext_header(__u8 proto) {
  return proto == EP_PROTO_HOPOPTS || proto == EP_PROTO_ROUTING || proto == EP_PROTO_DSTOPTS ||
         proto == EP_PROTO_FRAGMENT || proto == EP_PROTO_MOBILITY || proto == EP_PROTO_HIP ||
         proto == EP_PROTO_SHIM6;
}

static __always_inline __u64 ep_load64(const __be32* words) {
  return (__u64)bpf_ntohl(words[0]) << 32 | bpf_ntohl(words[1]);
}

#define EP_ROUTING_HOME 2    /* RFC 6275, 6.4: one address */
#define EP_ROUTING_SEGMENT 4 /* RFC 8754, 2: the last segment is the first in the list */

/* A routing header: who the packet is for in the end is its destination, not the next hop on the
 * way. Other types Linux does not follow. */
static __always_inline int ep_parse_routing(struct ep_cursor* cur, struct ep_ip* ip) {
  struct ep_routing_header head;
  __be32 words[5];
  if (!EP_TAKE(cur, head)) return 0;
  ip->proto = head.next;
  const __u32 rest = (head.len + 1) * 8 - sizeof(head);
  if (!head.segments_left || rest < sizeof(words) ||
      (head.type != EP_ROUTING_HOME && head.type != EP_ROUTING_SEGMENT))
    return ep_skip(cur, rest);
  if (!EP_TAKE(cur, words)) return 0;
  ip->dst_hi = ep_load64(words + 1);
  ip->dst_lo = ep_load64(words + 3);
  return ep_skip(cur, rest - sizeof(words));
}

/* One extension header (RFC 8200, 4): ip->proto becomes what follows it. */
static __always_inline enum ep_outcome ep_parse_ext_header(struct ep_cursor* cur,
                                                           struct ep_ip* ip) {
  if (ip->proto == EP_PROTO_FRAGMENT) {
    struct ep_fragment_header fragment;
    if (!EP_TAKE(cur, fragment)) return EP_OUTCOME_SHORT_EXT;
    ip->proto = fragment.next;
    __u16 offset = bpf_ntohs(fragment.offset);
    if (offset & EP_IPV6_OFFSET) {
      ip->fragment = EP_FRAGMENT_LATER;
      return EP_OUTCOME_LATER_FRAGMENT;
    }
    if (offset & EP_IPV6_MORE) ip->fragment = EP_FRAGMENT_FIRST;
    return EP_OUTCOME_OK;
  }
  if (ip->proto == EP_PROTO_ROUTING)
    return ep_parse_routing(cur, ip) ? EP_OUTCOME_OK : EP_OUTCOME_SHORT_EXT;
  struct ep_ext_header ext;
  if (!EP_TAKE(cur, ext)) return EP_OUTCOME_SHORT_EXT;
  if (!ep_skip(cur, (ext.len + 1) * 8 - sizeof(ext))) return EP_OUTCOME_SHORT_EXT;
  ip->proto = ext.next;
  return EP_OUTCOME_OK;
}

/* The IPv6 header without its extension headers; trims the cursor to the packet. */
static __always_inline enum ep_outcome ep_parse_ipv6(struct ep_cursor* cur, struct ep_ip* ip,
                                                     __u8* hop_limit) {
  struct ipv6hdr header;
  if (!EP_TAKE(cur, header)) return EP_OUTCOME_SHORT_IPV6;
  if (header.version != 6) return EP_OUTCOME_BAD_VERSION;
  __u32 payload = bpf_ntohs(header.payload_len);
  if (!cur->lenient) {
    if (payload > cur->remaining) return EP_OUTCOME_BAD_LENGTH;
    /* A jumbogram (RFC 2675) carries its length in the hop-by-hop header: trust the frame. */
    if (payload || header.nexthdr != EP_PROTO_HOPOPTS) cur->remaining = payload;
  }
  ip->len = sizeof(header) + cur->remaining;
  ip->family = EP_FAMILY_IPV6;
  ip->proto = header.nexthdr;
  ip->src_hi = ep_load64(header.saddr.in6_u.u6_addr32);
  ip->src_lo = ep_load64(header.saddr.in6_u.u6_addr32 + 2);
  ip->dst_hi = ep_load64(header.daddr.in6_u.u6_addr32);
  ip->dst_lo = ep_load64(header.daddr.in6_u.u6_addr32 + 2);
  *hop_limit = header.hop_limit;
  return EP_OUTCOME_OK;
}

/* Are the IP header's own fields valid after this outcome? */
static __always_inline int ep_ip_known(enum ep_outcome outcome) {
  return outcome == EP_OUTCOME_OK || outcome == EP_OUTCOME_LATER_FRAGMENT ||
         outcome == EP_OUTCOME_SHORT_EXT || outcome == EP_OUTCOME_EXT_CHAIN;
}

/* UDP to one of these is a tunnel. */
static __always_inline int ep_is_tunnel_port(__be16 port) {
  return port == bpf_htons(EP_PORT_VXLAN) || port == bpf_htons(EP_PORT_VXLAN_OLD) ||
         port == bpf_htons(EP_PORT_VXLAN_GPE) || port == bpf_htons(EP_PORT_GENEVE);
}

static __always_inline enum ep_wrap ep_short_tunnel(struct ep_packet* pkt) {
  pkt->outcome = EP_OUTCOME_SHORT_TUNNEL;
  return EP_WRAP_BROKEN;
}

/* The IP header inside a tunnel. */
static __always_inline enum ep_wrap ep_parse_inner(struct ep_cursor* cur, struct ep_packet* pkt,
                                                   __be16 type) {
  enum ep_outcome outcome;
  __u8 hop_limit; /* of nobody's interest */
  if (type == bpf_htons(ETH_P_IP))
    outcome = ep_parse_ipv4(cur, &pkt->inner);
  else if (type == bpf_htons(ETH_P_IPV6))
    outcome = ep_parse_ipv6(cur, &pkt->inner, &hop_limit);
  else
    return EP_WRAP_NONE;
  if (!ep_ip_known(outcome)) return ep_short_tunnel(pkt);
  pkt->inner.outcome = outcome;
  if (outcome == EP_OUTCOME_OK) pkt->more = EP_MORE_INNER;
  return EP_WRAP_TUNNEL;
}

/* What follows the inner IP header: is it a tunnel again, and how long are its headers? */
static __always_inline void ep_parse_inner_l4(struct ep_cursor* cur, struct ep_packet* pkt) {
  if (pkt->inner.proto == EP_PROTO_UDP) {
    struct udphdr udp;
    if (EP_TAKE(cur, udp) && ep_is_tunnel_port(udp.dest)) pkt->inner.outcome = EP_OUTCOME_NESTED;
  } else if (pkt->inner.proto == EP_PROTO_TCP) {
    struct tcphdr tcp;
    if (EP_TAKE(cur, tcp)) (void)ep_skip(cur, tcp.doff > 5 ? (tcp.doff - 5) * 4 : 0);
  } else if (pkt->inner.proto == EP_PROTO_ESP) {
    __be32 spi;
    if (EP_TAKE(cur, spi)) pkt->spi = bpf_ntohl(spi);
  } else if (pkt->inner.proto == EP_PROTO_IPIP || pkt->inner.proto == EP_PROTO_IPV6 ||
             pkt->inner.proto == EP_PROTO_GRE) {
    pkt->inner.outcome = EP_OUTCOME_NESTED;
  }
}

/* What GRE carries: *type becomes an ethertype, ETH_P_TEB for Ethernet, or 0 when it is none of
 * ours. Returns 0 when it is cut. */
static __always_inline int ep_parse_gre(struct ep_cursor* cur, __be16* type) {
  struct ep_gre_header gre;
  if (!EP_TAKE(cur, gre)) return 0;
  const __u16 flags = bpf_ntohs(gre.flags);
  *type = 0;
  if (flags & (EP_GRE_VERSION | EP_GRE_ROUTING)) return 1;
  const __u32 optional =
      (flags & EP_GRE_CSUM ? 4 : 0) + (flags & EP_GRE_KEY ? 4 : 0) + (flags & EP_GRE_SEQ ? 4 : 0);
  if (!ep_skip(cur, optional)) return 0;
  *type = gre.protocol;
  if (gre.protocol == bpf_htons(EP_GRE_WCCP)) { /* the redirect header, unless IP starts here */
    struct ep_cursor peek = *cur;
    __u8 first;
    if (!EP_TAKE(&peek, first)) return 0;
    *type = bpf_htons(ETH_P_IP);
    return first >> 4 == 4 || ep_skip(cur, 4);
  }
  if (gre.protocol == bpf_htons(EP_GRE_ERSPAN)) { /* type I has no header, nor a sequence number */
    *type = bpf_htons(ETH_P_TEB);
    return ep_skip(cur, flags & EP_GRE_SEQ ? 8 : 0);
  }
  if (gre.protocol == bpf_htons(EP_GRE_ERSPAN3)) {
    __u8 last;
    *type = bpf_htons(ETH_P_TEB);
    return ep_skip(cur, 11) && EP_TAKE(cur, last) && ep_skip(cur, last & 1 ? 8 : 0);
  }
  return 1;
}

/* What UDP to a tunnel's port carries, as ep_parse_gre() has it. */
static __always_inline int ep_parse_udp_tunnel(struct ep_cursor* cur, __be16 port, __be16* type) {
  __u8 head[8];
  if (!EP_TAKE(cur, head)) return 0;
  *type = bpf_htons(ETH_P_TEB);
  if (port == bpf_htons(EP_PORT_VXLAN_GPE)) {
    if (head[3] == 1) *type = bpf_htons(ETH_P_IP);
    if (head[3] == 2) *type = bpf_htons(ETH_P_IPV6);
    if (!head[3] || head[3] > 3) *type = 0;
  } else if (port == bpf_htons(EP_PORT_GENEVE)) {
    if (!ep_skip(cur, (head[0] & 0x3f) * 4)) return 0;
    *type = bpf_htons((__u16)(head[2] << 8 | head[3]));
  }
  return 1;
}

/* What is inside of protocol 4, 41, 47, or UDP, whose header is already taken, up to its IP header
 * or its first tag. Returns 0 when it is cut. */
static __always_inline int ep_parse_tunnel(struct ep_cursor* cur, struct ep_packet* pkt,
                                           __u8 proto) {
  __be16 type = 0;
  pkt->more = EP_MORE_INNER_IP;
  /* A first fragment holds only the beginning of the inner packet: its lengths point beyond. */
  if (pkt->ip.fragment == EP_FRAGMENT_FIRST) cur->lenient = 1;
  if (proto == EP_PROTO_IPIP) {
    type = bpf_htons(ETH_P_IP);
  } else if (proto == EP_PROTO_IPV6) {
    type = bpf_htons(ETH_P_IPV6);
  } else if (proto == EP_PROTO_GRE) {
    if (!ep_parse_gre(cur, &type)) return 0;
  } else {
    if (!ep_parse_udp_tunnel(cur, pkt->dport, &type)) return 0;
  }
  if (type == bpf_htons(ETH_P_TEB)) {
    struct ethhdr eth;
    if (!EP_TAKE(cur, eth)) return 0;
    type = eth.h_proto;
    if (ep_is_vlan(type)) pkt->more = EP_MORE_INNER_TAG;
  }
  pkt->type = type;
  return 1;
}

static __always_inline enum ep_wrap ep_parse_esp(struct ep_cursor* cur, struct ep_packet* pkt) {
  if (cur->remaining < 8) {
    pkt->outcome = EP_OUTCOME_SHORT_ESP;
    return EP_WRAP_BROKEN_ESP;
  }
  __be32 spi;
  if (EP_TAKE(cur, spi)) pkt->spi = bpf_ntohl(spi);
  return EP_WRAP_ESP;
}

/* AH around ESP is ESP; any other AH protects nothing from being read. */
static __always_inline enum ep_wrap ep_parse_ah(struct ep_cursor* cur, struct ep_packet* pkt) {
  struct ep_auth_header ah;
  if (!EP_TAKE(cur, ah)) {
    pkt->outcome = EP_OUTCOME_SHORT_L4;
    return EP_WRAP_AH;
  }
  if (ah.next != EP_PROTO_ESP) return EP_WRAP_AH;
  __u32 len = (ah.len + 2) * 4;
  if (len < sizeof(ah) || !ep_skip(cur, len - sizeof(ah))) {
    pkt->outcome = EP_OUTCOME_SHORT_L4;
    return EP_WRAP_AH;
  }
  pkt->ip.proto = EP_PROTO_ESP;
  return ep_parse_esp(cur, pkt);
}

/* UDP 4500 (RFC 3948, 2): keepalive, IKE behind the non-ESP marker, or ESP. */
static __always_inline enum ep_wrap ep_parse_natt(struct ep_cursor* cur, struct ep_packet* pkt,
                                                  __u32 payload) {
  if (payload == 1) {
    __u8 byte;
    if (EP_TAKE(cur, byte) && byte == 0xff) return EP_WRAP_IKE;
  } else if (payload >= 4) {
    __be32 word;
    __u32 first = EP_TAKE(cur, word) ? bpf_ntohl(word) : 0;
    if (!first) return EP_WRAP_IKE;
    if (payload >= 8) {
      pkt->spi = first;
      return EP_WRAP_ESP_UDP;
    }
  }
  pkt->outcome = EP_OUTCOME_SHORT_ESP;
  return EP_WRAP_BROKEN;
}

static __always_inline enum ep_wrap ep_parse_udp(struct ep_cursor* cur, struct ep_packet* pkt) {
  struct udphdr udp;
  if (!EP_TAKE(cur, udp)) {
    pkt->outcome = EP_OUTCOME_SHORT_L4;
    return EP_WRAP_BROKEN;
  }
  pkt->sport = udp.source;
  pkt->dport = udp.dest;
  __u32 payload = bpf_ntohs(udp.len);
  payload = payload > sizeof(udp) ? payload - sizeof(udp) : 0;
  if (payload > cur->remaining || cur->lenient) payload = cur->remaining;
  /* The receiver's socket decides what the payload is: a source port of 500 or 4500 anyone can use.
   */
  if (ep_is_tunnel_port(pkt->dport)) {
    pkt->more = EP_MORE_TUNNEL;
    return EP_WRAP_NONE;
  }
  if (pkt->sport == bpf_htons(EP_PORT_IKE) || pkt->dport == bpf_htons(EP_PORT_IKE))
    return EP_WRAP_IKE;
  if (pkt->sport == bpf_htons(EP_PORT_NATT) || pkt->dport == bpf_htons(EP_PORT_NATT))
    return ep_parse_natt(cur, pkt, payload);
  return EP_WRAP_NONE;
}

static __always_inline enum ep_wrap ep_parse_tcp(struct ep_cursor* cur, struct ep_packet* pkt) {
  struct tcphdr tcp;
  if (!EP_TAKE(cur, tcp)) {
    pkt->outcome = EP_OUTCOME_SHORT_L4;
    return EP_WRAP_BROKEN;
  }
  pkt->sport = tcp.source;
  pkt->dport = tcp.dest;
  (void)ep_skip(cur, tcp.doff > 5 ? (tcp.doff - 5) * 4 : 0);
  if (pkt->sport == bpf_htons(EP_PORT_NATT) || pkt->dport == bpf_htons(EP_PORT_NATT))
    return EP_WRAP_ESP_TCP;
  return EP_WRAP_NONE;
}

/* RFC 792: destination unreachable, fragmentation needed. */
static __always_inline void ep_parse_icmp(struct ep_cursor* cur, struct ep_packet* pkt) {
  __u8 head[2];
  if (EP_TAKE(cur, head)) pkt->pmtu = head[0] == 3 && head[1] == 4;
}

/* RFC 4443: packet too big is type 2. */
static __always_inline void ep_parse_icmp6(struct ep_cursor* cur, struct ep_packet* pkt) {
  __u8 type;
  if (!EP_TAKE(cur, type)) {
    pkt->outcome = EP_OUTCOME_SHORT_L4;
    return;
  }
  pkt->icmp6_type = type;
  pkt->pmtu = type == 2;
}

/* ICMPv6 that speaks for a link if its hop limit says so: neighbour and router discovery (RFC 4861)
 * and multicast listener discovery (RFC 2710, 3810). */
static __always_inline __u32 ep_is_discovery(__u32 icmp6_type) {
  const __u32 from_128 = 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9; /* 133 to 137 */
  return (from_128 >> (icmp6_type & 15) & 1) & (__u32)(1 ^ ep_nonzero(icmp6_type >> 4 ^ 8));
}
static __always_inline __u32 ep_is_listener(__u32 icmp6_type) {
  const __u32 from_128 = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 15; /* 130 to 132, 143 */
  return (from_128 >> (icmp6_type & 15) & 1) & (__u32)(1 ^ ep_nonzero(icmp6_type >> 4 ^ 8));
}

/* What follows the IP header (and its extension headers) of the outer packet. */
static __always_inline enum ep_wrap ep_parse_l4(struct ep_cursor* cur, struct ep_packet* pkt) {
  switch (pkt->ip.proto) {
    case EP_PROTO_ESP:
      return ep_parse_esp(cur, pkt);
    case EP_PROTO_AH:
      return ep_parse_ah(cur, pkt);
    case EP_PROTO_UDP:
      return ep_parse_udp(cur, pkt);
    case EP_PROTO_TCP:
      return ep_parse_tcp(cur, pkt);
    case EP_PROTO_IPIP:
    case EP_PROTO_IPV6:
    case EP_PROTO_GRE:
      pkt->more = EP_MORE_TUNNEL;
      return EP_WRAP_NONE;
    case EP_PROTO_ICMP:
      ep_parse_icmp(cur, pkt);
      return EP_WRAP_NONE;
    case EP_PROTO_ICMPV6:
      ep_parse_icmp6(cur, pkt);
      return EP_WRAP_NONE;
  }
  return EP_WRAP_NONE;
}

/* The wrap of a packet whose L4 header is not there. */
static __always_inline enum ep_wrap ep_wrap_of_later_fragment(__u8 proto) {
  switch (proto) {
    case EP_PROTO_ESP:
      return EP_WRAP_ESP;
    case EP_PROTO_AH:
      return EP_WRAP_AH;
    case EP_PROTO_IPIP:
    case EP_PROTO_IPV6:
    case EP_PROTO_GRE:
      return EP_WRAP_TUNNEL_FRAGMENT;
  }
  return EP_WRAP_NONE;
}

/* The link header: *type becomes the ethertype of what follows it. */
static __always_inline enum ep_outcome ep_parse_link(struct ep_cursor* cur, struct ep_packet* pkt,
                                                     __u32 how, __be16* type) {
  if (!(how & EP_HOW_RAW)) {
    struct ethhdr eth;
    if (!EP_TAKE(cur, eth)) return EP_OUTCOME_SHORT_ETH;
    pkt->group_mac = eth.h_dest[0] & 1;
    *type = eth.h_proto;
    return EP_OUTCOME_OK;
  }
  __u8 first;
  if (!EP_TAKE(cur, first)) return EP_OUTCOME_SHORT_IPV4;
  *type = first >> 4 == 6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
  cur->at -= 1;
  cur->remaining += 1;
  return EP_OUTCOME_OK;
}

/* The stages of the parser. Each begins at the cursor that the one before left in pkt and names
 * the next one in pkt->more, so that the verifier walks each of them once. */
static __always_inline struct ep_cursor ep_resume(const void* context,
                                                  const struct ep_packet* pkt) {
  struct ep_cursor cur = {
      .context = context, .at = pkt->at, .remaining = pkt->left, .lenient = pkt->lenient};
  return cur;
}

static __always_inline void ep_suspend(const struct ep_cursor* cur, struct ep_packet* pkt) {
  pkt->at = cur->at;
  pkt->left = cur->remaining;
}

/* An SA as struct bpf_xfrm_state has it: spi and the remote address in network order, family as in
 * socket addresses; of IPv4 the first word counts. */
static __always_inline void ep_read_sa(__be32 spi, __u32 family, const __u32* remote,
                                       struct ep_sa* sa) {
  sa->present = 1;
  sa->spi = bpf_ntohl(spi);
  if (family == 2 /* AF_INET */) {
    sa->family = EP_FAMILY_IPV4;
    sa->remote_hi = ~0ULL;
    sa->remote_lo = (__u64)bpf_ntohl(remote[0]) << 32;
  } else {
    sa->family = EP_FAMILY_IPV6;
    sa->remote_hi = ep_load64(remote);
    sa->remote_lo = ep_load64(remote + 2);
  }
}

/* First: the link header. pkt is zero but for left (the frame's length), vid (VLAN metadata) and
 * lenient. */
static __always_inline void ep_stage_link(const void* context, struct ep_packet* pkt, __u32 how) {
  struct ep_cursor cur = ep_resume(context, pkt);
  __be16 type = 0;
  pkt->outcome = ep_parse_link(&cur, pkt, how, &type);
  pkt->ip.len = cur.remaining;
  if (pkt->outcome != EP_OUTCOME_OK) return;
  pkt->type = type;
  pkt->more = !(how & EP_HOW_RAW) && ep_is_vlan(type) ? EP_MORE_TAG : EP_MORE_IP;
  ep_suspend(&cur, pkt);
}

/* EP_MORE_TAG: one tag of IEEE 802.1Q; EP_MORE_INNER_TAG with `inner`: the same in a tunnel, where
 * it means nothing to us. */
static __always_inline void ep_step_tag(const void* context, struct ep_packet* pkt, int inner) {
  struct ep_cursor cur = ep_resume(context, pkt);
  struct ep_vlan_tag tag;
  if (!EP_TAKE(&cur, tag)) {
    if (inner)
      pkt->wrap = ep_short_tunnel(pkt);
    else
      pkt->outcome = EP_OUTCOME_SHORT_VLAN;
    pkt->more = EP_MORE_NONE;
    return;
  }
  if (!inner) {
    const __u16 vid = bpf_ntohs(tag.tci) & 0xfff;
    if (vid && pkt->vid)
      pkt->second_vid = 1;
    else if (vid)
      pkt->vid = vid;
    pkt->ip.len = cur.remaining;
  }
  pkt->type = tag.next;
  if (!ep_is_vlan(tag.next)) pkt->more = inner ? EP_MORE_INNER_IP : EP_MORE_IP;
  ep_suspend(&cur, pkt);
}

/* After the last tag that is read: another makes the frame unreadable. */
static __always_inline void ep_end_tags(struct ep_packet* pkt, int inner) {
  if (pkt->more != (inner ? EP_MORE_INNER_TAG : EP_MORE_TAG)) return;
  pkt->more = EP_MORE_NONE;
  pkt->outcome = EP_OUTCOME_VLAN_DEPTH;
  if (inner) pkt->wrap = EP_WRAP_BROKEN;
}

/* EP_MORE_IP: the IP header. */
static __always_inline void ep_stage_ip(const void* context, struct ep_packet* pkt) {
  struct ep_cursor cur = ep_resume(context, pkt);
  const __be16 type = pkt->type;
  pkt->more = EP_MORE_NONE;
  if (type == bpf_htons(ETH_P_IP)) {
    pkt->outcome = ep_parse_ipv4(&cur, &pkt->ip);
  } else if (type == bpf_htons(ETH_P_IPV6)) {
    pkt->ip.family = EP_FAMILY_IPV6; /* counted as such even when the header is broken */
    pkt->outcome = ep_parse_ipv6(&cur, &pkt->ip, &pkt->hop_limit);
  } else {
    pkt->outcome = EP_OUTCOME_NOT_IP;
    pkt->arp = type == bpf_htons(ETH_P_ARP);
    return;
  }
  if (!ep_ip_known(pkt->outcome)) return;
  pkt->has_ip = 1;
  if (pkt->outcome == EP_OUTCOME_LATER_FRAGMENT)
    pkt->wrap = ep_wrap_of_later_fragment(pkt->ip.proto);
  else
    pkt->more = pkt->ip.family == EP_FAMILY_IPV6 && ep_is_ext_header(pkt->ip.proto) ? EP_MORE_EXT
                                                                                    : EP_MORE_L4;
  ep_suspend(&cur, pkt);
}

/* One IPv6 extension header of the outer packet, or with `inner` of the inner one. Returns 0 while
 * there may be more. */
static __always_inline int ep_step_ext(const void* context, struct ep_packet* pkt, int inner) {
  struct ep_cursor cur = ep_resume(context, pkt);
  struct ep_ip* ip = &pkt->ip;
  if (inner) {
    ip = &pkt->inner;
    asm volatile("" : "+r"(ip)); /* verifier: one of two pointers, not one plus a chosen offset */
  }
  ip->outcome = ep_parse_ext_header(&cur, ip);
  ep_suspend(&cur, pkt);
  return ip->outcome != EP_OUTCOME_OK;
}

/* After the last step of the outer packet's chain. */
static __always_inline void ep_end_ext(struct ep_packet* pkt) {
  if (pkt->ip.outcome == EP_OUTCOME_OK && ep_is_ext_header(pkt->ip.proto))
    pkt->ip.outcome = EP_OUTCOME_EXT_CHAIN;
  pkt->outcome = pkt->ip.outcome;
  pkt->more = EP_MORE_NONE;
  if (pkt->outcome == EP_OUTCOME_OK)
    pkt->more = EP_MORE_L4;
  else if (pkt->outcome == EP_OUTCOME_LATER_FRAGMENT)
    pkt->wrap = ep_wrap_of_later_fragment(pkt->ip.proto);
}

/* After the last step of the inner packet's chain. */
static __always_inline void ep_end_inner_ext(struct ep_packet* pkt) {
  if (pkt->inner.outcome == EP_OUTCOME_OK && ep_is_ext_header(pkt->inner.proto))
    pkt->inner.outcome = EP_OUTCOME_EXT_CHAIN;
}

/* EP_MORE_L4: what follows the IP header and its extension headers. */
static __always_inline void ep_stage_l4(const void* context, struct ep_packet* pkt) {
  struct ep_cursor cur = ep_resume(context, pkt);
  pkt->more = EP_MORE_NONE;
  pkt->wrap = ep_parse_l4(&cur, pkt);
  ep_suspend(&cur, pkt);
}

/* EP_MORE_TUNNEL: the header of a tunnel. */
static __always_inline void ep_stage_tunnel(const void* context, struct ep_packet* pkt) {
  struct ep_cursor cur = ep_resume(context, pkt);
  if (!ep_parse_tunnel(&cur, pkt, pkt->ip.proto)) {
    pkt->more = EP_MORE_NONE;
    pkt->wrap = ep_short_tunnel(pkt);
  }
  pkt->lenient = cur.lenient;
  ep_suspend(&cur, pkt);
}

/* EP_MORE_INNER_IP: the IP header inside. */
static __always_inline void ep_stage_inner_ip(const void* context, struct ep_packet* pkt) {
  struct ep_cursor cur = ep_resume(context, pkt);
  pkt->more = EP_MORE_NONE;
  pkt->wrap = ep_parse_inner(&cur, pkt, pkt->type);
  ep_suspend(&cur, pkt);
}

/* EP_MORE_INNER: what follows the inner IP header and its extension headers. */
static __always_inline void ep_stage_inner(const void* context, struct ep_packet* pkt) {
  struct ep_cursor cur = ep_resume(context, pkt);
  pkt->more = EP_MORE_NONE;
  if (pkt->inner.outcome == EP_OUTCOME_OK) ep_parse_inner_l4(&cur, pkt);
  ep_suspend(&cur, pkt);
}

#endif /* EP_PARSE_H */
