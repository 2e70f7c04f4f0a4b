/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From what a frame says and who its ends are to its class. One function for tc, XDP, captures and
 * tests; it looks nothing up. Protection has to be proven: whatever lies between backend addresses
 * and is not shown to be protected is cleartext, however broken the rest of it is.
 */
#ifndef EP_JUDGE_H
#define EP_JUDGE_H

#include "parse.h"
#include "table.h"

static __always_inline int ep_role_is_self(__u32 role) {
  return role == EP_ROLE_SELF_UNDERLAY || role == EP_ROLE_SELF_BACKEND;
}
static __always_inline int ep_role_is_peer(__u32 role) {
  return role == EP_ROLE_PEER_UNDERLAY || role == EP_ROLE_PEER_BACKEND;
}
static __always_inline int ep_role_is_backend(__u32 role) {
  return role == EP_ROLE_SELF_BACKEND || role == EP_ROLE_PEER_BACKEND;
}

static __always_inline int ep_is_multicast(const struct ep_ip* ip) {
  if (ip->family == EP_FAMILY_IPV6) return ip->dst_hi >> 56 == 0xff;
  return ip->dst_lo >> 60 == 0xe || ip->dst_lo >> 32 == 0xffffffff;
}

/* IGMP, MLD and neighbour discovery speak for a link, not for a node pair. */
static __always_inline int ep_is_link_control(const struct ep_packet* pkt) {
  if (pkt->ip.family == EP_FAMILY_IPV4) return pkt->ip.proto == EP_PROTO_IGMP;
  return (pkt->icmp6_type >= 130 && pkt->icmp6_type <= 137) || pkt->icmp6_type == 143;
}

/* Frames within one node's subnets, which a bridge floods to the wire. */
static __always_inline int ep_is_one_node(const struct ep_names* names) {
  if (names->src.role == EP_ROLE_SELF_BACKEND) return names->dst.role == EP_ROLE_SELF_BACKEND;
  return names->src.role == EP_ROLE_PEER_BACKEND && names->dst.role == EP_ROLE_PEER_BACKEND &&
         names->src.peer == names->dst.peer;
}

