/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which packets enforcement is about, and how far it may go: the rows of the table in
 * tests/frames/README.md. Looks no policy up; pure, for BPF and for the host.
 */
#ifndef EP_ENFORCE_H
#define EP_ENFORCE_H

#include "judge.h"

/* Returns 0 when the verdict is no row of enforcement. */
static __always_inline int ep_reason_of(const struct ep_verdict* v, __u32* reason) {
  if (v->flags & EP_VERDICT_SKIP) return 0;
  if (v->flags & EP_VERDICT_DECRYPTED) {
    *reason = EP_REASON_SPOOFED;
    return v->flags & EP_VERDICT_SPOOFED;
  }
  switch (v->class_) {
    case EP_CLASS_CLEARTEXT:
      *reason = EP_REASON_CLEARTEXT;
      break;
    case EP_CLASS_CLEARTEXT_TUNNEL:
      *reason = EP_REASON_CLEARTEXT_TUNNEL;
      break;
    case EP_CLASS_CLEARTEXT_HOST:
      *reason = EP_REASON_CLEARTEXT_HOST;
      break;
    case EP_CLASS_CLEARTEXT_TRANSIT:
      *reason = EP_REASON_CLEARTEXT_TRANSIT;
      break;
    case EP_CLASS_AH:
      *reason = EP_REASON_AH;
      break;
    case EP_CLASS_ESP_NULL:
      *reason = EP_REASON_ESP_NULL;
      break;
    case EP_CLASS_ESP_FOREIGN:
      *reason = EP_REASON_ESP_FOREIGN;
      /* What is received the kernel drops itself: it has no SA for it. */
      return v->flags & EP_VERDICT_SENT;
    case EP_CLASS_CLEARTEXT_RESENT:
      *reason = EP_REASON_CLEARTEXT_RESENT;
      break;
    /* Of no peer, the following are under what ep_policy says of index 0. */
    case EP_CLASS_CLEARTEXT_SPOOFED:
      *reason = EP_REASON_SPOOFED;
      return 1;
    case EP_CLASS_TOO_DEEP:
      *reason = EP_REASON_TOO_DEEP;
      return 1;
    case EP_CLASS_UNKNOWN_NODE:
      *reason = EP_REASON_UNKNOWN_NODE;
      return 1; /* of no peer by its nature */
    default:
      return 0;
  }
  return v->peer != 0; /* AH and ESP between strangers are none of ours */
}

/* 0 when x is `wanted`, or nothing is wanted. */
static __always_inline __u64 ep_unlike(__u64 x, __u64 wanted) {
  return (x ^ wanted) & -ep_nonzero(wanted);
}

static __always_inline __u64 ep_outside(const struct ep_exemption* rule, __u64 hi, __u64 lo) {
  return ((hi & rule->mask_hi) ^ rule->hi) | ((lo & rule->mask_lo) ^ rule->lo);
}

static __always_inline __u64 ep_fits_exemption(const struct ep_exemption* rule,
                                               const struct ep_packet* pkt) {
  const struct ep_ip* ip = &pkt->ip;
  const __u64 packet = (rule->family ^ ip->family) | ep_unlike(ip->proto, rule->proto);
  const __u64 ports = ep_nonzero(ep_unlike(bpf_ntohs(pkt->sport), rule->port)) &
                      ep_nonzero(ep_unlike(bpf_ntohs(pkt->dport), rule->port));
  const __u64 ends = ep_nonzero(ep_outside(rule, ip->src_hi, ip->src_lo)) &
                     ep_nonzero(ep_outside(rule, ip->dst_hi, ip->dst_lo));
  return 1 ^ ep_nonzero(packet | ports | ends);
}

static __always_inline __u64 ep_is_exempt(const struct ep_table* table,
                                          const struct ep_packet* pkt) {
  if (!table->head->exemption_count || !pkt->has_ip) return 0;
  __u64 exempt = 0;
  /* verifier: unrolled, so that all rules stand at constant offsets. */
#pragma unroll
  for (__u32 i = 0; i < EP_EXEMPTIONS; i++) {
    exempt |= ep_fits_exemption(&table->head->exemptions[i], pkt);
    asm volatile("" : "+r"(exempt) : : "memory"); /* one rule in registers at a time */
  }
  return exempt;
}

/* The mode that a row comes to. `policy` is the peer's; `now` is CLOCK_MONOTONIC in ns. */
static __always_inline __u32 ep_mode_of(const struct ep_table* table, const struct ep_verdict* v,
                                        __u32 reason, ep_policy_t policy, __u64 now) {
  /* An unknown node has no policy but its network's. */
  if (reason == EP_REASON_UNKNOWN_NODE) return v->network_mode;
  const __u32 limit = table->head->limits >> reason * EP_MODE_BITS & EP_MODE_MASK;
  __u32 mode = EP_POLICY_MODE(policy);
  const __u64 deadline = EP_POLICY_DEADLINE(policy);
  if (mode == EP_MODE_ENFORCE && deadline && now >= deadline) mode = EP_MODE_AUDIT;
  return mode < limit ? mode : limit;
}

/* Path MTU discovery passes where it comes from hosts and routers on the way. */
static __always_inline int ep_is_pmtu(const struct ep_packet* pkt, __u32 reason) {
  return pkt->pmtu && (reason == EP_REASON_CLEARTEXT_HOST || reason == EP_REASON_CLEARTEXT_TRANSIT);
}

/* No rule exempts what comes under another's address. */
static __always_inline int ep_may_be_exempt(__u32 reason) { return reason != EP_REASON_SPOOFED; }

#endif /* EP_ENFORCE_H */
