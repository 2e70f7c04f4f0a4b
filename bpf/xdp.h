/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The XDP accelerator: drops, before an skb is made, plain cleartext that tc would drop anyway.
 * Everything else, all counting of what passes included, is left to tc. Only for native XDP on
 * ports: there every frame comes from the wire, and none was decrypted yet. Generic XDP would see
 * decrypted packets and has no XFRM state to tell them by.
 */
#ifndef EP_XDP_H
#define EP_XDP_H

#include "flood.h"

/* The IP header behind an Ethernet header and at most one VLAN tag. Returns 0 when there is none.
 */
static __always_inline int ep_find_ip_xdp(struct xdp_md* xdp, struct ep_place* place, __u32* vid) {
  const void* data = (void*)(long)xdp->data;
  const struct ethhdr* eth = data;
  const struct ep_vlan_tag* tag = (const void*)(eth + 1);
  place->end = (void*)(long)xdp->data_end;
  if ((const void*)(eth + 1) > place->end) return 0;
  __be16 type = eth->h_proto;
  place->start = eth + 1;
  place->group_mac = eth->h_dest[0] & 1;
  place->length = (__u32)bpf_xdp_get_buff_len(xdp) - sizeof(*eth);
  if (ep_is_vlan(type)) {
    if ((const void*)(tag + 1) > place->end) return 0;
    type = tag->next;
    *vid = bpf_ntohs(tag->tci) & 0xfff;
    place->start = tag + 1;
    place->length -= sizeof(*tag);
  }
  if (type != bpf_htons(ETH_P_IP) && type != bpf_htons(ETH_P_IPV6)) return 0;
  place->family = type == bpf_htons(ETH_P_IPV6);
  return 1;
}

/* Reads a plain packet that could be cleartext; pkt is zero before. Returns 0 when it is not plain,
 * or ESP. */
__noinline int ep_read_plain_xdp(struct xdp_md* xdp, struct ep_packet* pkt) {
  if (!pkt) return 0; /* verifier: pointer arguments may be NULL */
  struct ep_place place;
  struct ep_cursor l4 = {.in_place = 1};
  __u32 vid = 0;
  if (!ep_find_ip_xdp(xdp, &place, &vid)) return 0;
  if (!ep_read_ip(&place, 0, &pkt->ip, &l4.context) || pkt->ip.proto == EP_PROTO_ESP) return 0;
  l4.end = place.end;
  l4.remaining = pkt->ip.len - ep_plain_size(pkt->ip.family);
  pkt->group_mac = (__u8)place.group_mac;
  pkt->vid = (__u16)vid;
  return ep_plain_l4(&l4, pkt);
}

/* Returns 1 when there is no table, or the frame's VLAN is none of ours. */
__noinline int ep_decide_xdp(struct xdp_md* xdp, struct ep_packet* pkt, struct ep_names* names,
                             struct ep_verdict* v) {
  if (!pkt || !names || !v) return 1; /* verifier: pointer arguments may be NULL */
  const struct ep_table table = {.head = ep_current_table(), .slots = ep_config.slots};
  if (!table.head) return 1;
  ep_name(&table, pkt, xdp->ingress_ifindex, names);
  /* A VLAN that a device above watches is ours here: what is dropped never comes there. */
  if (pkt->vid && names->vlan_action == EP_VLAN_OTHER) return 1;
  pkt->vid = 0;
  ep_judge(pkt, names, 0, v);
  return 0;
}

/* Any frame. */
__noinline int ep_drop_early(struct xdp_md* xdp) {
  struct ep_packet pkt = {};
  struct ep_names names = {};
  struct ep_verdict v = {};
  const __u32 how = EP_HOW_WIRE | EP_HOW_XDP;
  if (!ep_read_plain_xdp(xdp, &pkt) || ep_decide_xdp(xdp, &pkt, &names, &v)) return XDP_PASS;
  const __u32 class_ = v.class_ & EP_CLASS_MASK;
  if (!ep_is_suspect(class_)) return XDP_PASS;
  if (ep_enforce(&pkt, &v, how, 1, pkt.ip.len) != EP_FATE_DROP) return XDP_PASS;
  const __u64 any = ((const volatile struct xdp_md*)xdp)->rx_queue_index;
  const __u64 index = ep_unknown(EP_CELL(how, pkt.ip.family & 1, class_), any);
  if (!ep_add_cell(v.peer, index, 1, pkt.ip.len)) ep_count_lost(EP_LOST_NO_COUNTER);
  ep_suspect(&pkt, &v, ep_scene(xdp->ingress_ifindex, EP_FATE_DROP, how), 1, pkt.ip.len);
  return XDP_DROP;
}

/* Frames of several buffers, too (MTU above 3,506): Linux 5.18. */
SEC("xdp.frags") int ep_xdp(struct xdp_md* xdp) {
  const int action = ep_drop_flood(xdp);
  return action == EP_UNDECIDED ? ep_drop_early(xdp) : action;
}

#endif /* EP_XDP_H */
