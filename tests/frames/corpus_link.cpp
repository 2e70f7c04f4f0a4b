// SPDX-License-Identifier: Apache-2.0
// Corpus: what comes before IP.
#include "frames/corpus.h"

namespace espial::frames {
namespace {

using enum Class;
using enum Outcome;

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
  c.receive("eth/mpls_unicast", Eth{} / Mpls{} / clear_frame(kSide4), v4(OTHER, 0, NOT_IP));
  c.receive("eth/mpls_stack", Eth{} / Mpls{.bottom = false} / Mpls{} / clear_frame(kSide6),
            v4(OTHER, 0, NOT_IP));
  c.receive("eth/mpls_multicast_type", Eth{.type = 0x8848} / Mpls{} / clear_frame(kSide4),
            v4(OTHER, 0, NOT_IP));
  c.receive("eth/ipv4_in_ipv6_type", Eth{.type = 0x86dd} / clear_frame(kSide4),
            v6(MALFORMED, 0, BAD_VERSION));
  c.receive("eth/ipv6_in_ipv4_type", Eth{.type = 0x0800} / clear_frame(kSide6),
            v4(MALFORMED, 0, BAD_VERSION));
  c.receive("eth/group_mac_unicast_ip", Eth{.dst = kBroadcastMac} / clear_frame(kSide4),
            v4(CLEARTEXT, 1, OK, 1));
}

void add_raw(CorpusBuilder& c) {
  c.receive("raw/v4", clear_frame(kSide4), v4(CLEARTEXT, 1, OK, 1));
  c.receive("raw/v6", clear_frame(kSide6), v6(CLEARTEXT, 1, OK, 2));
  c.transmit("raw/v4_transmit", Ipv4{.src = kSide4.self_pod, .dst = kSide4.pod2} / Udp{},
             v4(CLEARTEXT, 1, OK, 1));
  c.receive("raw/version_5", Ipv4{.version = 5}, v4(MALFORMED, 0, BAD_VERSION));
  c.receive("raw/cut_v4", clear_frame(kSide4).truncated(19), v4(MALFORMED, 0, SHORT_IPV4));
  c.receive("raw/cut_v6", clear_frame(kSide6).truncated(39), v6(MALFORMED, 0, SHORT_IPV6));
  c.receive("raw/network_without_mac", Ipv4{.src = kSide4.pod2, .dst = "10.101.255.255"} / Udp{},
            v4(UNKNOWN_NODE));
}

}  // namespace

void add_link_cases(CorpusBuilder& c) {
  add_ethernet(c);
  add_raw(c);
}

}  // namespace espial::frames
