/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The order of the parser's stages (parse.h), once for the kernel and the host. Whoever includes
 * this names before it the type of the context, EP_CONTEXT, and says how a stage runs: in the
 * kernel each is a global function, verified once (espial.bpf.c); on the host it is the stage
 * (host.c).
 */
#ifndef EP_STAGES_H
#define EP_STAGES_H

#include "parse.h"

int ep_run_link(EP_CONTEXT* context, struct ep_packet* pkt, __u32 how);
int ep_run_tag(EP_CONTEXT* context, struct ep_packet* pkt, int inner);
int ep_run_ip(EP_CONTEXT* context, struct ep_packet* pkt);
/* Returns 0 while there may be more. */
int ep_run_ext(EP_CONTEXT* context, struct ep_packet* pkt, int inner);
int ep_run_l4(EP_CONTEXT* context, struct ep_packet* pkt);
int ep_run_tunnel(EP_CONTEXT* context, struct ep_packet* pkt);
int ep_run_inner_ip(EP_CONTEXT* context, struct ep_packet* pkt);
int ep_run_inside(EP_CONTEXT* context, struct ep_packet* pkt);

/* What ep_run_inside() does: the inner packet from its extension headers on. */
static __always_inline void ep_stages_inside(EP_CONTEXT* context, struct ep_packet* pkt) {
  if (pkt->inner.family == EP_FAMILY_IPV6) {
    for (int i = 0; i < EP_MAX_EXT_HEADERS && ep_is_ext_header(pkt->inner.proto); i++)
      if (ep_run_ext(context, pkt, 1)) break;
    ep_end_inner_ext(pkt);
  }
  ep_stage_inner(context, pkt);
}

/* Any packet; pkt as ep_run_link() wants it. */
static __always_inline void ep_stages(EP_CONTEXT* context, struct ep_packet* pkt, __u32 how) {
  ep_run_link(context, pkt, how);
  if (pkt->more == EP_MORE_TAG) {
    for (int i = 0; i < EP_MAX_VLAN_TAGS && pkt->more == EP_MORE_TAG; i++)
      ep_run_tag(context, pkt, 0);
    ep_end_tags(pkt, 0);
  }
  if (pkt->more == EP_MORE_IP) ep_run_ip(context, pkt);
  if (pkt->more == EP_MORE_EXT) {
    for (int i = 0; i < EP_MAX_EXT_HEADERS && ep_is_ext_header(pkt->ip.proto); i++)
      if (ep_run_ext(context, pkt, 0)) break;
    ep_end_ext(pkt);
  }
  if (pkt->more == EP_MORE_L4) ep_run_l4(context, pkt);
  if (pkt->more == EP_MORE_TUNNEL) ep_run_tunnel(context, pkt);
  if (pkt->more == EP_MORE_INNER_TAG) {
    for (int i = 0; i < EP_MAX_VLAN_TAGS && pkt->more == EP_MORE_INNER_TAG; i++)
      ep_run_tag(context, pkt, 1);
    ep_end_tags(pkt, 1);
  }
  if (pkt->more == EP_MORE_INNER_IP) ep_run_inner_ip(context, pkt);
  if (pkt->more == EP_MORE_INNER) ep_run_inside(context, pkt);
}

#endif /* EP_STAGES_H */
