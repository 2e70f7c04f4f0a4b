/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From what a frame says and who its ends are to its class. One function for tc, XDP, captures and
 * tests. Protection has to be proven: whatever lies between backend addresses and is not shown to
 * be protected is cleartext, however broken the rest of it is.
 */
#ifndef EP_JUDGE_H
#define EP_JUDGE_H

#include "parse.h"
#include "table.h"

/* The ends of a packet, named by who is local. */
struct ep_ends {
  struct ep_who src;
  struct ep_who dst;
  __u32 peer;   /* of the pair (self, peer) in this direction; 0 = no pair */
  __u32 subnet; /* the peer's subnet, when its end is a backend address */
};

static __always_inline int ep_role_is_self(__u32 role) {
  return role == EP_ROLE_SELF_UNDERLAY || role == EP_ROLE_SELF_BACKEND;
}
static __always_inline int ep_role_is_peer(__u32 role) {
  return role == EP_ROLE_PEER_UNDERLAY || role == EP_ROLE_PEER_BACKEND;
}
static __always_inline int ep_role_is_backend(__u32 role) {
  return role == EP_ROLE_SELF_BACKEND || role == EP_ROLE_PEER_BACKEND;
}

static __always_inline struct ep_ends ep_find_ends(const struct ep_table* table,
                                                   const struct ep_ip* ip, __u32 transmit) {
  struct ep_ends ends = {};
  ends.src = ep_lookup(table, ip->family, ip->src_hi, ip->src_lo);
  ends.dst = ep_lookup(table, ip->family, ip->dst_hi, ip->dst_lo);
  const struct ep_who* ours = transmit ? &ends.src : &ends.dst;
  const struct ep_who* theirs = transmit ? &ends.dst : &ends.src;
  if (ep_role_is_self(ours->role) && ep_role_is_peer(theirs->role)) {
    ends.peer = theirs->peer;
    ends.subnet = theirs->subnet;
  }
  return ends;
}

static __always_inline int ep_is_multicast(const struct ep_ip* ip) {
  if (ip->family == EP_FAMILY_IPV6) return ip->dst_hi >> 56 == 0xff;
  return (ip->dst_lo & 0xf0000000) == 0xe0000000 || ip->dst_lo == 0xffffffff;
}

/* IGMP, MLD and neighbour discovery speak for a link, not for a node pair. */
static __always_inline int ep_is_link_control(const struct ep_packet* pkt) {
  if (pkt->ip.family == EP_FAMILY_IPV4) return pkt->ip.proto == EP_PROTO_IGMP;
  return (pkt->icmp6_type >= 130 && pkt->icmp6_type <= 137) || pkt->icmp6_type == 143;
}

/* Frames within one node's subnets, which a bridge floods to the wire. */
static __always_inline int ep_is_one_node(const struct ep_ends* ends) {
  if (ends->src.role == EP_ROLE_SELF_BACKEND) return ends->dst.role == EP_ROLE_SELF_BACKEND;
  return ends->src.role == EP_ROLE_PEER_BACKEND && ends->dst.role == EP_ROLE_PEER_BACKEND &&
         ends->src.peer == ends->dst.peer;
}

/* Class of the packet inside a tunnel between the underlays of a pair. */
static __always_inline __u32 ep_judge_tunnel(const struct ep_table* table, struct ep_packet* pkt,
                                             __u32 transmit, __u32 peer, __u32* subnet) {
  const struct ep_ip* inner = &pkt->inner;
  if (inner->proto == EP_PROTO_ESP && inner->outcome != EP_OUTCOME_SHORT_EXT &&
      inner->outcome != EP_OUTCOME_EXT_CHAIN)
    return EP_CLASS_ESP;
  struct ep_ends ends = ep_find_ends(table, inner, transmit);
  if (ep_role_is_backend(ends.src.role) || ep_role_is_backend(ends.dst.role) ||
      ends.src.role == EP_ROLE_NETWORK || ends.dst.role == EP_ROLE_NETWORK) {
    const struct ep_who* theirs = transmit ? &ends.dst : &ends.src;
    /* A network's counter belongs to one peer: another's pod inside must not move it. */
    if (theirs->peer == peer) *subnet = theirs->subnet;
    return EP_CLASS_CLEARTEXT_TUNNEL;
  }
  if (inner->outcome == EP_OUTCOME_NESTED || inner->outcome == EP_OUTCOME_EXT_CHAIN) {
    pkt->outcome = inner->outcome;
    return EP_CLASS_TOO_DEEP;
  }
  if (inner->outcome == EP_OUTCOME_SHORT_EXT) {
    pkt->outcome = EP_OUTCOME_SHORT_TUNNEL;
    return EP_CLASS_MALFORMED;
  }
  return EP_CLASS_OTHER;
}

