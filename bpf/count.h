/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting and enforcing: what every program does with a verdict. Knows neither skb nor XDP frame.
 */
#ifndef EP_COUNT_H
#define EP_COUNT_H

#include "enforce.h"
#include "maps.h"

static __always_inline __u32 ep_hash_flow(const struct ep_flow_key* key) {
  const __u64* words = (const __u64*)key;
  __u64 hash = 0;
  for (int i = 0; i < (int)(sizeof(*key) / 8); i++) {
    hash = (hash ^ words[i]) * EP_HASH_MULTIPLIER;
    hash ^= hash >> 29;
  }
  return (__u32)(hash >> 32);
}

/* 0 when the keys are equal. */
static __always_inline __u64 ep_differ(const struct ep_flow_key* a, const struct ep_flow_key* b) {
  const __u64 *x = (const __u64*)a, *y = (const __u64*)b;
  __u64 differ = 0;
  for (int i = 0; i < (int)(sizeof(*a) / 8); i++) differ |= x[i] ^ y[i];
  return differ;
}

/* IPv4 stands in the upper half of lo (packet.h), so in the first four bytes.
 * verifier: masks, because two branches a packet are four times the paths. */
static __always_inline void ep_store_address(__u8* to, __u32 family, __u64 hi, __u64 lo) {
  const __u64 v6 = -(__u64)(family & 1);
  __u64* words = (__u64*)to;
  words[0] = bpf_cpu_to_be64((hi & v6) | (lo & ~v6));
  words[1] = bpf_cpu_to_be64(lo & v6);
}
EP_STATIC_ASSERT(EP_FAMILY_IPV4 == 0 && EP_FAMILY_IPV6 == 1, "the family is a bit");

/* A new flow: one event, unless this second's share is used up. */
static __always_inline void ep_send_event(const struct ep_flow* flow, __u64 now) {
  struct ep_limiter* limiter = ep_element(&ep_limiter, 0);
  if (!limiter) return;
  if (now - limiter->window_ns >= 1000000000ULL) {
    limiter->window_ns = now;
    limiter->used = 0;
  }
  if (limiter->used >= ep_config.flow_events_per_second) {
    ep_count_lost(EP_LOST_FLOW_EVENT_RATE);
    return;
  }
  limiter->used++;
  if (bpf_ringbuf_output(&ep_events, (void*)flow, sizeof(*flow), 0))
    ep_count_lost(EP_LOST_FLOW_EVENT_FULL);
}

/* What became of a packet. */
#define EP_FATE_PASS 0u
#define EP_FATE_WOULD_DROP 1u
#define EP_FATE_DROP 2u
EP_STATIC_ASSERT(EP_FATE_WOULD_DROP == 1 && EP_FATE_DROP == 2, "each is a bit");
EP_STATIC_ASSERT(EP_FATE_WOULD_DROP - 1 == EP_ACTION_WOULD_DROP &&
                     EP_FATE_DROP - 1 == EP_ACTION_DROP,
                 "a fate is an action and one");

/* An unprotected packet, or GSO packet, on its way into the flow table. */
struct ep_sighting {
  struct ep_flow_key key;
  struct ep_cell size;
  __u64 now;
  __u32 fate;
};

static __always_inline void ep_add_sighting(struct ep_flow* flow, const struct ep_sighting* seen) {
  flow->packets += seen->size.packets;
  flow->bytes += seen->size.bytes;
  /* verifier: two stores at constant offsets; branches would become one at a chosen offset. */
  flow->enforced[EP_ACTION_WOULD_DROP] += seen->size.packets * (seen->fate & 1);
  flow->enforced[EP_ACTION_DROP] += seen->size.packets * (seen->fate >> 1);
  flow->last_ns = seen->now;
}

/* The slot of a flow among the few that its hash allows: its own, a free one, or another's. */
static __always_inline struct ep_flow* ep_flow_slot(const struct ep_sighting* seen) {
  const __u32 first = ep_hash_flow(&seen->key) & (EP_FLOW_SLOTS - 1) & ~(EP_FLOW_WAYS - 1);
  /* verifier: unrolled; Linux 6.1 takes two rounds that look alike for an endless loop. */
#pragma unroll
  for (__u32 way = 0; way < EP_FLOW_WAYS; way++) {
    struct ep_flow* flow = ep_element(&ep_flows, first + way);
    if (!flow) return NULL;
    if (!(ep_nonzero(flow->packets) & ep_nonzero(ep_differ(&flow->key, &seen->key)))) return flow;
  }
  /* Whose turn it is to go says the clock. */
  struct ep_flow* flow = ep_element(&ep_flows, first + (seen->now >> 24 & (EP_FLOW_WAYS - 1)));
  if (!flow) return NULL;
  ep_count_lost(EP_LOST_FLOW_EVICTED);
  flow->packets = 0;
  return flow;
}

