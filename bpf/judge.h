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

/* verifier: questions are answered by arithmetic. A branch for each would be walked in every
 * combination with the others, which Linux 6.1 does not come to the end of without CAP_PERFMON. */
static __always_inline __u32 ep_is_one_of(__u32 value, __u32 set) {
  return set >> (value & 31) & 1;
}
static __always_inline __u32 ep_equal(__u64 a, __u64 b) { return (__u32)(1 ^ ep_nonzero(a ^ b)); }

static __always_inline __u32 ep_role_is_self(__u32 role) {
  return ep_is_one_of(role, 1 << EP_ROLE_SELF_UNDERLAY | 1 << EP_ROLE_SELF_BACKEND);
}
static __always_inline __u32 ep_role_is_peer(__u32 role) {
  return ep_is_one_of(role, 1 << EP_ROLE_PEER_UNDERLAY | 1 << EP_ROLE_PEER_BACKEND);
}
static __always_inline __u32 ep_role_is_backend(__u32 role) {
  return ep_is_one_of(role, 1 << EP_ROLE_SELF_BACKEND | 1 << EP_ROLE_PEER_BACKEND);
}
static __always_inline __u32 ep_role_is_network(__u32 role) {
  return ep_is_one_of(role, 1 << EP_ROLE_NETWORK);
}
/* A backend address, or one of a backend network. */
static __always_inline __u32 ep_role_is_inside(__u32 role) {
  return ep_is_one_of(role,
                      1 << EP_ROLE_SELF_BACKEND | 1 << EP_ROLE_PEER_BACKEND | 1 << EP_ROLE_NETWORK);
}

static __always_inline __u32 ep_is_multicast(const struct ep_ip* ip) {
  const __u32 v6 = ep_equal(ip->dst_hi >> 56, 0xff);
  const __u32 v4 = ep_equal(ip->dst_lo >> 60, 0xe) | ep_equal(ip->dst_lo >> 32, 0xffffffff);
  return ip->family & 1 ? v6 : v4;
}

/* MLD and neighbour discovery speak for a link, not for a node pair, and cannot have been routed:
 * RFC 4861 (255) and RFC 3810 (1) make receivers check the hop limit. IGMP goes to groups. */
static __always_inline __u32 ep_is_link_control(const struct ep_packet* pkt) {
  return (ep_is_discovery(pkt->icmp6_type) & ep_equal(pkt->hop_limit, 255)) |
         (ep_is_listener(pkt->icmp6_type) & ep_equal(pkt->hop_limit, 1));
}

/* Both ends in backend subnets of one peer. */
static __always_inline __u32 ep_are_of_one_peer(const struct ep_who* src,
                                                const struct ep_who* dst) {
  return ep_equal(src->role, EP_ROLE_PEER_BACKEND) & ep_equal(dst->role, EP_ROLE_PEER_BACKEND) &
         ep_equal(src->peer, dst->peer);
}

/* Does what a tunnel carries concern two nodes? `peer`: of the pair that the outer ends are. */
static __always_inline __u32 ep_tunnel_matters(const struct ep_who* src, const struct ep_who* dst,
                                               __u32 transmit, __u32 peer) {
  const __u32 inside = ep_role_is_inside(src->role) | ep_role_is_inside(dst->role);
  const __u32 own = ep_role_is_self(src->role) & ep_role_is_self(dst->role) & transmit;
  const __u32 of_one_peer =
      ep_role_is_peer(src->role) & ep_role_is_peer(dst->role) & ep_equal(src->peer, dst->peer);
  const __u32 known = (__u32)(ep_nonzero(src->role) & ep_nonzero(dst->role));
  return inside & (__u32)(ep_nonzero(peer) | (known & ~own & ~of_one_peer & 1));
}

/* A tunnel that matters. `theirs` is the peer's end inside. */
static __always_inline void ep_judge_inner_ends(const struct ep_names* names, __u32 transmit,
                                                __u32 peer, const struct ep_who* theirs,
                                                struct ep_verdict* v) {
  v->peer = peer;
  if (!transmit && ep_role_is_self(names->inner_src.role)) {
    v->class_ = EP_CLASS_CLEARTEXT_SPOOFED;
    v->peer = 0;
  } else if (ep_role_is_peer(theirs->role)) {
    /* Whoever the outer ends are: whose address is inside decides. */
    const int others = !transmit && peer && theirs == &names->inner_src && theirs->peer != peer;
    v->class_ = others ? EP_CLASS_CLEARTEXT_SPOOFED : EP_CLASS_CLEARTEXT_TUNNEL;
    v->peer = theirs->peer;
    if (!others) v->subnet = theirs->subnet;
  } else {
    v->class_ = peer ? EP_CLASS_CLEARTEXT_TUNNEL : EP_CLASS_UNKNOWN_NODE;
  }
}