/* Class of a packet that has no backend end: what its headers say. */
static __always_inline __u32 ep_judge_wrap(const struct ep_table* table, struct ep_packet* pkt,
                                           __u32 transmit, __u32 peer, __u32* subnet) {
  if (pkt->outcome == EP_OUTCOME_EXT_CHAIN) return EP_CLASS_TOO_DEEP;
  if (pkt->outcome == EP_OUTCOME_SHORT_EXT) return EP_CLASS_MALFORMED;
  switch (pkt->wrap) {
    case EP_WRAP_ESP_UDP:
      return ep_is_null_spi(table, pkt->spi) ? EP_CLASS_ESP_NULL : EP_CLASS_ESP_UDP;
    case EP_WRAP_ESP_TCP:
      return EP_CLASS_ESP_TCP;
    case EP_WRAP_IKE:
      return EP_CLASS_IKE;
    case EP_WRAP_TUNNEL_FRAGMENT:
      return peer ? EP_CLASS_CLEARTEXT_TUNNEL : EP_CLASS_OTHER;
    case EP_WRAP_TUNNEL:
      return peer ? ep_judge_tunnel(table, pkt, transmit, peer, subnet) : EP_CLASS_OTHER;
    case EP_WRAP_BROKEN:
      /* A tunnel header matters between a pair only. */
      if (!peer && pkt->outcome == EP_OUTCOME_SHORT_TUNNEL) return EP_CLASS_OTHER;
      return EP_CLASS_MALFORMED;
  }
  return EP_CLASS_OTHER;
}

/* Frames without a usable IP header. */
static __always_inline __u32 ep_judge_no_ip(const struct ep_packet* pkt) {
  if (pkt->outcome == EP_OUTCOME_VLAN_DEPTH) return EP_CLASS_TOO_DEEP;
  if (pkt->outcome != EP_OUTCOME_NOT_IP) return EP_CLASS_MALFORMED;
  return pkt->arp || pkt->group_mac ? EP_CLASS_FLOODED : EP_CLASS_OTHER;
}

/* The verdict of one parsed frame. `ifindex` is looked at for tagged frames only. May refine
 * pkt->outcome (EP_OUTCOME_NESTED). */
