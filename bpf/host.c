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
#define EP_CONTEXT const struct ep_capture
#include "stages.h"

int ep_run_link(EP_CONTEXT* capture, struct ep_packet* pkt, __u32 how) {
  ep_stage_link(capture, pkt, how);
  return 0;
}

int ep_run_tag(EP_CONTEXT* capture, struct ep_packet* pkt, int inner) {
  ep_step_tag(capture, pkt, inner);
  return 0;
}

int ep_run_ip(EP_CONTEXT* capture, struct ep_packet* pkt) {
  ep_stage_ip(capture, pkt);
  return 0;
}

int ep_run_ext(EP_CONTEXT* capture, struct ep_packet* pkt, int inner) {
  return ep_step_ext(capture, pkt, inner);
}

int ep_run_l4(EP_CONTEXT* capture, struct ep_packet* pkt) {
  ep_stage_l4(capture, pkt);
  return 0;
}

int ep_run_tunnel(EP_CONTEXT* capture, struct ep_packet* pkt) {
  ep_stage_tunnel(capture, pkt);
  return 0;
}

int ep_run_inner_ip(EP_CONTEXT* capture, struct ep_packet* pkt) {
  ep_stage_inner_ip(capture, pkt);
  return 0;
}

int ep_run_inside(EP_CONTEXT* capture, struct ep_packet* pkt) {
  ep_stages_inside(capture, pkt);
  return 0;
}

static int ep_host_knows_sa(const struct ep_host_sas* sas, const struct ep_ip* ip, __u32 spi) {
  for (__u32 i = 0; i < sas->count; i++) {
    const struct ep_sa_key* key = &sas->keys[i];
    if (key->hi == ip->dst_hi && key->lo == ip->dst_lo && key->spi == spi) return 1;
  }
  return 0;
}

struct ep_verdict ep_host_judge(const struct ep_table* table, const void* frame, __u32 captured,
                                __u32 length, __u32 how, __u16 vid, __u32 ifindex,
                                const struct ep_host_sas* sas, struct ep_packet* pkt) {
  struct ep_capture capture = {.bytes = frame, .captured = captured, .starved = &pkt->starved};
  memset(pkt, 0, sizeof(*pkt));
  pkt->left = length;
  pkt->vid = vid;
  ep_stages(&capture, pkt, how);
  struct ep_names names = {0};
  struct ep_verdict verdict = {0};
  ep_name(table, pkt, ifindex, &names);
  const struct ep_ip* esp = ep_esp_of(table, pkt);
  if (esp && sas) names.foreign_spi = !ep_host_knows_sa(sas, esp, pkt->spi);
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

struct ep_sa ep_host_sa(__u32 spi, __u32 family, const __u32 remote[4]) {
  struct ep_sa sa = {0};
  ep_read_sa(spi, family, remote, &sa);
  return sa;
}
