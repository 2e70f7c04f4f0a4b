/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A dropped packet, read from kernel memory: the little of the kernel's structs that this needs
 * (relocated at load), its devices, its headers and its peer.
 */
#ifndef EP_DROPPED_H
#define EP_DROPPED_H

#include <bpf/bpf_endian.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

/* The parser wants to know how bytes are loaded; of it, only names of protocols are used here. */
static __always_inline long ep_load_bytes(const void* context, __u32 at, void* to, __u32 size) {
  return bpf_probe_read_kernel(to, size, (const char*)context + at);
}

#include "drop_wire.h"
#include "judge.h"
#include "shared_maps.h"
#include "table.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ns_common {
  unsigned int inum;
};
struct net {
  struct ns_common ns;
};
typedef struct {
  struct net* net;
} possible_net_t;
struct net_device {
  int ifindex;
  possible_net_t nd_net;
};
struct sock_common {
  possible_net_t skc_net;
};
struct sock {
  struct sock_common __sk_common;
};
struct dst_entry {
  struct net_device* dev;
  void* input;
  void* output;
};
struct sk_buff {
  struct net_device* dev;
  struct sock* sk;
  unsigned long _skb_refdst;
  unsigned char* head;
  unsigned int tail; /* an offset, as on every 64-bit kernel */
  __u16 network_header;
  int skb_iif;
  unsigned char pkt_type : 3;
};
#pragma clang attribute pop

/* include/uapi/linux/if_packet.h */
#define EP_PACKET_BROADCAST 1
#define EP_PACKET_MULTICAST 2
#define EP_PACKET_OTHERHOST 3
#define EP_PACKET_OUTGOING 4

const volatile struct ep_drop_config ep_drop_config = {};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct ep_drop_stat);
} ep_drop_stat SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, EP_DROP_FLOWS);
  __type(key, __u32);
  __type(value, struct ep_drop_flow);
} ep_drop_flows SEC(".maps");

struct ep_dropped {
  struct sk_buff* skb;
  struct net_device* dev; /* that it is on; NULL: none yet */
  struct net_device* out; /* of its route */
  struct dst_entry* dst;
  struct sock* sk;
  __u32 reason;
  __u32 iif; /* that it came by; 0: it is of this node */
  __u32 peer;
  __u32 of_node; /* its source is an underlay of this node: nobody forwards it */
};

static __always_inline void ep_read_devices(struct ep_dropped* drop) {
  struct sk_buff* skb = drop->skb; /* a pointer of its own: what is read through is relocated */
  drop->dev = BPF_CORE_READ(skb, dev);
  drop->sk = BPF_CORE_READ(skb, sk);
  /* The lowest bit says that the reference is not counted (SKB_DST_NOREF). */
  drop->dst = (struct dst_entry*)(BPF_CORE_READ(skb, _skb_refdst) & ~1UL);
  struct dst_entry* dst = drop->dst;
  if (dst) drop->out = BPF_CORE_READ(dst, dev);
  drop->iif = (__u32)BPF_CORE_READ(skb, skb_iif);
}

static __always_inline __u32 ep_packet_kind(struct sk_buff* skb) {
  return (__u32)BPF_CORE_READ_BITFIELD_PROBED(skb, pkt_type);
}

/* What comes after the IP header, as far as it matters here. */
struct ep_l4 {
  __u64 at; /* address */
  __u64 end;
  __u8 proto;
  __u8 first; /* not a later fragment */
};

static __always_inline int ep_read_v4(__u64 at, struct ep_ip* ip, struct ep_l4* l4) {
  struct iphdr header;
  if (at + sizeof(header) > l4->end) return 0;
  if (bpf_probe_read_kernel(&header, sizeof(header), (void*)at)) return 0;
  ip->family = EP_FAMILY_IPV4;
  ip->src_hi = ip->dst_hi = ~0ULL;
  ip->src_lo = (__u64)bpf_ntohl(header.saddr) << 32;
  ip->dst_lo = (__u64)bpf_ntohl(header.daddr) << 32;
  l4->proto = header.protocol;
  l4->first = !(header.frag_off & bpf_htons(0x1fff));
  l4->at = at + header.ihl * 4;
  return 1;
}

/* One fragment header is looked behind; longer chains keep their addresses and lose their ports. */
static __always_inline int ep_read_v6(__u64 at, struct ep_ip* ip, struct ep_l4* l4) {
  struct ipv6hdr header;
  if (at + sizeof(header) > l4->end) return 0;
  if (bpf_probe_read_kernel(&header, sizeof(header), (void*)at)) return 0;
  ip->family = EP_FAMILY_IPV6;
  ip->src_hi = ep_load64(header.saddr.in6_u.u6_addr32);
  ip->src_lo = ep_load64(header.saddr.in6_u.u6_addr32 + 2);
  ip->dst_hi = ep_load64(header.daddr.in6_u.u6_addr32);
  ip->dst_lo = ep_load64(header.daddr.in6_u.u6_addr32 + 2);
  l4->proto = header.nexthdr;
  l4->first = 1;
  l4->at = at + sizeof(header);
  __u8 fragment[8];
  if (l4->proto != EP_PROTO_FRAGMENT || l4->at + sizeof(fragment) > l4->end) return 1;
  if (bpf_probe_read_kernel(fragment, sizeof(fragment), (void*)l4->at)) return 1;
  l4->proto = fragment[0];
  l4->first = !(fragment[2] | (fragment[3] & 0xf8));
  l4->at += sizeof(fragment);
  return 1;
}