/* Remembers a flow; the first packet is an event. */
static __always_inline void ep_note_flow(const struct ep_sighting* seen, __u32 peer,
                                         __u32 ifindex) {
  struct ep_flow* flow = ep_flow_slot(seen);
  if (!flow) return;
  if (flow->packets) {
    ep_add_sighting(flow, seen);
    return;
  }
  __builtin_memset(flow, 0, sizeof(*flow));
  flow->key = seen->key;
  flow->peer = peer;
  flow->ifindex = ifindex;
  flow->first_ns = seen->now;
  ep_add_sighting(flow, seen);
  if (ep_config.flow_events_per_second) ep_send_event(flow, seen->now);
}

/* When and in which network the last unprotected packet passed. */
static __always_inline void ep_date_unprotected(const struct ep_sighting* seen,
                                                const struct ep_verdict* v) {
  const __u32 peer = v->peer, subnet = v->subnet;
  const __u32 dir = seen->key.dir & (EP_DIR_COUNT - 1);
  struct ep_peer_stat* stat = ep_element(&ep_peer_stat, peer);
  if (stat) stat->last_unprotected_ns[dir] = seen->now;
  if (!subnet) return;
  struct ep_net_stat* net = ep_element(&ep_net_stat, subnet);
  if (net) net->cleartext[dir] += seen->size.packets;
}

EP_STATIC_ASSERT(EP_HOW_TRANSMIT == EP_DIR_TRANSMIT, "the direction is the lowest bit of how");
/* verifier: what a class can be, at most. */
#define EP_CLASS_MASK 31
EP_STATIC_ASSERT(EP_CLASS_COUNT <= EP_CLASS_MASK + 1, "the mask holds every class");

#define EP_DIR(how) (EP_HOW_TRANSMIT & (how))
/* The index of a cell among those of a peer. */
#define EP_CELL(how, family, class_) \
  ((EP_DIR(how) * EP_FAMILY_COUNT + (family)) * EP_CLASS_SLOTS + (class_))
#define EP_CELLS (EP_DIR_COUNT * EP_FAMILY_COUNT * EP_CLASS_SLOTS)

/* Counts in one cell of a peer. Returns 0 when the peer has no counters.
 * verifier: an index that is a constant on one path and another constant on the next is refused
 * without CAP_PERFMON: see ep_unknown. */
static __always_inline int ep_add_cell(__u32 peer, __u64 index, __u64 packets, __u64 bytes) {
  struct ep_peer_stat* stat = ep_element(&ep_peer_stat, peer);
  if (!stat || index >= EP_CELLS) return 0;
  struct ep_cell* cell = &stat->cell[0][0][0] + index;
  cell->packets += packets;
  cell->bytes += bytes;
  return 1;
}

__noinline int ep_add_decrypted(__u32 peer, __u32 family, __u32 flags, __u64 packets, __u64 bytes) {
  struct ep_peer_stat* stat = ep_element(&ep_peer_stat, peer);
  if (!stat) {
    ep_count_lost(EP_LOST_NO_COUNTER);
    return 0;
  }
  struct ep_cell* cell = &stat->decrypted[family & (EP_FAMILY_COUNT - 1)];
  cell->packets += packets;
  cell->bytes += bytes;
  if (flags & EP_VERDICT_SPOOFED) stat->spoofed += packets;
  if (flags & EP_VERDICT_UNATTRIBUTED) stat->unattributed += packets;
  return 1;
}

/* The last eight bytes of a flow's key as one word.
 * verifier: without CAP_PERFMON, Linux 6.1 refuses a small store into a word of the stack after one
 * to its start. */
static __always_inline __u64 ep_flow_kind(const struct ep_packet* pkt, const struct ep_verdict* v,
                                          __u32 how) {
  const __u64 ports = (__u64)bpf_ntohs(pkt->sport) << 48 | (__u64)bpf_ntohs(pkt->dport) << 32;
  return bpf_cpu_to_be64(ports | (__u64)pkt->ip.family << 24 | pkt->ip.proto << 16 |
                         EP_DIR(how) << 8 | (v->class_ & 0xff));
}

#define EP_ROWS (EP_DIR_COUNT * EP_REASON_SLOTS)

static __always_inline void ep_count_enforced(__u32 peer, __u32 action, __u32 row,
                                              const struct ep_cell* size) {
  struct ep_peer_stat* stat = ep_element(&ep_peer_stat, peer);
  if (!stat) {
    ep_count_lost(EP_LOST_NO_COUNTER);
    return;
  }
  const __u64 index = ep_unknown(action * EP_ROWS + row, size->packets);
  if (index >= EP_ACTION_COUNT * EP_ROWS) return;
  struct ep_cell* cell = &stat->enforced[0][0][0] + index;
  cell->packets += size->packets;
  cell->bytes += size->bytes;
  const __u64 slot = ep_unknown(action, size->packets) & (EP_ACTION_COUNT - 1);
  stat->last_enforced_ns[slot] = bpf_ktime_get_coarse_ns();
}

