/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the parser finds out about one frame and what the judge says of it. Types only, for C and
 * C++, for BPF and for the host.
 */
#ifndef EP_PACKET_H
#define EP_PACKET_H

#include <stddef.h>

#include "wire.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif

/* How a program looks at a frame; a constant of each program. */
#define EP_HOW_TRANSMIT 1u /* egress; else ingress */
#define EP_HOW_RAW 2u      /* no Ethernet header: the frame starts with IP */
#define EP_HOW_WIRE 4u     /* count what the wire carried */
#define EP_HOW_REENTRY 8u  /* count decrypted packets here */
#define EP_HOW_XDP 16u     /* before tc: count only what is dropped */

/* What the headers after IP say the packet would be between two underlay addresses. */
enum ep_wrap {
  EP_WRAP_NONE = 0, /* nothing that protects or tunnels, or unknown */
  EP_WRAP_ESP,
  EP_WRAP_ESP_UDP,
  EP_WRAP_ESP_TCP,
  EP_WRAP_AH,
  EP_WRAP_IKE,
  EP_WRAP_TUNNEL,          /* inner holds the inner packet */
  EP_WRAP_TUNNEL_FRAGMENT, /* a later fragment of ipip, sit or gre */
  EP_WRAP_BROKEN_ESP,      /* protocol 50, too short for a SPI and a sequence number */
  EP_WRAP_BROKEN, /* UDP, TCP, encapsulation or tunnel header too short, or too many tags */
};

/* Addresses of one IP header as keys of the peer table: two 64-bit words in host order. IPv4 has
 * all ones in *_hi (no unicast IPv6 address does) and stands in the upper half of *_lo. */
struct ep_ip {
  __u64 src_hi;
  __u64 src_lo;
  __u64 dst_hi;
  __u64 dst_lo;
  __u8 family; /* enum ep_family */
  __u8 proto;  /* the last protocol known: after extension headers */
  __u8 fragment;
  __u8 outcome; /* enum ep_outcome of this header and its extension headers */
  __u32 len;    /* of the IP packet, header included, as far as the frame carries it; of the frame
                 * behind its link header when there is no valid IP header */
};

enum ep_more {
  EP_MORE_NONE = 0,
  EP_MORE_TAG,
  EP_MORE_IP,
  EP_MORE_EXT,
  EP_MORE_L4,
  EP_MORE_TUNNEL,
  EP_MORE_INNER_TAG,
  EP_MORE_INNER_IP,
  EP_MORE_INNER,
};
enum ep_fragment { EP_FRAGMENT_NONE = 0, EP_FRAGMENT_FIRST, EP_FRAGMENT_LATER };

struct ep_packet {
  struct ep_ip ip;
  struct ep_ip inner; /* valid when wrap is EP_WRAP_TUNNEL */
  __u32 spi;          /* of ESP in any encapsulation, host order; 0 = unknown */
  __be16 sport;
  __be16 dport;
  __u16 vid;       /* outermost VLAN ID that is not 0 */
  __u8 second_vid; /* a second non-zero VLAN ID follows */
  __u8 group_mac;
  __u8 outcome; /* enum ep_outcome of the whole frame */
  __u8 wrap;    /* enum ep_wrap */
  __u8 has_ip;  /* addresses are valid */
  __u8 arp;
  __u8 icmp6_type; /* 0 = not ICMPv6 or unknown */
  __u8 hop_limit;  /* of the outer IPv6 header; not read of plain packets (fast.h) */
  __u8 more;       /* enum ep_more: the stage of the parser to run next */
  __u8 lenient;    /* lengths in headers may exceed the frame (GSO) */
  __u8 starved;    /* on the host: a header lies behind what the capture kept */
  __u8 pmtu;       /* ICMP fragmentation needed, or ICMPv6 packet too big */
  __be16 type;     /* between stages: the ethertype of what comes next */
  __u32 at;        /* between stages: the cursor */
  __u32 left;      /* bytes that no header was found in */
};

/* Bytes of headers, from the IP header to the innermost L4 header's end. */
static __always_inline __u32 ep_header_len(const struct ep_packet* pkt) {
  return pkt->has_ip ? pkt->ip.len - pkt->left : 0;
}

/* verifier: `value`, but nothing is known of it any more. `any` is a value of which nothing is. */
static __always_inline __u64 ep_unknown(__u64 value, __u64 any) {
  __u64 same = any;
  asm volatile("" : "+r"(same)); /* or the compiler knows that they are */
  return value + (same - any);
}

/* 1 if x is not 0. verifier: arithmetic, because each branch doubles what is walked. */
static __always_inline __u64 ep_nonzero(__u64 x) {
  __u64 negative = -x;
  asm volatile("" : "+r"(negative)); /* or the compiler makes it a branch again */
  return (x | negative) >> 63;
}

/* What an address is. role EP_ROLE_NONE: in no prefix of the table. */
struct ep_who {
  __u16 role;
  __u16 flags;
  __u32 peer;
  __u32 subnet;
};

/* A table as the look-ups take it. */
struct ep_table {
  const struct ep_table_head* head;
  __u32 slots; /* ep_config.slots */
};

/* The SA that a packet came through, as its XFRM state tells. */
struct ep_sa {
  __u64 remote_hi; /* a key, as in struct ep_ip */
  __u64 remote_lo;
  __u32 spi; /* host order */
  __u8 family;
  __u8 present; /* 0: no XFRM state */
  __u8 reserved[2];
};

/* Everything that is known about one packet beside its bytes, from one look at one table. */
struct ep_names {
  struct ep_sa sa;
  struct ep_who src;
  struct ep_who dst;
  struct ep_who inner_src; /* of a tunnelled packet */
  struct ep_who inner_dst;
  struct ep_who remote; /* the SA's remote address */
  __u8 vlan_action;     /* enum ep_vlan_action */
  __u8 null_spi;        /* the packet's SPI is of an SA without encryption */
  __u8 null_sa;         /* the SA it came through is one */
  __u8 foreign_spi;     /* the packet's SPI is of no SA with its destination */
};

/* What the judge says of one packet. */
struct ep_verdict {
  __u32 class_; /* enum ep_class */
  __u32 peer;
  __u32 subnet;
  __u16 flags;        /* EP_VERDICT_* */
  __u16 network_mode; /* enum ep_mode that an unknown node is under */
};
#define EP_VERDICT_SKIP 1u         /* counted elsewhere: a VLAN device above, a re-entry device */
#define EP_VERDICT_DECRYPTED 2u    /* came back from IPsec: its XFRM state says so */
#define EP_VERDICT_SPOOFED 4u      /* decrypted, and its source belongs to another node */
#define EP_VERDICT_UNATTRIBUTED 8u /* decrypted, and the SA's remote is no known underlay */
#define EP_VERDICT_SENT 16u        /* of egress */

#endif /* EP_PACKET_H */
