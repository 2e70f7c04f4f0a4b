// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "host.h"

#include <string.h>

/* The readable part of a frame: what a copying cursor reads from. */
struct ep_capture {
  const unsigned char* bytes;
  __u32 captured;
  __u8* starved;
};

static inline long ep_load_bytes(const void* context, __u32 at, void* to, __u32 size) {
  const struct ep_capture* capture = context;
  if (at > capture->captured || size > capture->captured - at) {
    *capture->starved = 1;
    return -1;
  }
  memcpy(to, capture->bytes + at, size);
  return 0;
}

#include "enforce.h"

struct ep_verdict ep_host_judge(const struct ep_table* table, const void* frame, __u32 captured,
                                __u32 length, __u32 how, __u16 vid, __u32 ifindex,
                                struct ep_packet* pkt) {
  struct ep_capture capture = {.bytes = frame, .captured = captured, .starved = &pkt->starved};
  memset(pkt, 0, sizeof(*pkt));
  pkt->left = length;
  pkt->vid = vid;
  ep_stage_ip(&capture, pkt, how);
  if (pkt->more == EP_MORE_EXT) {
    for (int i = 0; i < EP_MAX_EXT_HEADERS && ep_is_ext_header(pkt->ip.proto); i++)
      if (ep_step_ext(&capture, pkt, 0)) break;
    ep_end_ext(pkt);
  }
  if (pkt->more == EP_MORE_L4) ep_stage_l4(&capture, pkt);
  if (pkt->more == EP_MORE_TUNNEL) ep_stage_tunnel(&capture, pkt);
  if (pkt->more == EP_MORE_INNER) {
    if (pkt->inner.family == EP_FAMILY_IPV6) {
      for (int i = 0; i < EP_MAX_EXT_HEADERS && ep_is_ext_header(pkt->inner.proto); i++)
        if (ep_step_ext(&capture, pkt, 1)) break;
      ep_end_inner_ext(pkt);
    }
    ep_stage_inner(&capture, pkt);
  }
  struct ep_names names = {0};
  struct ep_verdict verdict = {0};
  ep_name(table, pkt, ifindex, &names);
  ep_judge(pkt, &names, how & EP_HOW_TRANSMIT, &verdict);
  return verdict;
}

enum ep_mode ep_host_enforce(const struct ep_table* table, const struct ep_packet* pkt,
                             const struct ep_verdict* verdict, ep_policy_t policy, __u64 now) {
  __u32 reason = 0;
  if (!ep_reason_of(verdict, &reason)) return EP_MODE_MONITOR;
  if (ep_is_pmtu(pkt, reason) || (ep_may_be_exempt(reason) && ep_is_exempt(table, pkt)))
    return EP_MODE_MONITOR;
  return (enum ep_mode)ep_mode_of(table, verdict, reason, policy, now);
}

struct ep_who ep_host_lookup(const struct ep_table* table, __u32 family, __u64 hi, __u64 lo) {
  struct ep_who who = {0};
  ep_lookup(table, family, hi, lo, &who);
  return who;
}