static __always_inline void ep_count_exempted(__u32 peer, __u32 index, __u64 packets) {
  struct ep_peer_stat* stat = ep_element(&ep_peer_stat, peer);
  if (!stat) return;
  const __u64 at = ep_unknown(index, packets) & (EP_DIR_COUNT * EP_EXEMPTION_COUNT - 1);
  (&stat->exempted[0][0])[at] += packets;
}

/* The table may be the next one already: rules do not depend on who is who. */
__noinline int ep_exempts(struct ep_packet* pkt) {
  const struct ep_table table = {.head = ep_current_table(), .slots = ep_config.slots};
  return pkt && table.head ? (int)ep_is_exempt(&table, pkt) : 0;
}

/* The mode that a row comes to; EP_MODE_MONITOR without table or policy. */
__noinline int ep_rule_on(struct ep_verdict* v, __u32 reason) {
  if (!v) return EP_MODE_MONITOR; /* verifier: pointer arguments may be NULL */
  const __u32 peer = v->peer;
  const ep_policy_t* policy = ep_element(&ep_policy, peer);
  const struct ep_table table = {.head = ep_current_table(), .slots = ep_config.slots};
  if (!policy || !table.head) return EP_MODE_MONITOR;
  const ep_policy_t word = *(const volatile ep_policy_t*)policy;
  const __u64 now = EP_POLICY_DEADLINE(word) ? bpf_ktime_get_coarse_ns() : 0;
  return (int)ep_mode_of(&table, v, reason, word, now);
}

/* The fate of a packet, counted if it is one of enforcement's rows. */
__noinline int ep_enforce(struct ep_packet* pkt, struct ep_verdict* v, __u32 how, __u64 packets,
                          __u64 bytes) {
  if (!pkt || !v) return EP_FATE_PASS; /* verifier: pointer arguments may be NULL */
  __u32 reason = 0;
  if (!ep_reason_of(v, &reason)) return EP_FATE_PASS;
  const int mode = ep_rule_on(v, reason);
  if (mode == EP_MODE_MONITOR) return EP_FATE_PASS;
  const __u32 peer = v->peer, dir = EP_DIR(how);
  const int pmtu = ep_is_pmtu(pkt, reason);
  const int exempt = pmtu || (ep_may_be_exempt(reason) && ep_exempts(pkt));
  /* What XDP does not drop comes to tc, which counts it. */
  if (how & EP_HOW_XDP && (exempt || mode != EP_MODE_ENFORCE)) return EP_FATE_PASS;
  if (exempt) {
    const __u32 kind = pmtu ? EP_EXEMPTION_PMTU : EP_EXEMPTION_RULE;
    ep_count_exempted(peer, dir * EP_EXEMPTION_COUNT + kind, packets);
    return EP_FATE_PASS;
  }
  const struct ep_cell size = {.packets = packets, .bytes = bytes};
  const __u32 action = mode == EP_MODE_ENFORCE ? EP_ACTION_DROP : EP_ACTION_WOULD_DROP;
  ep_count_enforced(peer, action, dir * EP_REASON_SLOTS + reason, &size);
  return (int)(action + 1);
}

/* Where a packet was seen and what became of it, as one argument. */
static __always_inline __u64 ep_scene(__u32 ifindex, __u32 fate, __u32 how) {
  return (__u64)ifindex << 32 | fate << 8 | how;
}

/* Notes an unprotected packet, or one of an unknown node, and its fate. */
__noinline int ep_suspect(struct ep_packet* pkt, struct ep_verdict* v, __u64 scene, __u64 packets,
                          __u64 bytes) {
  if (!pkt || !v) return 0; /* verifier: pointer arguments may be NULL */
  const __u32 how = scene & 0xff;
  struct ep_sighting seen = {.size = {.packets = packets, .bytes = bytes},
                             .fate = (__u32)scene >> 8};
  ep_store_address(seen.key.src, pkt->ip.family, pkt->ip.src_hi, pkt->ip.src_lo);
  ep_store_address(seen.key.dst, pkt->ip.family, pkt->ip.dst_hi, pkt->ip.dst_lo);
  *(__u64*)&seen.key.sport = ep_flow_kind(pkt, v, how);
  seen.now = bpf_ktime_get_coarse_ns();
  const int on_wire = !(how & EP_HOW_TRANSMIT && seen.fate == EP_FATE_DROP);
  if (v->class_ != EP_CLASS_UNKNOWN_NODE && on_wire) ep_date_unprotected(&seen, v);
  ep_note_flow(&seen, v->peer, (__u32)(scene >> 32));
  return 0;
}

/* Is a packet of this class one that enforcement or the flow table may ask about? */
static __always_inline int ep_is_suspect(__u32 class_) {
  return (EP_UNPROTECTED_CLASSES | 1 << EP_CLASS_UNKNOWN_NODE) >> class_ & 1;
}

#endif /* EP_COUNT_H */