static __always_inline int ep_is_icmp(__u8 proto) {
  return proto == EP_PROTO_ICMP || proto == EP_PROTO_ICMPV6;
}

/* Does this, between underlays, carry the mesh? */
static __always_inline int ep_carries_mesh(const struct ep_drop_flow* flow) {
  switch (flow->proto) {
    case EP_PROTO_ESP:
    case EP_PROTO_AH:
    case EP_PROTO_IPIP:
    case EP_PROTO_IPV6:
    case EP_PROTO_GRE:
      return 1;
  }
  const __u16 dport = bpf_ntohs(flow->dport), sport = bpf_ntohs(flow->sport);
  return flow->proto == EP_PROTO_UDP &&
         (dport == 500 || dport == 4500 || sport == 500 || sport == 4500);
}

/* The peer of a pair of ends, and the direction; 0: the packet is not of the mesh. */
static __always_inline __u32 ep_peer_of(const struct ep_who* src, const struct ep_who* dst,
                                        struct ep_drop_flow* flow) {
  const int from_peer = ep_role_is_peer(src->role) && ep_role_is_self(dst->role);
  const int to_peer = ep_role_is_self(src->role) && ep_role_is_peer(dst->role);
  flow->dir = from_peer ? EP_DIR_RECEIVE : EP_DIR_TRANSMIT;
  const __u32 peer = from_peer ? src->peer : dst->peer;
  if (from_peer || to_peer) {
    const int backend = ep_role_is_backend(src->role) || ep_role_is_backend(dst->role);
    return backend || ep_carries_mesh(flow) ? peer : 0;
  }
  /* Somebody's packet to a backend network, on its way through this node. */
  return dst->role == EP_ROLE_PEER_BACKEND && src->peer != dst->peer ? dst->peer : 0;
}

/* Addresses, ports, direction and peer. Returns 0 when the packet is not of the mesh. */
static __always_inline int ep_read_headers(struct ep_dropped* drop, struct ep_drop_flow* flow) {
  struct sk_buff* skb = drop->skb;
  const __u64 head = (__u64)BPF_CORE_READ(skb, head);
  const __u64 at = head + BPF_CORE_READ(skb, network_header);
  struct ep_l4 l4 = {.end = head + BPF_CORE_READ(skb, tail)};
  struct ep_ip ip = {};
  __u8 version = 0;
  if (bpf_probe_read_kernel(&version, 1, (void*)at)) return 0;
  version >>= 4;
  if (version == 4 ? !ep_read_v4(at, &ip, &l4) : version != 6 || !ep_read_v6(at, &ip, &l4))
    return 0;
  __be16 ports[2] = {};
  if (l4.first && (l4.proto == EP_PROTO_UDP || l4.proto == EP_PROTO_TCP) && l4.at + 4 <= l4.end)
    bpf_probe_read_kernel(ports, sizeof(ports), (void*)l4.at);
  flow->sport = ports[0];
  flow->dport = ports[1];
  flow->family = ip.family;
  flow->proto = l4.proto;
  if (drop->reason == ep_drop_config.no_socket && ep_is_icmp(l4.proto)) return 0;
  const struct ep_table table = {
      .head = ep_current_table(),
      .slots = ep_drop_config.slots,
  };
  if (!table.head) return 0;
  struct ep_who src = {}, dst = {};
  ep_find(&table, ip.family, ip.src_hi, ip.src_lo, &src);
  ep_find(&table, ip.family, ip.dst_hi, ip.dst_lo, &dst);
  drop->peer = ep_peer_of(&src, &dst, flow);
  drop->of_node = src.role == EP_ROLE_SELF_UNDERLAY;
  if (!drop->peer) return 0;
  const __u64 v6 = -(__u64)(ip.family & 1);
  __u64* to = (__u64*)flow->src;
  to[0] = bpf_cpu_to_be64((ip.src_hi & v6) | (ip.src_lo & ~v6));
  to[1] = bpf_cpu_to_be64(ip.src_lo & v6);
  to[2] = bpf_cpu_to_be64((ip.dst_hi & v6) | (ip.dst_lo & ~v6));
  to[3] = bpf_cpu_to_be64(ip.dst_lo & v6);
  return 1;
}

#endif /* EP_DROPPED_H */