/* Class of the packet inside a tunnel between the underlays of a pair. */
static __always_inline __u32 ep_judge_tunnel(struct ep_packet* pkt, const struct ep_names* names,
                                             __u32 transmit, __u32 peer, __u32* subnet) {
  const struct ep_ip* inner = &pkt->inner;
  const __u32 src = names->inner_src.role, dst = names->inner_dst.role;
  const int chain_known =
      inner->outcome != EP_OUTCOME_SHORT_EXT && inner->outcome != EP_OUTCOME_EXT_CHAIN;
  if (inner->proto == EP_PROTO_ESP && chain_known) return EP_CLASS_ESP;
  if (ep_role_is_backend(src) || ep_role_is_backend(dst) || src == EP_ROLE_NETWORK ||
      dst == EP_ROLE_NETWORK) {
    const struct ep_who* theirs = transmit ? &names->inner_dst : &names->inner_src;
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
static __always_inline __u32 ep_judge_wrap(struct ep_packet* pkt, const struct ep_names* names,
                                           __u32 transmit, __u32 peer, __u32* subnet) {
  if (pkt->outcome == EP_OUTCOME_EXT_CHAIN) return EP_CLASS_TOO_DEEP;
  if (pkt->outcome == EP_OUTCOME_SHORT_EXT) return EP_CLASS_MALFORMED;
  switch (pkt->wrap) {
    case EP_WRAP_ESP_UDP:
      return names->null_spi ? EP_CLASS_ESP_NULL : EP_CLASS_ESP_UDP;
    case EP_WRAP_ESP_TCP:
      return EP_CLASS_ESP_TCP;
    case EP_WRAP_IKE:
      return EP_CLASS_IKE;
    case EP_WRAP_TUNNEL_FRAGMENT:
      return peer ? EP_CLASS_CLEARTEXT_TUNNEL : EP_CLASS_OTHER;
    case EP_WRAP_TUNNEL:
      return peer ? ep_judge_tunnel(pkt, names, transmit, peer, subnet) : EP_CLASS_OTHER;
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

/* Protocol 50 speaks for itself, whoever the ends are. */
static __always_inline __u32 ep_judge_esp(const struct ep_packet* pkt,
                                          const struct ep_names* names) {
  if (pkt->wrap == EP_WRAP_BROKEN_ESP) return EP_CLASS_MALFORMED;
  return names->null_spi ? EP_CLASS_ESP_NULL : EP_CLASS_ESP;
}

/* The verdict becomes that of a packet which came back from IPsec. Whose is it? The SA's remote
 * address tells, when that is a known underlay. Spoofed only on positive evidence. */
static __always_inline void ep_attribute(const struct ep_names* names, struct ep_verdict* v) {
  v->flags |= EP_VERDICT_DECRYPTED;
  /* Integrity only: the wire counted it as ah or esp_null, it must not look confidential. */
  if (names->null_sa) v->flags |= EP_VERDICT_SKIP;
  if (names->remote.role != EP_ROLE_PEER_UNDERLAY) {
    v->flags |= EP_VERDICT_UNATTRIBUTED;
    return;
  }
  const int others = ep_role_is_peer(names->src.role) && names->src.peer != names->remote.peer &&
                     (names->remote.flags & EP_SLOT_CONFIGURED);
  if (others || ep_role_is_self(names->src.role)) v->flags |= EP_VERDICT_SPOOFED;
  v->peer = names->remote.peer;
}

/* Classes that XFRM state on ingress turns into `decrypted`: whatever has to do with a pair or a
 * backend network and is not itself what protects the pair. ESP and AH of pods are content as
 * anything else; between underlays the state may be that of the packet's own SA, which a NIC that
 * decrypts attaches before the header is taken off. */
static __always_inline int ep_may_be_decrypted(const struct ep_names* names,
                                               const struct ep_verdict* v) {
  switch (v->class_) {
    case EP_CLASS_CLEARTEXT:
    case EP_CLASS_CLEARTEXT_TUNNEL:
    case EP_CLASS_CLEARTEXT_HOST:
    case EP_CLASS_CLEARTEXT_TRANSIT:
    case EP_CLASS_UNKNOWN_NODE:
    case EP_CLASS_FLOODED:
      return 1;
    case EP_CLASS_TOO_DEEP:
    case EP_CLASS_MALFORMED:
    case EP_CLASS_OTHER:
      return v->peer != 0;
    case EP_CLASS_ESP:
    case EP_CLASS_ESP_NULL:
    case EP_CLASS_AH:
      return ep_role_is_backend(names->src.role) || ep_role_is_backend(names->dst.role);
  }
  return 0;
}

/* What unknown nodes are under in the network that an end lies in; the stricter of two. */
static __always_inline __u32 ep_network_mode(const struct ep_names* names) {
  const __u32 src = names->src.role == EP_ROLE_NETWORK ? names->src.flags : 0;
  const __u32 dst = names->dst.role == EP_ROLE_NETWORK ? names->dst.flags : 0;
  const __u32 a = src >> EP_SLOT_MODE_SHIFT & EP_MODE_MASK;
  const __u32 b = dst >> EP_SLOT_MODE_SHIFT & EP_MODE_MASK;
  return a > b ? a : b;
}

/* Class, peer and subnet by the ends. */
static __always_inline void ep_judge_ends(struct ep_packet* pkt, const struct ep_names* names,
                                          __u32 transmit, struct ep_verdict* v) {
  const __u32 src = names->src.role, dst = names->dst.role;
  const int src_backend = ep_role_is_backend(src), dst_backend = ep_role_is_backend(dst);
  const struct ep_who* theirs = transmit ? &names->dst : &names->src;
  const __u32 ours = transmit ? src : dst;
  const __u32 peer = ep_role_is_self(ours) && ep_role_is_peer(theirs->role) ? theirs->peer : 0;

  if (ep_is_multicast(&pkt->ip)) {
    v->class_ = EP_CLASS_FLOODED;
  } else if (pkt->wrap == EP_WRAP_ESP || pkt->wrap == EP_WRAP_BROKEN_ESP) {
    v->class_ = ep_judge_esp(pkt, names);
    v->peer = peer;
  } else if (ep_is_link_control(pkt) || ep_is_one_node(names) ||
             (pkt->group_mac && dst == EP_ROLE_NETWORK)) {
    v->class_ = EP_CLASS_FLOODED;
  } else if (src == EP_ROLE_NETWORK || dst == EP_ROLE_NETWORK) {
    v->class_ = EP_CLASS_UNKNOWN_NODE;
    v->network_mode = (__u16)ep_network_mode(names);
  } else if (pkt->wrap == EP_WRAP_AH) {
    v->class_ = EP_CLASS_AH;
    v->peer = peer;
  } else if (peer && (src_backend || dst_backend)) {
    v->class_ = src_backend && dst_backend ? EP_CLASS_CLEARTEXT : EP_CLASS_CLEARTEXT_HOST;
    v->peer = peer;
    v->subnet = theirs->subnet;
  } else if (transmit && dst == EP_ROLE_PEER_BACKEND) {
    v->class_ = EP_CLASS_CLEARTEXT_TRANSIT;
    v->peer = names->dst.peer;
    v->subnet = names->dst.subnet;
  } else if (src_backend || dst_backend) {
    v->class_ = EP_CLASS_OTHER; /* the other end is outside: no pair, and no tunnel of ours */
  } else {
    v->class_ = ep_judge_wrap(pkt, names, transmit, peer, &v->subnet);
    v->peer = peer;
  }
}

/* The verdict of one parsed frame, as if it had no XFRM state; v is zero before. May refine
 * pkt->outcome. */
static __always_inline void ep_judge(struct ep_packet* pkt, const struct ep_names* names,
                                     __u32 transmit, struct ep_verdict* v) {
  if (pkt->vid) {
    if (names->vlan_action == EP_VLAN_CLAIMED) v->flags |= EP_VERDICT_SKIP;
    if (names->vlan_action != EP_VLAN_OURS || pkt->second_vid) {
      v->class_ = EP_CLASS_OTHER_VLAN;
      return;
    }
  }
  if (!pkt->has_ip) {
    v->class_ = ep_judge_no_ip(pkt);
    return;
  }
  ep_judge_ends(pkt, names, transmit, v);
}

#endif /* EP_JUDGE_H */
