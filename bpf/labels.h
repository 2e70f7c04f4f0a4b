/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every enum that becomes a label, a JSON key or a column, with its one spelling.
 * Included by the BPF programs, by the kernel layer and by the model: a name that is
 * missing here does not compile anywhere.
 */
#ifndef EP_LABELS_H
#define EP_LABELS_H

/* X(NAME, "label", KIND): the class of a packet on a wire device, disjoint.
 * KIND is what the class means for coverage: ENCRYPTED, UNPROTECTED or NEUTRAL. */
#define EP_CLASS_LIST(X)                                                                          \
  X(ESP, "esp", ENCRYPTED)                               /* ESP between underlays */              \
  X(ESP_UDP, "esp_udp", ENCRYPTED)                       /* ESP in UDP port 4500 */               \
  X(ESP_TCP, "esp_tcp", ENCRYPTED)                       /* TCP port 4500 (RFC 9329) */           \
  X(ESP_NULL, "esp_null", UNPROTECTED)                   /* ESP whose SA does not encrypt */      \
  X(AH, "ah", UNPROTECTED)                               /* AH: authenticated, not encrypted */   \
  X(CLEARTEXT, "cleartext", UNPROTECTED)                 /* between backends of two nodes */      \
  X(CLEARTEXT_TUNNEL, "cleartext_tunnel", UNPROTECTED)   /* the same, in a tunnel */              \
  X(CLEARTEXT_HOST, "cleartext_host", UNPROTECTED)       /* of two nodes, one end a backend */    \
  X(CLEARTEXT_TRANSIT, "cleartext_transit", UNPROTECTED) /* to a peer's backend, not from here */ \
  X(IKE, "ike", NEUTRAL)                                 /* UDP 500, 4500 */                      \
  X(FLOODED, "flooded", NEUTRAL)                         /* groups, ARP, neighbour discovery */   \
  X(UNKNOWN_NODE, "unknown_node", NEUTRAL)               /* a backend network, no known node */   \
  X(OTHER_VLAN, "other_vlan", NEUTRAL)                   /* a VLAN that is not ours */            \
  X(TOO_DEEP, "too_deep", UNPROTECTED)                   /* not readable to its end */            \
  X(MALFORMED, "malformed", NEUTRAL)                     /* headers cut or contradictory */       \
  X(OTHER, "other", NEUTRAL)                             /* anything else */                      \
  X(CLEARTEXT_RESENT, "cleartext_resent", UNPROTECTED)   /* from a peer to us, sent out again */  \
  X(CLEARTEXT_SPOOFED, "cleartext_spoofed", UNPROTECTED) /* received under another's address */   \
  X(ESP_FOREIGN, "esp_foreign", UNPROTECTED)             /* ESP of a pair, of no SA of its own */

/* X(NAME, "label"): how far the parser came. Everything but OK and LATER_FRAGMENT is a reason
 * why the L4 header is unknown; the class may be certain all the same (addresses decide). */
#define EP_OUTCOME_LIST(X)            \
  X(OK, "ok")                         \
  X(NOT_IP, "not_ip")                 \
  X(LATER_FRAGMENT, "later_fragment") \
  X(SHORT_ETH, "short_eth")           \
  X(SHORT_VLAN, "short_vlan")         \
  X(VLAN_DEPTH, "vlan_depth")         \
  X(SHORT_IPV4, "short_ipv4")         \
  X(SHORT_IPV6, "short_ipv6")         \
  X(BAD_VERSION, "bad_version")       \
  X(BAD_IHL, "bad_ihl")               \
  X(BAD_LENGTH, "bad_length")         \
  X(SHORT_EXT, "short_ext")           \
  X(EXT_CHAIN, "ext_chain")           \
  X(SHORT_L4, "short_l4")             \
  X(SHORT_ESP, "short_esp")           \
  X(SHORT_TUNNEL, "short_tunnel")     \
  X(NESTED, "nested")

/* X(NAME, "label"): what could not be counted or told, counted as lost by the programs. */
#define EP_LOST_LIST(X)                                                               \
  X(NO_TABLE, "no_table")               /* packet seen before a peer table existed */ \
  X(NO_COUNTER, "no_counter")           /* the peer's counter slot was missing */     \
  X(FLOW_EVENT_RATE, "flow_event_rate") /* event withheld by the rate limit */        \
  X(FLOW_EVENT_FULL, "flow_event_full") /* ring buffer was full */                    \
  X(FLOW_EVICTED, "flow_evicted")       /* a flow's slot was taken over by another flow */

/* X(NAME, "label"): why a packet is dropped, or would be: the rows of enforcement. */
#define EP_REASON_LIST(X)                   \
  X(CLEARTEXT, "cleartext")                 \
  X(CLEARTEXT_TUNNEL, "cleartext_tunnel")   \
  X(CLEARTEXT_HOST, "cleartext_host")       \
  X(CLEARTEXT_TRANSIT, "cleartext_transit") \
  X(AH, "ah")                               \
  X(ESP_NULL, "esp_null")                   \
  X(SPOOFED, "spoofed")                     \
  X(UNKNOWN_NODE, "unknown_node")           \
  X(CLEARTEXT_RESENT, "cleartext_resent")   \
  X(TOO_DEEP, "too_deep")                   \
  X(ESP_FOREIGN, "esp_foreign")

/* X(NAME, "label"): why a packet of such a row passes all the same, in audit and in enforce. */
#define EP_EXEMPTION_LIST(X)                              \
  X(RULE, "rule") /* an exemption of the configuration */ \
  X(PMTU, "pmtu") /* ICMP fragmentation needed, packet too big */

/* X(NAME, "label"): what enforcement does, by strength. */
#define EP_MODE_LIST(X)                                      \
  X(MONITOR, "monitor") /* counts */                         \
  X(AUDIT, "audit")     /* counts what enforce would drop */ \
  X(ENFORCE, "enforce") /* drops it */

/* X(NAME, "label"): the netfilter hook in which a packet was dropped. Where a route with an XFRM
 * bundle or equal devices hide which of two it was, both are named. */
#define EP_HOOK_LIST(X)                                                                 \
  X(UNKNOWN, "unknown")       /* bridged by br_netfilter, or a route of another kind */ \
  X(PREROUTING, "prerouting") /* before a route is known: bridge and netdev, too */     \
  X(INPUT, "input")                                                                     \
  X(FORWARD, "forward")                                                                 \
  X(OUTPUT, "output")                                                                   \
  X(POSTROUTING, "postrouting") /* and egress of netdev */                              \
  X(FORWARD_OR_POSTROUTING, "forward_or_postrouting")                                   \
  X(OUTPUT_OR_POSTROUTING, "output_or_postrouting")

#define EP_DIRECTION_LIST(X) \
  X(RECEIVE, "receive")      \
  X(TRANSMIT, "transmit")

#define EP_FAMILY_LIST(X) \
  X(IPV4, "ipv4")         \
  X(IPV6, "ipv6")

#define EP_ENUM_COUNT_(...) +1

#endif /* EP_LABELS_H */
