/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one layout that the BPF programs and user space share: maps, table, events.
 * Fixed-width types only, padding is named, every struct's size is asserted.
 * Byte order: __be* is network order, everything else host order.
 */
#ifndef EP_WIRE_H
#define EP_WIRE_H

#include <linux/types.h>

#include "labels.h"

#ifdef __cplusplus
#define EP_STATIC_ASSERT(c, m) static_assert(c, m)
extern "C" {
#else
#define EP_STATIC_ASSERT(c, m) _Static_assert(c, m)
#endif

#define EP_X_(name, ...) EP_CLASS_##name,
enum ep_class { EP_CLASS_LIST(EP_X_) EP_CLASS_COUNT };
#undef EP_X_
#define EP_X_(name, ...) EP_OUTCOME_##name,
enum ep_outcome { EP_OUTCOME_LIST(EP_X_) EP_OUTCOME_COUNT };
#undef EP_X_
#define EP_X_(name, ...) EP_LOST_##name,
enum ep_lost { EP_LOST_LIST(EP_X_) EP_LOST_COUNT };
#undef EP_X_
#define EP_X_(name, ...) EP_REASON_##name,
enum ep_reason { EP_REASON_LIST(EP_X_) EP_REASON_COUNT };
#undef EP_X_
#define EP_X_(name, ...) EP_EXEMPTION_##name,
enum ep_exemption_kind { EP_EXEMPTION_LIST(EP_X_) EP_EXEMPTION_COUNT };
#undef EP_X_
#define EP_X_(name, ...) EP_MODE_##name,
enum ep_mode { EP_MODE_LIST(EP_X_) EP_MODE_COUNT };
#undef EP_X_
#define EP_X_(name, ...) EP_DIR_##name,
enum ep_dir { EP_DIRECTION_LIST(EP_X_) EP_DIR_COUNT };
#undef EP_X_
#define EP_X_(name, ...) EP_FAMILY_##name,
enum ep_family { EP_FAMILY_LIST(EP_X_) EP_FAMILY_COUNT };
#undef EP_X_

/* An enum ep_mode in a word. */
#define EP_MODE_BITS 2
#define EP_MODE_MASK 3u

/* The layout of the maps. Another build's counters are carried over (kernel/former_maps.h) when its
 * number is the same: so lists of labels.h and records of counters may grow at their end, where
 * struct ep_layout says how long they are, and whatever else changes below changes this number. */
#define EP_ABI_VERSION 4

/* How many classes and reasons a record of counters has room for. */
#define EP_CLASS_SLOTS 24
#define EP_REASON_SLOTS 12
EP_STATIC_ASSERT(EP_CLASS_COUNT <= EP_CLASS_SLOTS && EP_REASON_COUNT <= EP_REASON_SLOTS,
                 "every class and every reason has a counter");

/* Limits of the packet path. Each is an outcome or a refused configuration, never a surprise. */
#define EP_MAX_VLAN_TAGS 8     /* tags in the bytes, after the one in the metadata */
#define EP_MAX_EXT_HEADERS 8   /* IPv6 extension headers before the L4 header; AH is not one */
#define EP_MAX_PREFIX_LENS 8   /* distinct prefix lengths per family in one table */
#define EP_MAX_PROBE 16        /* slots a look-up visits; the table builder guarantees it */
#define EP_VLAN_SLOTS 256      /* (device, VID) pairs; power of two */
#define EP_NULL_SPI_SLOTS 1024 /* SPIs of AH and of null-encryption SAs; power of two */
#define EP_FLOW_SLOTS 512      /* per CPU; power of two */
#define EP_FLOW_WAYS 4         /* slots that one flow may take; power of two */
#define EP_EXEMPTIONS 16       /* rules of one table */
#define EP_NAME_LEN 64

/* What an address is, as one slot of the table says. A longer prefix wins. */
enum ep_role {
  EP_ROLE_NONE = 0, /* empty slot / unknown address */
  EP_ROLE_SELF_UNDERLAY = 1,
  EP_ROLE_SELF_BACKEND = 2,
  EP_ROLE_PEER_UNDERLAY = 3,
  EP_ROLE_PEER_BACKEND = 4,
  EP_ROLE_NETWORK = 5, /* in a backend network, of no known node */
};

/* The peer is configured, not only learnt: evidence against another peer may rest on it. */
#define EP_SLOT_CONFIGURED 1u
/* Of a network: the enum ep_mode that its unknown nodes are under. */
#define EP_SLOT_MODE_SHIFT 1
/* Of a backend: the node's own policies say that it arrives through another peer's tunnel. Of an
 * underlay: that its tunnels carry such. */
#define EP_SLOT_RELAYED 8u

/* One prefix: the key as packet.h says (struct ep_ip), masked to plen bits. An empty slot has role
 * EP_ROLE_NONE. */
struct ep_slot {
  __u64 hi;
  __u64 lo;
  __u8 plen;    /* bits of the key: the IPv6 length, or 64 + the IPv4 length */
  __u8 role;    /* enum ep_role */
  __u16 flags;  /* EP_SLOT_* */
  __u32 peer;   /* index into ep_peer_stat; 0 = self or nobody */
  __u32 subnet; /* index into ep_net_stat; 0 = none */
  __u32 reserved;
};
EP_STATIC_ASSERT(sizeof(struct ep_slot) == 32, "ep_slot");

/* What to do with a tagged frame of a wire device. */
enum ep_vlan_action {
  EP_VLAN_OTHER = 0,   /* not ours: class other_vlan */
  EP_VLAN_OURS = 1,    /* the node's own VLAN on a trunk port: classify */
  EP_VLAN_CLAIMED = 2, /* a VLAN device above has its own program: do not count twice */
};

struct ep_vlan_slot {
  __u32 ifindex; /* 0 = empty */
  __u16 vid;
  __u16 action; /* enum ep_vlan_action */
};
EP_STATIC_ASSERT(sizeof(struct ep_vlan_slot) == 8, "ep_vlan_slot");

/* One prefix length that occurs in a table, with the masks of the key that it stands for. */
struct ep_mask {
  __u64 hi;
  __u64 lo;
  __u32 plen; /* 0 ends the list */
  __u32 reserved;
};

/* Packets that pass although enforcement would drop them. A rule fits when its prefix contains one
 * end of the outer packet, and protocol and port, where given, are the packet's; later fragments
 * have no ports, so no rule with a port fits them. */
struct ep_exemption {
  __u64 hi; /* the prefix as a key, masked */
  __u64 lo;
  __u64 mask_hi;
  __u64 mask_lo;
  __u32 family; /* enum ep_family; EP_FAMILY_COUNT: no rule */
  __u32 port;   /* 0 = any; else the port of either end */
  __u32 proto;  /* 0 = any; after extension headers */
  __u32 reserved;
};
EP_STATIC_ASSERT(sizeof(struct ep_exemption) == 48, "ep_exemption");

/* A peer table is the single value of an inner array map and is swapped as one: this head, then
 * ep_config.slots slots, then ep_config.slots / 2 displacements (__u16). An address of one prefix
 * length can stand in exactly one slot (hash.h): user space chooses the displacements so that no
 * two entries meet, and a look-up needs no probing. */
struct ep_table_head {
  __u32 vlan_count;     /* 0: skip the VLAN look-up */
  __u32 null_spi_count; /* 0: skip the SPI look-up */
  __u32 generation;     /* grows with each swap */
  __u32 entries;        /* used slots */
  __u32 seed;           /* of all hashes */
  __u32 exemption_count;
  __u32 limits; /* what a reason never exceeds: an enum ep_mode of EP_MODE_BITS each, by reason */
  __u32 spi_proof; /* 1: ESP of a pair has to be of an SA of ep_sas */
  struct ep_exemption exemptions[EP_EXEMPTIONS];
  struct ep_mask masks[EP_FAMILY_COUNT][EP_MAX_PREFIX_LENS]; /* distinct, longest first */
  struct ep_vlan_slot vlans[EP_VLAN_SLOTS];
  __u32 null_spis[EP_NULL_SPI_SLOTS]; /* by SPI, host order; 0 = empty */
};
EP_STATIC_ASSERT(sizeof(struct ep_table_head) == 32 + 48 * EP_EXEMPTIONS + 48 * EP_MAX_PREFIX_LENS +
                                                     8 * EP_VLAN_SLOTS + 4 * EP_NULL_SPI_SLOTS,
                 "ep_table_head");

/* An SA of ESP, as the kernel finds it: by destination and SPI (RFC 4301, 4.1). The keys of ep_sas,
 * which the SA mirror (sas.bpf.c) keeps equal to the SAD. */
struct ep_sa_key {
  __u64 hi; /* as in struct ep_slot */
  __u64 lo;
  __u32 spi; /* host order; 0 with zero words: the mark that some are missing */
  __u32 reserved;
};
EP_STATIC_ASSERT(sizeof(struct ep_sa_key) == 24, "ep_sa_key");
/* CLOCK_MONOTONIC, when the SA was deleted; 0 = it is there. Of the key of zeros, which is no
 * SA: not 0 when an SA did not fit, and no SPI is foreign from then on. */
typedef __u64 ep_sa_gone_t;
/* How long after its deletion an SA's packets are still its own: they may be under way. */
#define EP_SA_GRACE_NS 30000000000ULL

/* What packets ask first: the SAs that are there, by their fingerprints (hash.h), 0 = free. One
 * that found no room is in ep_sas all the same. */
#define EP_SA_BUCKET 8
struct ep_sa_bucket {
  __u64 sas[EP_SA_BUCKET];
};

/* Read-only data of every program, frozen at load. */
struct ep_config {
  __u32 slots;                  /* of a peer table, a power of two */
  __u32 sa_buckets;             /* a power of two */
  __u32 max_peers;              /* ep_peer_stat has max_peers + 1 entries; 0 is "no peer" */
  __u32 max_subnets;            /* ep_net_stat has max_subnets + 1 entries; 0 is unused */
  __u32 flow_events_per_second; /* per CPU; 0: no events */
  __u32 have_xfrm;              /* 0: the kernel has no bpf_skb_get_xfrm_state */
  __u32 report;                 /* 1: write the verdict to skb->cb[0..3] (test runs only) */
  __u32 reserved;
};
EP_STATIC_ASSERT(sizeof(struct ep_config) == 32, "ep_config");

struct ep_cell {
  __u64 packets; /* GSO and GRO segments counted */
  __u64 bytes;   /* IP lengths, headers repeated per segment */
};

/* What enforcement did to a packet of its rows. */
enum ep_action {
  EP_ACTION_WOULD_DROP = 0, /* audit: it passed */
  EP_ACTION_DROP = 1,
  EP_ACTION_COUNT,
};

/* The policy of one peer, written as one word so that no program sees half of it: the enum ep_mode
 * in the lowest bits, and in the others a time (CLOCK_MONOTONIC, ns) from which on enforce is no
 * more than audit, whoever is alive to see it; 0 = no such time. */
typedef __u64 ep_policy_t;
#define EP_POLICY_MODE(policy) (EP_MODE_MASK & (policy))
#define EP_POLICY_DEADLINE(policy) ((policy) & ~(ep_policy_t)EP_MODE_MASK)

/* Per CPU and peer. Index 0 of the map takes what belongs to no peer. A packet that is dropped on
 * its way out was never on the wire: `enforced` counts it and no cell does. */
struct ep_peer_stat {
  struct ep_cell cell[EP_DIR_COUNT][EP_FAMILY_COUNT][EP_CLASS_SLOTS];
  struct ep_cell decrypted[EP_FAMILY_COUNT]; /* family of the inner packet */
  __u64 spoofed;                             /* of the decrypted ones */
  __u64 unattributed; /* decrypted under an SA whose remote is no known underlay */
  __u64 last_unprotected_ns[EP_DIR_COUNT]; /* CLOCK_MONOTONIC, coarse; 0 = never */
  struct ep_cell enforced[EP_ACTION_COUNT][EP_DIR_COUNT][EP_REASON_SLOTS];
  __u64 last_enforced_ns[EP_ACTION_COUNT];
  __u64 exempted[EP_DIR_COUNT][EP_EXEMPTION_COUNT]; /* packets */
};
EP_STATIC_ASSERT(sizeof(struct ep_peer_stat) ==
                     16 * 2 * 2 * EP_CLASS_SLOTS + 32 + 32 + 16 * 2 * 2 * EP_REASON_SLOTS + 16 + 32,
                 "ep_peer_stat");

/* Per CPU and peer subnet: the cleartext of one (peer, network). */
struct ep_net_stat {
  __u64 cleartext[EP_DIR_COUNT]; /* packets */
};

/* Per CPU, one element. */
struct ep_node_stat {
  __u64 outcome[EP_OUTCOME_COUNT]; /* frames, not segments; OK is not counted */
  __u64 lost[EP_LOST_COUNT];
};

/* The key of a flow; IPv4 addresses stand in the first four bytes. */
struct ep_flow_key {
  __u8 src[16];
  __u8 dst[16];
  __be16 sport; /* 0 when unknown (fragments, no ports) */
  __be16 dport;
  __u8 family; /* enum ep_family */
  __u8 proto;  /* IP protocol */
  __u8 dir;    /* enum ep_dir */
  __u8 class_; /* enum ep_class */
};
EP_STATIC_ASSERT(sizeof(struct ep_flow_key) == 40, "ep_flow_key");

/* One unprotected flow: a slot of the per-CPU flow table and, unchanged, a ring event. */
struct ep_flow {
  struct ep_flow_key key;
  __u32 peer;
  __u32 ifindex;
  __u64 packets;
  __u64 bytes;
  __u64 enforced[EP_ACTION_COUNT]; /* of the packets */
  __u64 first_ns;                  /* CLOCK_MONOTONIC, coarse */
  __u64 last_ns;
};
EP_STATIC_ASSERT(sizeof(struct ep_flow) == 96, "ep_flow");

/* Per CPU, one element: how many flow events went out in the current second. */
struct ep_limiter {
  __u64 window_ns; /* its start, CLOCK_MONOTONIC */
  __u64 used;
};

/* User space's memory, kept in a pinned map beside the counters so that identities live exactly as
 * long as what is counted against them. Programs never read it. */
struct ep_peer_meta {
  char name[EP_NAME_LEN]; /* NUL-terminated; empty = free index */
};
struct ep_net_meta {
  __u32 peer; /* 0 = free index */
  __u8 family;
  __u8 plen;
  __u16 reserved;
  __u8 addr[16];
  char network[EP_NAME_LEN];
};
EP_STATIC_ASSERT(sizeof(struct ep_net_meta) == 88, "ep_net_meta");

/* One element: what the counters beside it are, for builds whose lists are longer or shorter. */
struct ep_layout {
  __u32 abi; /* EP_ABI_VERSION */
  __u32 dirs;
  __u32 families;
  __u32 classes;
  __u32 actions;
  __u32 reasons;
  __u32 exemptions;
  __u32 outcomes;
  __u32 losts;
  __u32 carried; /* not 0: the maps ep_*_base hold counters of former maps */
};
EP_STATIC_ASSERT(sizeof(struct ep_layout) == 40, "ep_layout");

/* skb->cb[] as a reporting program (ep_config.report) leaves it. */
enum ep_report {
  EP_REPORT_CLASS = 0,
  EP_REPORT_OUTCOME = 1,
  EP_REPORT_PEER = 2,
  EP_REPORT_FLAGS = 3
};
/* EP_REPORT_FLAGS bits */
#define EP_REPORT_SEEN 1u      /* the program ran and judged */
#define EP_REPORT_DECRYPTED 2u /* XFRM state present */
#define EP_REPORT_SPOOFED 4u
#define EP_REPORT_SKIPPED 8u /* role says: counted elsewhere, or not at all */
#define EP_REPORT_DROPPED 16u
#define EP_REPORT_WOULD_DROP 32u

#ifdef __cplusplus
}
#endif
#endif /* EP_WIRE_H */
