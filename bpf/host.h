/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The parser and the judge, compiled for the host: the engine of `classify` without CAP_BPF, and
 * one side of the differential tests. Pure; any thread.
 */
#ifndef EP_HOST_H
#define EP_HOST_H

#include "packet.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The SAs of ESP that a table with spi_proof is used with. */
struct ep_host_sas {
  const struct ep_sa_key* keys;
  __u32 count;
};

/* Judges one frame. `frame` holds `captured` bytes, all readable; `length` (>= captured) is what
 * the wire carried. `how` is EP_HOW_TRANSMIT and EP_HOW_RAW or'ed; `vid` a VLAN ID from metadata or
 * 0. `table->head` points to a complete table block of the slot counts given; `sas` may be NULL. */
struct ep_verdict ep_host_judge(const struct ep_table* table, const void* frame, __u32 captured,
                                __u32 length, __u32 how, __u16 vid, __u32 ifindex,
                                const struct ep_host_sas* sas, struct ep_packet* pkt);

/* What enforcement does to a frame that was judged so, under its peer's policy and at a time
 * (CLOCK_MONOTONIC, ns): EP_MODE_MONITOR is nothing. */
enum ep_mode ep_host_enforce(const struct ep_table* table, const struct ep_packet* pkt,
                             const struct ep_verdict* verdict, ep_policy_t policy, __u64 now);

/* What the table says about one address, given as a key (struct ep_ip). */
struct ep_who ep_host_lookup(const struct ep_table* table, __u32 family, __u64 hi, __u64 lo);

/* The SA that the kernel says a packet came through (struct bpf_xfrm_state, in its byte order). */
struct ep_sa ep_host_sa(__u32 spi, __u32 family, const __u32 remote[4]);

#ifdef __cplusplus
}
#endif
#endif /* EP_HOST_H */