/* Class of a packet in a tunnel between underlays that does not matter. */
static __always_inline __u32 ep_judge_rest_of_tunnel(struct ep_packet* pkt,
                                                     const struct ep_names* names) {
  const struct ep_ip* inner = &pkt->inner;
  const int chain_known =
      inner->outcome != EP_OUTCOME_SHORT_EXT && inner->outcome != EP_OUTCOME_EXT_CHAIN;
  if (inner->proto == EP_PROTO_ESP && chain_known)
    return names->foreign_spi ? EP_CLASS_ESP_FOREIGN : EP_CLASS_ESP;
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

/* A tunnel, whose header and addresses are read: inner packets decide. */
static __always_inline void ep_judge_tunnel(struct ep_packet* pkt, struct ep_names* names,
                                            __u32 transmit, __u32 peer, struct ep_verdict* v) {
  v->peer = peer;
  if (ep_tunnel_matters(&names->inner_src, &names->inner_dst, transmit, peer)) {
    if (transmit ? ep_role_is_peer(names->inner_dst.role) || !ep_role_is_peer(names->inner_src.role)
                 : !ep_role_is_peer(names->inner_src.role))
      ep_judge_inner_ends(names, transmit, peer, &names->inner_dst, v);
    else
      ep_judge_inner_ends(names, transmit, peer, &names->inner_src, v);
  } else if (peer) {
    v->class_ = ep_judge_rest_of_tunnel(pkt, names);
  } else if (pkt->inner.outcome == EP_OUTCOME_EXT_CHAIN) {
    pkt->outcome = EP_OUTCOME_EXT_CHAIN;
    v->class_ = EP_CLASS_TOO_DEEP;
  } else {
    v->class_ = EP_CLASS_OTHER;
  }
}

/* A tunnel, UDP or TCP header that is cut. */
static __always_inline __u32 ep_judge_broken(const struct ep_packet* pkt, __u32 peer) {
  if (pkt->outcome == EP_OUTCOME_VLAN_DEPTH) return EP_CLASS_TOO_DEEP;
  if (pkt->outcome != EP_OUTCOME_SHORT_TUNNEL) return EP_CLASS_MALFORMED;
  /* What a first fragment is too short to say it would have said. */
  if (pkt->ip.fragment == EP_FRAGMENT_FIRST)
    return peer ? EP_CLASS_CLEARTEXT_TUNNEL : EP_CLASS_TOO_DEEP;
  /* A tunnel header matters between a pair only. */
  return peer ? EP_CLASS_MALFORMED : EP_CLASS_OTHER;
}

static __always_inline int ep_is_tunnel(const struct ep_packet* pkt) {
  return pkt->wrap == EP_WRAP_TUNNEL ||
         (pkt->wrap == EP_WRAP_BROKEN &&
          (pkt->outcome == EP_OUTCOME_SHORT_TUNNEL || pkt->outcome == EP_OUTCOME_VLAN_DEPTH));
}

/* By what a packet carries, if it is a tunnel; `otherwise` if not. */
__noinline int ep_judge_carried(struct ep_packet* pkt, struct ep_names* names, __u32 transmit,
                                __u32 otherwise, struct ep_verdict* v) {
  if (!pkt || !names || !v) return 0; /* verifier: pointer arguments may be NULL */
  if (pkt->wrap == EP_WRAP_TUNNEL)
    ep_judge_tunnel(pkt, names, transmit, 0, v);
  else
    v->class_ = ep_is_tunnel(pkt) ? ep_judge_broken(pkt, 0) : EP_CLASS_OTHER;
  if (v->class_ == EP_CLASS_OTHER) v->class_ = otherwise;
  return 0;
}

/* A packet that has no backend end and is not simple (below): what its headers say. */
__noinline int ep_judge_wrap(struct ep_packet* pkt, struct ep_names* names, __u32 transmit,
                             __u32 peer, struct ep_verdict* v) {
  if (!pkt || !names || !v) return 0; /* verifier: pointer arguments may be NULL */
  v->peer = peer;
  v->class_ = EP_CLASS_OTHER;
  if (pkt->outcome == EP_OUTCOME_EXT_CHAIN) {
    v->class_ = EP_CLASS_TOO_DEEP;
    return 0;
  }
  if (pkt->outcome == EP_OUTCOME_SHORT_EXT) {
    v->class_ = EP_CLASS_MALFORMED;
    return 0;
  }
  switch (pkt->wrap) {
    case EP_WRAP_TUNNEL_FRAGMENT:
      if (peer) v->class_ = EP_CLASS_CLEARTEXT_TUNNEL;
      break;
    case EP_WRAP_TUNNEL:
      ep_judge_tunnel(pkt, names, transmit, peer, v);
      break;
    case EP_WRAP_BROKEN:
      v->class_ = ep_judge_broken(pkt, peer);
      break;
  }
  return 0;
}

/* Frames without a usable IP header. */
static __always_inline __u32 ep_judge_no_ip(const struct ep_packet* pkt) {
  if (pkt->outcome == EP_OUTCOME_VLAN_DEPTH) return EP_CLASS_TOO_DEEP;
  if (pkt->outcome != EP_OUTCOME_NOT_IP) return EP_CLASS_MALFORMED;
  return pkt->arp || pkt->group_mac ? EP_CLASS_FLOODED : EP_CLASS_OTHER;
}

/* Protocol 50 between addresses of no pod. */
static __always_inline __u32 ep_judge_esp(const struct ep_packet* pkt, const struct ep_names* names,
                                          __u32 peer) {
  if (pkt->wrap == EP_WRAP_BROKEN_ESP) return EP_CLASS_MALFORMED;
  if (names->foreign_spi && peer) return EP_CLASS_ESP_FOREIGN;
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
  const int relayed = names->src.flags & names->remote.flags & EP_SLOT_RELAYED;
  const int others = ep_role_is_peer(names->src.role) && names->src.peer != names->remote.peer &&
                     (names->remote.flags & EP_SLOT_CONFIGURED) && !relayed;
  if (others || ep_role_is_self(names->src.role)) v->flags |= EP_VERDICT_SPOOFED;
  v->peer = names->remote.peer;
}

/* Classes that XFRM state on ingress turns into `decrypted`: whatever has to do with a pair or a
 * backend network and is not itself what protects the pair: the state may be that of the packet's
 * own SA, which a NIC that decrypts attaches before the header is taken off. */
static __always_inline int ep_may_be_decrypted(const struct ep_verdict* v) {
  switch (v->class_) {
    case EP_CLASS_CLEARTEXT:
    case EP_CLASS_CLEARTEXT_TUNNEL:
    case EP_CLASS_CLEARTEXT_HOST:
    case EP_CLASS_CLEARTEXT_TRANSIT:
    case EP_CLASS_CLEARTEXT_SPOOFED:
    case EP_CLASS_UNKNOWN_NODE:
    case EP_CLASS_FLOODED:
    case EP_CLASS_TOO_DEEP:
      return 1;
    case EP_CLASS_MALFORMED:
    case EP_CLASS_OTHER:
      return v->peer != 0;
  }
  return 0;
}

/* What unknown nodes are under in the network that an address lies in. */
static __always_inline __u32 ep_mode_of_network(const struct ep_who* who) {
  return who->flags >> EP_SLOT_MODE_SHIFT & EP_MODE_MASK & -ep_role_is_network(who->role);
}

/* The strictest that an end, outer or inner, is under. */
static __always_inline __u32 ep_network_mode(const struct ep_names* names) {
  __u32 mode = ep_mode_of_network(&names->src);
  const __u32 more[] = {ep_mode_of_network(&names->dst), ep_mode_of_network(&names->inner_src),
                        ep_mode_of_network(&names->inner_dst)};
  for (int i = 0; i < 3; i++) mode = more[i] > mode ? more[i] : mode;
  return mode;
}

/* Most packets between hosts: what they are stands in their ports. Not worth a call. */
static __always_inline __u32 ep_is_simple(const struct ep_packet* pkt) {
  return ep_is_one_of(pkt->wrap, 1 << EP_WRAP_NONE | 1 << EP_WRAP_ESP_UDP | 1 << EP_WRAP_ESP_TCP |
                                     1 << EP_WRAP_IKE) &
         ~ep_is_one_of(pkt->outcome, 1 << EP_OUTCOME_EXT_CHAIN | 1 << EP_OUTCOME_SHORT_EXT);
}
static __always_inline __u32 ep_class_of_simple(const struct ep_packet* pkt,
                                                const struct ep_names* names, __u32 peer) {
  if (pkt->wrap == EP_WRAP_NONE) return EP_CLASS_OTHER;
  if (pkt->wrap == EP_WRAP_IKE) return EP_CLASS_IKE;
  if (pkt->wrap == EP_WRAP_ESP_TCP) return EP_CLASS_ESP_TCP;
  if (names->foreign_spi && peer) return EP_CLASS_ESP_FOREIGN;
  return names->null_spi ? EP_CLASS_ESP_NULL : EP_CLASS_ESP_UDP;
}

/* Class, peer and subnet by the ends. */
static __always_inline void ep_judge_ends(struct ep_packet* pkt, struct ep_names* names,
                                          __u32 transmit, struct ep_verdict* v) {
  const __u32 src = names->src.role, dst = names->dst.role;
  const struct ep_who* theirs = transmit ? &names->dst : &names->src;
  const __u32 ours = transmit ? src : dst;
  const __u32 pair = ep_role_is_self(ours) & ep_role_is_peer(theirs->role);
  const __u32 peer = theirs->peer & -pair;
  const __u32 backends = ep_role_is_backend(src) + ep_role_is_backend(dst);
  const __u32 multicast = ep_is_multicast(&pkt->ip);
  const __u32 esp = ep_is_one_of(pkt->wrap, 1 << EP_WRAP_ESP | 1 << EP_WRAP_BROKEN_ESP);
  const __u32 inside = ep_role_is_inside(src) | ep_role_is_inside(dst);
  const __u32 one_node =
      transmit ? ep_equal(src, EP_ROLE_SELF_BACKEND) & ep_equal(dst, EP_ROLE_SELF_BACKEND)
               : ep_are_of_one_peer(&names->src, &names->dst);
  const __u32 flooded =
      ep_is_link_control(pkt) | one_node | ((pkt->group_mac & 1) & ep_role_is_network(dst));
  const __u32 names_us = (transmit ^ 1) & ep_role_is_self(src) & ep_role_is_inside(dst);
  const __u32 resent = transmit & ep_role_is_peer(src) & ep_role_is_self(dst);

  if (esp & ~multicast & ~inside) {
    v->class_ = ep_judge_esp(pkt, names, peer);
    v->peer = peer;
  } else if (multicast) {
    ep_judge_carried(pkt, names, transmit, EP_CLASS_FLOODED, v);
  } else if (flooded) {
    v->class_ = EP_CLASS_FLOODED;
  } else if (names_us) {
    v->class_ = EP_CLASS_CLEARTEXT_SPOOFED;
  } else if (ep_role_is_network(src) | ep_role_is_network(dst)) {
    v->class_ = EP_CLASS_UNKNOWN_NODE;
  } else if (!backends && pkt->wrap == EP_WRAP_AH) {
    v->class_ = EP_CLASS_AH;
    v->peer = peer;
  } else if (!backends && ep_is_simple(pkt)) {
    v->class_ = ep_class_of_simple(pkt, names, peer);
    v->peer = peer;
  } else if (!backends) {
    ep_judge_wrap(pkt, names, transmit, peer, v);
  } else if (peer) {
    v->class_ = backends == 2 ? EP_CLASS_CLEARTEXT : EP_CLASS_CLEARTEXT_HOST;
    v->peer = peer;
    v->subnet = theirs->subnet;
  } else if (resent) {
    v->class_ = EP_CLASS_CLEARTEXT_RESENT;
    v->peer = names->src.peer;
    v->subnet = names->src.subnet;
  } else if (transmit && dst == EP_ROLE_PEER_BACKEND) {
    v->class_ = EP_CLASS_CLEARTEXT_TRANSIT;
    v->peer = names->dst.peer;
    v->subnet = names->dst.subnet;
  } else {
    /* The other end is outside: no pair. */
    ep_judge_carried(pkt, names, transmit, EP_CLASS_OTHER, v);
  }
  if (v->class_ == EP_CLASS_UNKNOWN_NODE) v->network_mode = (__u16)ep_network_mode(names);
}

/* The verdict of one parsed frame, as if it had no XFRM state; v is zero before. May refine
 * pkt->outcome. */
static __always_inline void ep_judge(struct ep_packet* pkt, struct ep_names* names, __u32 transmit,
                                     struct ep_verdict* v) {
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
  v->flags |= EP_VERDICT_SENT * transmit;
}

#endif /* EP_JUDGE_H */