static __always_inline struct ep_verdict ep_judge(const struct ep_table* table,
                                                  struct ep_packet* pkt, __u32 transmit,
                                                  __u32 ifindex) {
  struct ep_verdict v = {};
  if (pkt->vid) {
    __u32 action = ep_lookup_vlan(table, ifindex, pkt->vid);
    if (action == EP_VLAN_CLAIMED) v.flags |= EP_VERDICT_SKIP;
    if (action != EP_VLAN_OURS || pkt->second_vid) {
      v.class_ = EP_CLASS_OTHER_VLAN;
      return v;
    }
  }
  if (!pkt->has_ip) {
    v.class_ = ep_judge_no_ip(pkt);
    return v;
  }
  struct ep_ends ends = ep_find_ends(table, &pkt->ip, transmit);
  v.peer = ends.peer;
  /* Protocol 50 speaks for itself, whoever the ends are. */
  if (pkt->wrap == EP_WRAP_ESP || pkt->wrap == EP_WRAP_BROKEN_ESP) {
    if (ep_is_multicast(&pkt->ip)) {
      v.class_ = EP_CLASS_FLOODED;
      v.peer = 0;
    } else if (pkt->wrap == EP_WRAP_BROKEN_ESP) {
      v.class_ = EP_CLASS_MALFORMED;
    } else {
      v.class_ = ep_is_null_spi(table, pkt->spi) ? EP_CLASS_ESP_NULL : EP_CLASS_ESP;
    }
    return v;
  }
  __u32 src = ends.src.role, dst = ends.dst.role;
  if (ep_is_multicast(&pkt->ip) || ep_is_link_control(pkt) || ep_is_one_node(&ends) ||
      (pkt->group_mac && dst == EP_ROLE_NETWORK)) {
    v.class_ = EP_CLASS_FLOODED;
    v.peer = 0;
  } else if (src == EP_ROLE_NETWORK || dst == EP_ROLE_NETWORK) {
    v.class_ = EP_CLASS_UNKNOWN_NODE;
    v.peer = 0;
  } else if (pkt->wrap == EP_WRAP_AH) {
    v.class_ = EP_CLASS_AH;
  } else if (ends.peer && ep_role_is_backend(src) && ep_role_is_backend(dst)) {
    v.class_ = EP_CLASS_CLEARTEXT;
    v.subnet = ends.subnet;
  } else if (ends.peer && (ep_role_is_backend(src) || ep_role_is_backend(dst))) {
    v.class_ = EP_CLASS_CLEARTEXT_HOST;
    v.subnet = ends.subnet;
  } else if (transmit && dst == EP_ROLE_PEER_BACKEND) {
    v.class_ = EP_CLASS_CLEARTEXT_TRANSIT;
    v.peer = ends.dst.peer;
    v.subnet = ends.dst.subnet;
  } else if (ep_role_is_backend(src) || ep_role_is_backend(dst)) {
    v.class_ =
        EP_CLASS_OTHER; /* one end is backend, the other outside: no pair, no tunnel of ours */
  } else {
    v.class_ = ep_judge_wrap(table, pkt, transmit, ends.peer, &v.subnet);
  }
  return v;
}

/* Classes that XFRM state on ingress turns into `decrypted`: whatever has to do with a pair or a
 * backend network and was not itself protected. */
static __always_inline int ep_may_be_decrypted(const struct ep_verdict* v) {
  switch (v->class_) {
    case EP_CLASS_CLEARTEXT:
    case EP_CLASS_CLEARTEXT_TUNNEL:
    case EP_CLASS_CLEARTEXT_HOST:
    case EP_CLASS_CLEARTEXT_TRANSIT:
    case EP_CLASS_UNKNOWN_NODE:
    case EP_CLASS_FLOODED:
    case EP_CLASS_AH:
      return 1;
    case EP_CLASS_TOO_DEEP:
    case EP_CLASS_MALFORMED:
    case EP_CLASS_OTHER:
      return v->peer != 0;
  }
  return 0;
}

/* The SA that a packet came through, as its XFRM state tells. */
struct ep_sa {
  __u64 remote_hi;
  __u64 remote_lo;
  __u32 family;
  __u32 spi; /* host order */
};

/* Whose decrypted packet is it? By the SA's remote address when that is a known underlay, else by
 * the inner source. Spoofed only on positive evidence. */
static __always_inline void ep_attribute(const struct ep_table* table, const struct ep_packet* pkt,
                                         const struct ep_sa* sa, struct ep_verdict* v) {
  v->flags |= EP_VERDICT_DECRYPTED;
  /* Integrity only: the wire counted it as ah or esp_null, it must not look confidential. */
  if (ep_is_null_spi(table, sa->spi)) v->flags |= EP_VERDICT_SKIP;
  struct ep_who remote = ep_lookup(table, sa->family, sa->remote_hi, sa->remote_lo);
  if (remote.role != EP_ROLE_PEER_UNDERLAY) {
    v->flags |= EP_VERDICT_UNATTRIBUTED;
    return;
  }
  if (pkt->has_ip) {
    struct ep_who src = ep_lookup(table, pkt->ip.family, pkt->ip.src_hi, pkt->ip.src_lo);
    int others =
        ep_role_is_peer(src.role) && src.peer != remote.peer && (remote.flags & EP_SLOT_CONFIGURED);
    if (others || ep_role_is_self(src.role)) v->flags |= EP_VERDICT_SPOOFED;
  }
  v->peer = remote.peer;
}

#endif /* EP_JUDGE_H */
