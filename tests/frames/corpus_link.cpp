// SPDX-License-Identifier: Apache-2.0
// Corpus: what comes before IP.
#include "frames/corpus.h"

namespace espial::frames {
namespace {

using enum Class;
using enum Outcome;

// A cleartext packet of each family, to be wrapped.
const Frame kClearFrame4 = Ipv4{.src = kSide4.pod2, .dst = kSide4.self_pod} / Udp{} / Payload{20};
const Frame kClearFrame6 = Ipv6{.src = kSide6.pod2, .dst = kSide6.self_pod} / Udp{} / Payload{20};

void add_ethernet(CorpusBuilder& c) {
  for (std::size_t n = 1; n < 14; n += 4)
    c.receive("eth/cut_" + std::to_string(n), Frame(Eth{.type = 0x0800}).truncated(n),
              v4(MALFORMED, 0, SHORT_ETH));
  c.receive("eth/ipv4_nothing", Eth{.type = 0x0800}, v4(MALFORMED, 0, SHORT_IPV4));
  c.receive("eth/ipv6_nothing", Eth{.type = 0x86dd}, v6(MALFORMED, 0, SHORT_IPV6));
  c.receive("eth/arp_request", Eth{.dst = kBroadcastMac} / Arp{}, v4(FLOODED, 0, NOT_IP));
  c.receive("eth/arp_reply", Eth{} / Arp{.operation = 2}, v4(FLOODED, 0, NOT_IP));
  c.transmit("eth/arp_out", Eth{} / Arp{}, v4(FLOODED, 0, NOT_IP));
  c.receive("eth/arp_empty", Eth{.type = 0x0806}, v4(FLOODED, 0, NOT_IP));
  c.receive("eth/unknown_type", Eth{.type = 0x88b5} / Payload{46}, v4(OTHER, 0, NOT_IP));
  c.receive("eth/lldp", Eth{.dst = "01:80:c2:00:00:0e", .type = 0x88cc} / Payload{46},
            v4(FLOODED, 0, NOT_IP));
  c.receive("eth/stp_llc", Eth{.dst = "01:80:c2:00:00:00", .type = 38} / Payload{46},
            v4(FLOODED, 0, NOT_IP));
  c.receive("eth/llc_unicast", Eth{.type = 60} / Payload{60}, v4(OTHER, 0, NOT_IP));
  c.receive("eth/pppoe", Eth{.type = 0x8864} / Payload{40}, v4(OTHER, 0, NOT_IP));
  c.receive("eth/macsec", Eth{.type = 0x88e5} / Payload{40}, v4(OTHER, 0, NOT_IP));
  c.receive("eth/mpls_unicast", Eth{} / Mpls{} / kClearFrame4, v4(OTHER, 0, NOT_IP));
  c.receive("eth/mpls_stack", Eth{} / Mpls{.bottom = false} / Mpls{} / kClearFrame6,
            v4(OTHER, 0, NOT_IP));
  c.receive("eth/mpls_multicast_type", Eth{.type = 0x8848} / Mpls{} / kClearFrame4,
            v4(OTHER, 0, NOT_IP));
  c.receive("eth/ipv4_in_ipv6_type", Eth{.type = 0x86dd} / kClearFrame4,
            v6(MALFORMED, 0, BAD_VERSION));
  c.receive("eth/ipv6_in_ipv4_type", Eth{.type = 0x0800} / kClearFrame6,
            v4(MALFORMED, 0, BAD_VERSION));
  c.receive("eth/group_mac_unicast_ip", Eth{.dst = kBroadcastMac} / kClearFrame4,
            v4(CLEARTEXT, 1, OK, 1));
}

void add_vlan(CorpusBuilder& c) {
  const Vlan ours{.id = kOurVid}, claimed{.id = kClaimedVid}, foreign{.id = 300}, priority{.id = 0};
  const OracleVerdict clear4 = v4(CLEARTEXT, 1, OK, 1), clear6 = v6(CLEARTEXT, 1, OK, 2);
  c.receive("vlan/ours_v4", Eth{} / ours / kClearFrame4, clear4);
  c.receive("vlan/ours_v6", Eth{} / ours / kClearFrame6, clear6);
  c.receive("vlan/ours_with_priority", Eth{} / Vlan{.id = kOurVid, .priority = 7} / kClearFrame4,
            clear4);
  c.receive("vlan/ours_8021ad", Eth{} / Vlan{.id = kOurVid, .tpid = 0x88a8} / kClearFrame4, clear4);
  c.receive("vlan/ours_arp", Eth{} / ours / Arp{}, v4(FLOODED, 0, NOT_IP));
  c.receive("vlan/priority_tag", Eth{} / Vlan{.id = 0, .priority = 5} / kClearFrame4, clear4);
  c.receive("vlan/two_priority_tags", Eth{} / priority / priority / kClearFrame6, clear6);
  c.receive("vlan/priority_then_ours", Eth{} / priority / ours / kClearFrame4, clear4);
  c.receive("vlan/ours_then_priority", Eth{} / ours / priority / kClearFrame4, clear4);
  c.receive("vlan/foreign_v4", Eth{} / foreign / kClearFrame4, v4(OTHER_VLAN));
  c.receive("vlan/foreign_v6", Eth{} / foreign / kClearFrame6, v6(OTHER_VLAN));
  c.receive("vlan/foreign_arp", Eth{.dst = kBroadcastMac} / foreign / Arp{},
            v4(OTHER_VLAN, 0, NOT_IP));
  c.receive("vlan/foreign_esp",
            Eth{} / foreign / Ipv4{.src = kSide4.node2, .dst = kSide4.self} / Esp{} / Payload{64},
            v4(OTHER_VLAN));
  c.receive("vlan/vid_4095", Eth{} / Vlan{.id = 4095} / kClearFrame4, v4(OTHER_VLAN));
  c.receive("vlan/priority_then_foreign", Eth{} / priority / foreign / kClearFrame4,
            v4(OTHER_VLAN));
  c.receive("vlan/claimed", Eth{} / claimed / kClearFrame4, {.counted = false});
  c.receive("vlan/claimed_v6", Eth{} / claimed / kClearFrame6, {.counted = false});
  c.receive("vlan/claimed_then_foreign", Eth{} / claimed / foreign / kClearFrame4,
            {.counted = false});
  c.receive("vlan/qinq_ours_in_foreign",
            Eth{} / Vlan{.id = 300, .tpid = 0x88a8} / ours / kClearFrame4, v4(OTHER_VLAN));
  c.receive("vlan/qinq_foreign_in_ours",
            Eth{} / Vlan{.id = kOurVid, .tpid = 0x88a8} / foreign / kClearFrame4, v4(OTHER_VLAN));
  c.receive("vlan/qinq_ours_twice", Eth{} / ours / ours / kClearFrame6, v6(OTHER_VLAN));
  c.receive("vlan/three_tags", Eth{} / foreign / ours / ours / kClearFrame4,
            v4(OTHER_VLAN, 0, VLAN_DEPTH));
  c.receive("vlan/three_tags_claimed", Eth{} / claimed / ours / ours / kClearFrame4,
            {.counted = false});
  c.receive("vlan/third_tag_ours", Eth{} / priority / priority / ours / kClearFrame4,
            v4(TOO_DEEP, 0, VLAN_DEPTH));
  c.receive("vlan/three_tags_first_ours", Eth{} / ours / priority / priority / kClearFrame4,
            v4(TOO_DEEP, 0, VLAN_DEPTH));
  c.receive("vlan/foreign_cut", (Eth{} / foreign / foreign / kClearFrame4).truncated(19),
            v4(OTHER_VLAN, 0, SHORT_VLAN));
  c.receive("vlan/foreign_nested",
            Eth{} / foreign / ip(kSide4, kSide4.node2, kSide4.self) /
                ip(kSide4, kSide4.node2, kSide4.self) / Gre{} / Ipv4{},
            v4(OTHER_VLAN));
  c.receive("vlan/foreign_bad_ihl", Eth{} / foreign / Ipv4{.ihl = 3}, v4(OTHER_VLAN, 0, BAD_IHL));
  c.receive("vlan/three_priority_tags", Eth{} / priority / priority / priority / kClearFrame4,
            v4(TOO_DEEP, 0, VLAN_DEPTH));
  c.receive("vlan/cut_in_tag", (Eth{} / ours / kClearFrame4).truncated(16),
            v4(MALFORMED, 0, SHORT_VLAN));
  c.receive("vlan/cut_before_tag", (Eth{} / ours / kClearFrame4).truncated(14),
            v4(MALFORMED, 0, SHORT_VLAN));
  c.receive("vlan/cut_in_second_tag", (Eth{} / ours / foreign / kClearFrame4).truncated(19),
            v4(MALFORMED, 0, SHORT_VLAN));
  c.receive("vlan/cut_after_tag", (Eth{} / ours / kClearFrame4).truncated(18),
            v4(MALFORMED, 0, SHORT_IPV4));
  c.receive("vlan/8021ah_is_not_a_tag", Eth{.type = 0x88e7} / Payload{40}, v4(OTHER, 0, NOT_IP));
}

void add_metadata_vlan(CorpusBuilder& c) {
  const OracleVerdict clear4 = v4(CLEARTEXT, 1, OK, 1), clear6 = v6(CLEARTEXT, 1, OK, 2);
  const Vlan ours{.id = kOurVid}, foreign{.id = 300}, priority{.id = 0};
  c.tagged("meta_vlan/ours", kOurVid, Eth{} / kClearFrame4, clear4);
  c.tagged("meta_vlan/ours_v6_with_priority", 0xe000 | kOurVid, Eth{} / kClearFrame6, clear6);
  c.tagged("meta_vlan/priority", 0xa000, Eth{} / kClearFrame4, clear4);
  c.tagged("meta_vlan/foreign", 300, Eth{} / kClearFrame4, v4(OTHER_VLAN));
  c.tagged("meta_vlan/claimed", kClaimedVid, Eth{} / kClearFrame4, {.counted = false});
  c.tagged("meta_vlan/ours_then_foreign", kOurVid, Eth{} / foreign / kClearFrame4, v4(OTHER_VLAN));
  c.tagged("meta_vlan/ours_then_priority", kOurVid, Eth{} / priority / kClearFrame4, clear4);
  c.tagged("meta_vlan/priority_then_ours", 0xe000, Eth{} / ours / kClearFrame4, clear4);
  c.tagged("meta_vlan/foreign_then_ours", 300, Eth{} / ours / kClearFrame4, v4(OTHER_VLAN));
  c.tagged("meta_vlan/and_two_in_bytes", 300, Eth{} / ours / foreign / kClearFrame4,
           v4(OTHER_VLAN));
  c.tagged("meta_vlan/priority_and_three_in_bytes", 0xe000,
           Eth{} / priority / priority / priority / kClearFrame4, v4(TOO_DEEP, 0, VLAN_DEPTH));
  c.tagged("meta_vlan/and_three_in_bytes", 300, Eth{} / ours / ours / ours / kClearFrame4,
           v4(OTHER_VLAN, 0, VLAN_DEPTH));
}

void add_raw(CorpusBuilder& c) {
  c.receive("raw/v4", kClearFrame4, v4(CLEARTEXT, 1, OK, 1));
  c.receive("raw/v6", kClearFrame6, v6(CLEARTEXT, 1, OK, 2));
  c.transmit("raw/v4_transmit", Ipv4{.src = kSide4.self_pod, .dst = kSide4.pod2} / Udp{},
             v4(CLEARTEXT, 1, OK, 1));
  c.receive("raw/version_5", Ipv4{.version = 5}, v4(MALFORMED, 0, BAD_VERSION));
  c.receive("raw/cut_v4", kClearFrame4.truncated(19), v4(MALFORMED, 0, SHORT_IPV4));
  c.receive("raw/cut_v6", kClearFrame6.truncated(39), v6(MALFORMED, 0, SHORT_IPV6));
  c.receive("raw/network_without_mac", Ipv4{.src = kSide4.pod2, .dst = "10.101.255.255"} / Udp{},
            v4(UNKNOWN_NODE));
}

}  // namespace

void add_link_cases(CorpusBuilder& c) {
  add_ethernet(c);
  add_vlan(c);
  add_metadata_vlan(c);
  add_raw(c);
}

}  // namespace espial::frames
