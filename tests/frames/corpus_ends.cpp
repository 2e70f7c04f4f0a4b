// SPDX-License-Identifier: Apache-2.0
// Corpus: who talks to whom, in both families.
#include "frames/corpus.h"

namespace espial::frames {
namespace {

using enum Class;
using enum Outcome;

void add_cleartext(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/";
  const auto from_pod = Eth{} / ip(s, s.pod2, s.self_pod);
  const auto to_pod = Eth{} / ip(s, s.self_pod, s.pod2);
  const auto clear = on(s, CLEARTEXT, 1, OK, s.subnet2);
  c.receive(at + "cleartext_udp", from_pod / Udp{} / Payload{9}, clear);
  c.receive(at + "cleartext_tcp", from_pod / Tcp{} / Payload{9}, clear);
  c.receive(at + "cleartext_tcp_options", from_pod / Tcp{.option_words = 8} / Payload{9}, clear);
  c.receive(at + "cleartext_tcp_one_option_word", from_pod / Tcp{.option_words = 1} / Payload{9},
            clear);
  c.receive(at + "cleartext_ping", from_pod / (s.v6 ? Frame(Icmp6{}) : Frame(Icmp{})), clear);
  c.receive(at + "cleartext_unknown_protocol", from_pod / Payload{1}, clear);
  c.receive(at + "cleartext_gre", from_pod / Gre{} / Ipv4{}, clear);
  c.receive(at + "cleartext_ipip", from_pod / Ipv4{}, clear);
  c.receive(at + "cleartext_udp_500", from_pod / Udp{.dport = 500}, clear);
  c.receive(at + "cleartext_udp_4500", from_pod / Udp{.dport = 4500} / Payload{30}, clear);
  c.receive(at + "cleartext_tcp_4500", from_pod / Tcp{.dport = 4500}, clear);
  c.receive(at + "cleartext_vxlan", from_pod / Udp{.dport = 4789} / Vxlan{} / Eth{} / Ipv4{},
            clear);
  c.transmit(at + "cleartext_out", to_pod / Udp{}, clear);
  c.transmit(at + "cleartext_out_node3", Eth{} / ip(s, s.self_pod, s.pod3) / Tcp{},
             on(s, CLEARTEXT, 2, OK, s.subnet3));
  c.receive(at + "cleartext_node3", Eth{} / ip(s, s.pod3, s.self_pod) / Tcp{},
            on(s, CLEARTEXT, 2, OK, s.subnet3));
  c.receive(at + "cleartext_udp_4500_short", from_pod / Udp{.dport = 4500} / Payload{3},
            on(s, CLEARTEXT, 1, SHORT_ESP, s.subnet2));
  c.receive(at + "cleartext_gre_short", from_pod / Gre{.protocol = 0x0800} / Payload{3},
            on(s, CLEARTEXT, 1, SHORT_TUNNEL, s.subnet2));
}

void add_host(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/host_";
  c.receive(at + "node_to_pod", Eth{} / ip(s, s.node2, s.self_pod) / Tcp{},
            on(s, CLEARTEXT_HOST, 1));
  c.receive(at + "pod_to_node", Eth{} / ip(s, s.pod2, s.self) / Tcp{},
            on(s, CLEARTEXT_HOST, 1, OK, s.subnet2));
  c.transmit(at + "out_to_pod", Eth{} / ip(s, s.self, s.pod2) / Udp{},
             on(s, CLEARTEXT_HOST, 1, OK, s.subnet2));
  c.transmit(at + "out_from_pod", Eth{} / ip(s, s.self_pod, s.node2) / Udp{},
             on(s, CLEARTEXT_HOST, 1));
  c.receive(at + "ike_to_a_pod", Eth{} / ip(s, s.node2, s.self_pod) / Udp{.dport = 500},
            on(s, CLEARTEXT_HOST, 1));
  c.receive(at + "tunnel_to_a_pod", Eth{} / ip(s, s.node2, s.self_pod) / Gre{} / Ipv4{},
            on(s, CLEARTEXT_HOST, 1));
  c.receive(at + "short_udp", Eth{} / ip(s, s.pod2, s.self) / Udp{.length = 8},
            on(s, CLEARTEXT_HOST, 1, OK, s.subnet2));
}

void add_transit(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/transit_";
  const auto transit = on(s, CLEARTEXT_TRANSIT, 1, OK, s.subnet2);
  c.transmit(at + "from_outside", Eth{} / ip(s, s.outside, s.pod2) / Udp{}, transit);
  c.transmit(at + "from_its_own_node", Eth{} / ip(s, s.node2, s.pod2) / Udp{}, transit);
  c.transmit(at + "from_another_peer", Eth{} / ip(s, s.pod3, s.pod2) / Udp{}, transit);
  c.transmit(at + "from_another_node", Eth{} / ip(s, s.node3, s.pod2) / Tcp{}, transit);
  c.transmit(at + "ike_ports", Eth{} / ip(s, s.outside, s.pod2) / Udp{.dport = 500}, transit);
  c.transmit(at + "gre", Eth{} / ip(s, s.outside, s.pod2) / Gre{} / clear_frame(s), transit);
  c.transmit(at + "from_a_stranger", Eth{} / ip(s, s.stranger, s.pod2) / Udp{},
             on(s, UNKNOWN_NODE));
  c.receive(at + "on_receive", Eth{} / ip(s, s.outside, s.pod2) / Udp{}, on(s, OTHER));
  c.receive(at + "outside_to_own_pod", Eth{} / ip(s, s.outside, s.self_pod) / Udp{}, on(s, OTHER));
  c.transmit(at + "own_pod_to_outside_ike",
             Eth{} / ip(s, s.self_pod, s.outside) / Udp{.dport = 500}, on(s, OTHER));
  c.transmit(at + "own_pod_to_outside", Eth{} / ip(s, s.self_pod, s.outside) / Udp{}, on(s, OTHER));
}

void add_flooded(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/flooded_";
  c.receive(at + "multicast", Eth{.dst = kGroupMac} / ip(s, s.pod2, s.group) / Udp{.dport = 5353},
            on(s, FLOODED));
  c.transmit(at + "multicast_out", Eth{.dst = kGroupMac} / ip(s, s.self_pod, s.group) / Udp{},
             on(s, FLOODED));
  c.receive(at + "multicast_unicast_mac", Eth{} / ip(s, s.node2, s.group) / Udp{}, on(s, FLOODED));
  c.receive(at + "multicast_from_stranger", Eth{} / ip(s, s.stranger, s.group) / Udp{},
            on(s, FLOODED));
  c.receive(at + "multicast_esp", Eth{} / ip(s, s.node2, s.group) / Esp{} / Payload{40},
            on(s, FLOODED));
  c.receive(at + "multicast_ah", Eth{} / ip(s, s.node2, s.group) / Ah{} / Payload{40},
            on(s, FLOODED));
  c.transmit(at + "own_pods_out", Eth{} / ip(s, s.self_pod, s.self_pod2) / Tcp{}, on(s, FLOODED));
  c.receive(at + "pods_of_a_peer", Eth{} / ip(s, s.pod2, s.pod2b) / Udp{}, on(s, FLOODED));
  c.transmit(at + "pods_of_a_peer_out", Eth{} / ip(s, s.pod2, s.pod2b) / Udp{},
             on(s, CLEARTEXT_TRANSIT, 1, OK, s.subnet2));
  c.receive(at + "pods_of_two_peers", Eth{} / ip(s, s.pod2, s.pod3) / Udp{}, on(s, OTHER));
  c.receive(at + "group_mac_to_network",
            Eth{.dst = kBroadcastMac} / ip(s, s.pod2, s.stranger) / Udp{}, on(s, FLOODED));
  c.receive(at + "group_mac_to_own_pod",
            Eth{.dst = kBroadcastMac} / ip(s, s.pod2, s.self_pod) / Udp{},
            on(s, CLEARTEXT, 1, OK, s.subnet2));
  c.receive(at + "group_mac_from_network",
            Eth{.dst = kBroadcastMac} / ip(s, s.stranger, s.self_pod) / Udp{}, on(s, UNKNOWN_NODE));
  c.receive(at + "multicast_short_udp", Eth{} / ip(s, s.node2, s.group) / Udp{.length = 8},
            on(s, FLOODED));
}

void add_strangers(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/stranger_";
  const auto unknown = on(s, UNKNOWN_NODE);
  c.receive(at + "to_own_pod", Eth{} / ip(s, s.stranger, s.self_pod) / Udp{}, unknown);
  c.transmit(at + "from_own_pod", Eth{} / ip(s, s.self_pod, s.stranger) / Tcp{}, unknown);
  c.receive(at + "to_own_node", Eth{} / ip(s, s.stranger, s.self) / Tcp{}, unknown);
  c.transmit(at + "from_own_node", Eth{} / ip(s, s.self, s.stranger) / Udp{}, unknown);
  c.receive(at + "to_outside", Eth{} / ip(s, s.stranger, s.outside) / Udp{}, unknown);
  c.receive(at + "from_peer", Eth{} / ip(s, s.node2, s.stranger) / Udp{.dport = 500}, unknown);
  c.receive(at + "ah", Eth{} / ip(s, s.stranger, s.self) / Ah{} / Udp{}, unknown);
  c.receive(at + "esp", Eth{} / ip(s, s.stranger, s.self) / Esp{} / Payload{40}, unknown);
  c.transmit(at + "esp_out", Eth{} / ip(s, s.self, s.stranger) / Esp{} / Payload{40}, unknown);
  c.receive(at + "esp_null", Eth{} / ip(s, s.stranger, s.self) / Esp{.spi = kNullSpi}, unknown);
  c.receive(at + "ah_and_esp", Eth{} / ip(s, s.stranger, s.self) / Ah{} / Esp{} / Payload{40},
            unknown);
  c.receive(at + "tunnel", Eth{} / ip(s, s.stranger, s.self) / Gre{} / clear_frame(s), unknown);
  c.receive(at + "tunnel_from_peer", Eth{} / ip(s, s.node2, s.stranger) / Gre{} / clear_frame(s),
            unknown);
  c.receive(at + "esp_in_udp", Eth{} / ip(s, s.stranger, s.self) / Udp{.dport = 4500} / Payload{40},
            unknown);
}

void add_nodes(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/nodes_";
  const auto from = Eth{} / ip(s, s.node2, s.self);
  c.receive(at + "udp", from / Udp{}, on(s, OTHER, 1));
  c.receive(at + "tcp", from / Tcp{}, on(s, OTHER, 1));
  c.receive(at + "ping", from / (s.v6 ? Frame(Icmp6{}) : Frame(Icmp{})), on(s, OTHER, 1));
  c.receive(at + "unknown_protocol", from / Payload{3}, on(s, OTHER, 1));
  c.transmit(at + "udp_out", Eth{} / ip(s, s.self, s.node3) / Udp{}, on(s, OTHER, 2));
  c.receive(at + "reverse", Eth{} / ip(s, s.self, s.node2) / Udp{}, on(s, OTHER));
  c.receive(at + "two_peers", Eth{} / ip(s, s.node2, s.node3) / Udp{}, on(s, OTHER));
  c.receive(at + "from_outside", Eth{} / ip(s, s.outside, s.self) / Tcp{}, on(s, OTHER));
  c.receive(at + "outside_only", Eth{} / ip(s, s.outside, s.outside) / Tcp{}, on(s, OTHER));
  const std::size_t header = s.v6 ? 40 : 20;
  const auto cut = [&](const char* src, std::uint8_t proto, std::size_t size) -> Frame {
    if (s.v6) return Eth{} / Ipv6{.src = src, .dst = s.self, .next_header = proto} / Payload{size};
    return Eth{} / Ipv4{.src = src, .dst = s.self, .protocol = proto} / Payload{size};
  };
  c.receive(at + "udp_7", cut(s.node2, 17, 7), on(s, MALFORMED, 1, SHORT_L4));
  c.receive(at + "udp_0", cut(s.node2, 17, 0), on(s, MALFORMED, 1, SHORT_L4));
  c.receive(at + "tcp_19", cut(s.node2, 6, 19), on(s, MALFORMED, 1, SHORT_L4));
  c.receive(at + "tcp_20", cut(s.node2, 6, 20), on(s, OTHER, 1));
  c.receive(at + "foreign_udp_7", cut(s.outside, 17, 7), on(s, MALFORMED, 0, SHORT_L4));
  c.receive(at + "pod_udp_7", cut(s.pod2, 17, 7), on(s, CLEARTEXT_HOST, 1, SHORT_L4, s.subnet2));
  c.receive(at + "cut_in_udp", (from / Udp{} / Payload{30}).truncated(14 + header + 4),
            on(s, MALFORMED, 0, BAD_LENGTH));
}

}  // namespace

void add_ends_cases(CorpusBuilder& c) {
  for (const Side* side : {&kSide4, &kSide6}) {
    add_cleartext(c, *side);
    add_host(c, *side);
    add_transit(c, *side);
    add_flooded(c, *side);
    add_strangers(c, *side);
    add_nodes(c, *side);
  }
}

}  // namespace espial::frames
