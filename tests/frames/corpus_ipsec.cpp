// SPDX-License-Identifier: Apache-2.0
// Corpus: ESP, AH, IKE and what UDP and TCP 4500 carry, in both families.
#include "frames/corpus.h"

namespace espial::frames {
namespace {

using enum Class;
using enum Outcome;

void add_esp(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/esp_";
  const Frame body = Esp{} / Payload{64};
  c.receive(at + "in", Eth{} / ip(s, s.node2, s.self) / body, on(s, ESP, 1));
  c.transmit(at + "out", Eth{} / ip(s, s.self, s.node2) / body, on(s, ESP, 1));
  c.transmit(at + "out_node3", Eth{} / ip(s, s.self, s.node3) / body, on(s, ESP, 2));
  c.receive(at + "wrong_direction", Eth{} / ip(s, s.self, s.node2) / body, on(s, ESP));
  c.receive(at + "from_outside", Eth{} / ip(s, s.outside, s.self) / body, on(s, ESP));
  c.receive(at + "between_peers", Eth{} / ip(s, s.node2, s.node3) / body, on(s, ESP));
  c.receive(at + "group_mac_to_network",
            Eth{.dst = kBroadcastMac} / ip(s, s.pod2, s.stranger) / body, on(s, FLOODED));
  for (const std::size_t n : {0U, 1U, 4U, 7U}) {
    c.receive(at + "cut_" + std::to_string(n),
              Eth{} / announcing(s, s.node2, s.self, 50) / Payload{n},
              on(s, MALFORMED, 1, SHORT_ESP));
    c.receive(at + "pods_cut_" + std::to_string(n),
              Eth{} / announcing(s, s.pod2, s.self_pod, 50) / Payload{n},
              on(s, CLEARTEXT, 1, SHORT_ESP, s.subnet2));
  }
  c.receive(at + "foreign_cut", Eth{} / announcing(s, s.outside, s.self, 50) / Payload{7},
            on(s, MALFORMED, 0, SHORT_ESP));
  c.receive(at + "stranger_cut", Eth{} / announcing(s, s.stranger, s.self, 50) / Payload{7},
            on(s, UNKNOWN_NODE, 0, SHORT_ESP));
  c.receive(at + "cut_8", Eth{} / announcing(s, s.node2, s.self, 50) / Payload{8},
            on(s, ESP_FOREIGN, 1));
  c.receive(at + "spi_zero", Eth{} / ip(s, s.node2, s.self) / Esp{.spi = 0}, on(s, ESP_FOREIGN, 1));
  c.receive(at + "later_fragment", Eth{} / later_fragment(s, s.node2, s.self, 50) / Payload{3},
            on(s, ESP, 1, LATER_FRAGMENT));
  c.receive(at + "later_fragment_pods",
            Eth{} / later_fragment(s, s.pod2, s.self_pod, 50) / Payload{30},
            on(s, CLEARTEXT, 1, LATER_FRAGMENT, s.subnet2));
  c.receive(at + "null", Eth{} / ip(s, s.node2, s.self) / Esp{.spi = kNullSpi} / Payload{64},
            on(s, ESP_NULL, 1));
  c.transmit(at + "null_out", Eth{} / ip(s, s.self, s.node2) / Esp{.spi = kNullSpi} / Payload{64},
             on(s, ESP_NULL, 1));
  c.receive(at + "null_from_outside", Eth{} / ip(s, s.outside, s.self) / Esp{.spi = kNullSpi},
            on(s, ESP_NULL));
  c.receive(at + "null_spi_in_a_later_fragment",
            Eth{} / later_fragment(s, s.node2, s.self, 50) / Esp{.spi = kNullSpi},
            on(s, ESP, 1, LATER_FRAGMENT));
}

void add_ah(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/ah_";
  c.receive(at + "udp", Eth{} / ip(s, s.node2, s.self) / Ah{} / Udp{}, on(s, AH, 1));
  c.transmit(at + "tunnel_mode", Eth{} / ip(s, s.self, s.node2) / Ah{} / Ipv4{} / Udp{},
             on(s, AH, 1));
  c.receive(at + "from_outside", Eth{} / ip(s, s.outside, s.self) / Ah{} / Udp{}, on(s, AH));
  c.receive(at + "esp", Eth{} / ip(s, s.node2, s.self) / Ah{} / Esp{} / Payload{64}, on(s, ESP, 1));
  c.receive(at + "esp_null",
            Eth{} / ip(s, s.node2, s.self) / Ah{} / Esp{.spi = kNullSpi} / Payload{64},
            on(s, ESP_NULL, 1));
  const Raw shortest{{50, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}};
  c.receive(at + "shortest_and_esp", Eth{} / announcing(s, s.node2, s.self, 51) / shortest / Esp{},
            on(s, ESP, 1));
  const Raw too_short{{50, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}};
  c.receive(at + "length_below_its_header",
            Eth{} / announcing(s, s.node2, s.self, 51) / too_short / Esp{}, on(s, AH, 1, SHORT_L4));
  c.receive(at + "esp_short", Eth{} / ip(s, s.node2, s.self) / Ah{.next = 50} / Payload{7},
            on(s, MALFORMED, 1, SHORT_ESP));
  c.receive(
      at + "cut_before_esp_pods",
      Eth{} / announcing(s, s.pod2, s.self_pod, 51) / Raw{{50, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}},
      on(s, CLEARTEXT, 1, SHORT_L4, s.subnet2));
  c.receive(at + "esp_short_pods", Eth{} / ip(s, s.pod2, s.self_pod) / Ah{.next = 50} / Payload{7},
            on(s, CLEARTEXT, 1, SHORT_ESP, s.subnet2));
  c.receive(at + "twice", Eth{} / ip(s, s.node2, s.self) / Ah{} / Ah{} / Esp{} / Payload{64},
            on(s, AH, 1));
  c.receive(at + "cut_11", Eth{} / announcing(s, s.node2, s.self, 51) / Payload{11},
            on(s, AH, 1, SHORT_L4));
  c.receive(at + "cut_0", Eth{} / announcing(s, s.node2, s.self, 51), on(s, AH, 1, SHORT_L4));
  c.receive(at + "cut_before_esp",
            Eth{} / announcing(s, s.node2, s.self, 51) / Raw{{50, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}},
            on(s, AH, 1, SHORT_L4));
  c.receive(at + "later_fragment", Eth{} / later_fragment(s, s.node2, s.self, 51) / Payload{40},
            on(s, AH, 1, LATER_FRAGMENT));
}

void add_ike(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/ike_";
  const auto in = Eth{} / ip(s, s.node2, s.self);
  c.receive(at + "500", in / Udp{.sport = 500, .dport = 500} / Payload{28}, on(s, IKE, 1));
  c.receive(at + "500_source_only", in / Udp{.sport = 500} / Payload{28}, on(s, IKE, 1));
  c.receive(at + "500_destination_only", in / Udp{.dport = 500}, on(s, IKE, 1));
  c.transmit(at + "500_out", Eth{} / ip(s, s.self, s.node2) / Udp{.dport = 500}, on(s, IKE, 1));
  c.receive(at + "500_from_outside", Eth{} / ip(s, s.outside, s.self) / Udp{.dport = 500},
            on(s, IKE));
  c.receive(at + "500_before_4500", in / Udp{.sport = 500, .dport = 4500}, on(s, IKE, 1));
  c.receive(at + "500_behind_vxlan", in / Udp{.sport = 500, .dport = 4789},
            on(s, MALFORMED, 1, SHORT_TUNNEL));
  c.receive(at + "500_later_fragment",
            Eth{} / later_fragment(s, s.node2, s.self, 17) / Udp{.dport = 500},
            on(s, OTHER, 1, LATER_FRAGMENT));
  c.receive(at + "501", in / Udp{.sport = 501, .dport = 499}, on(s, OTHER, 1));
}

// ESP between a pair whose SPI the node's SAD does not know for the destination.
void add_foreign(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/foreign_";
  const Frame other = Esp{.spi = 0xbad} / Payload{64};
  const Udp natt{.sport = 4500, .dport = 4500};
  const auto foreign = on(s, ESP_FOREIGN, 1);
  c.receive(at + "in", Eth{} / ip(s, s.node2, s.self) / other, foreign);
  c.transmit(at + "out", Eth{} / ip(s, s.self, s.node2) / other, foreign);
  c.transmit(at + "out_node3", Eth{} / ip(s, s.self, s.node3) / other, on(s, ESP_FOREIGN, 2));
  c.receive(at + "in_ah", Eth{} / ip(s, s.node2, s.self) / Ah{} / other, foreign);
  c.receive(at + "in_udp", Eth{} / ip(s, s.node2, s.self) / natt / other, foreign);
  c.transmit(at + "out_udp", Eth{} / ip(s, s.self, s.node2) / natt / other, foreign);
  c.receive(at + "first_fragment", Eth{} / first_fragment(s, s.node2, s.self, 50) / other, foreign);
  // Nothing says whose a later fragment is.
  c.receive(at + "later_fragment", Eth{} / later_fragment(s, s.node2, s.self, 50) / other,
            on(s, ESP, 1, LATER_FRAGMENT));
  // Without a pair it is somebody else's.
  c.receive(at + "from_outside", Eth{} / ip(s, s.outside, s.self) / other, on(s, ESP));
  c.receive(at + "between_peers", Eth{} / ip(s, s.node2, s.node3) / other, on(s, ESP));
  // In a tunnel the inner destination counts.
  const auto tunnel = Eth{} / ip(s, s.node2, s.self) / Gre{};
  c.receive(at + "in_gre", tunnel / ip(s, s.outside, s.self) / other, foreign);
  c.receive(at + "known_in_gre", tunnel / ip(s, s.outside, s.self) / Esp{} / Payload{64},
            on(s, ESP, 1));
  c.receive(at + "in_gre_elsewhere", tunnel / ip(s, s.self, s.outside) / Esp{} / Payload{64},
            foreign);
  c.receive(at + "in_gre_cut", tunnel / announcing(s, s.outside, s.self, 50) / Payload{3}, foreign);
  c.receive(at + "in_gre_later", tunnel / later_fragment(s, s.outside, s.self, 50) / Payload{30},
            on(s, ESP, 1));
}

void add_nat_traversal(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/natt_";
  const auto in = Eth{} / ip(s, s.node2, s.self);
  const auto bad = on(s, MALFORMED, 1, SHORT_ESP);
  const Udp udp{.sport = 4500, .dport = 4500};
  c.receive(at + "esp", in / udp / Esp{} / Payload{64}, on(s, ESP_UDP, 1));
  c.receive(at + "esp_source_port", in / Udp{.sport = 4500} / Esp{} / Payload{64},
            on(s, ESP_UDP, 1));
  c.receive(at + "esp_destination_port", in / Udp{.dport = 4500} / Esp{} / Payload{64},
            on(s, ESP_UDP, 1));
  c.receive(at + "esp_from_outside", Eth{} / ip(s, s.outside, s.self) / udp / Esp{} / Payload{64},
            on(s, ESP_UDP));
  c.transmit(at + "esp_out", Eth{} / ip(s, s.self, s.node3) / udp / Esp{} / Payload{64},
             on(s, ESP_UDP, 2));
  c.receive(at + "null", in / udp / Esp{.spi = kNullSpi} / Payload{64}, on(s, ESP_NULL, 1));
  c.receive(at + "pod_to_outside", Eth{} / ip(s, s.self_pod, s.outside) / udp / Esp{},
            on(s, OTHER));
  c.receive(at + "keepalive", in / udp / Raw{{0xff}}, on(s, IKE, 1));
  c.receive(at + "keepalive_padded", (in / udp / Raw{{0xff}}).padded(17), on(s, IKE, 1));
  c.receive(at + "one_other_byte", in / udp / Raw{{0xfe}}, bad);
  c.receive(at + "two_ff", in / udp / Raw{{0xff, 0xff}}, bad);
  c.receive(at + "empty", in / udp, bad);
  for (std::size_t n = 1; n <= 7; ++n) {
    const std::string size = std::to_string(n);
    c.receive(at + "spi_of_" + size, in / udp / Payload{n}, bad);
    c.receive(at + "zeros_" + size, in / udp / Payload{n, 0}, n < 4 ? bad : on(s, IKE, 1));
  }
  c.receive(at + "marker_and_ike", in / udp / Raw{{0, 0, 0, 0}} / Payload{28}, on(s, IKE, 1));
  c.receive(at + "almost_marker", in / udp / Raw{{0, 0, 0, 1}} / Payload{28},
            on(s, ESP_FOREIGN, 1));
  c.receive(at + "esp_of_8", in / udp / Payload{8}, on(s, ESP_FOREIGN, 1));
  c.receive(at + "length_says_empty", in / Udp{.dport = 4500, .length = 8} / Payload{40}, bad);
  c.receive(at + "length_says_0", in / Udp{.dport = 4500, .length = 0} / Payload{40}, bad);
  c.receive(at + "length_says_7_bytes", in / Udp{.dport = 4500, .length = 15} / Payload{40}, bad);
  c.receive(at + "length_says_one_ff", in / Udp{.dport = 4500, .length = 9} / Payload{40, 0xff},
            on(s, IKE, 1));
  c.receive(at + "length_too_long", in / Udp{.dport = 4500, .length = 65535} / Payload{40},
            on(s, ESP_FOREIGN, 1));
  c.receive(at + "length_too_long_short", in / Udp{.dport = 4500, .length = 65535} / Payload{7},
            bad);
  c.receive(at + "from_outside_short", Eth{} / ip(s, s.outside, s.self) / udp / Payload{3},
            on(s, MALFORMED, 0, SHORT_ESP));
  c.receive(at + "later_fragment",
            Eth{} / later_fragment(s, s.node2, s.self, 17) / udp / Payload{20},
            on(s, OTHER, 1, LATER_FRAGMENT));
  c.receive(at + "tcp", in / Tcp{.dport = 4500} / Payload{40}, on(s, ESP_TCP, 1));
  c.receive(at + "tcp_source_port", in / Tcp{.sport = 4500}, on(s, ESP_TCP, 1));
  c.receive(at + "tcp_from_outside", Eth{} / ip(s, s.outside, s.self) / Tcp{.dport = 4500},
            on(s, ESP_TCP));
  c.receive(at + "tcp_500", in / Tcp{.dport = 500}, on(s, OTHER, 1));
}

// What only says that it is protected, between ends that should never be seen on the wire.
void add_between_pods(CorpusBuilder& c, const Side& s, const std::string& name, const Frame& body) {
  const std::string at = std::string(s.tag) + "/" + name + "_";
  const auto between = [&](const char* src, const char* dst) {
    return Eth{} / ip(s, src, dst) / body;
  };
  c.receive(at + "pods", between(s.pod2, s.self_pod), on(s, CLEARTEXT, 1, OK, s.subnet2));
  c.transmit(at + "pods_out", between(s.self_pod, s.pod3), on(s, CLEARTEXT, 2, OK, s.subnet3));
  c.receive(at + "pod_to_node", between(s.pod2, s.self), on(s, CLEARTEXT_HOST, 1, OK, s.subnet2));
  c.receive(at + "node_to_pod", between(s.node2, s.self_pod), on(s, CLEARTEXT_HOST, 1));
  c.transmit(at + "node_to_pod_out", between(s.self, s.pod2),
             on(s, CLEARTEXT_HOST, 1, OK, s.subnet2));
  c.transmit(at + "pod_to_node_out", between(s.self_pod, s.node2), on(s, CLEARTEXT_HOST, 1));
  c.transmit(at + "transit", between(s.outside, s.pod2),
             on(s, CLEARTEXT_TRANSIT, 1, OK, s.subnet2));
  c.receive(at + "own_pods", between(s.self_pod, s.self_pod2), on(s, CLEARTEXT_SPOOFED));
  c.transmit(at + "own_pods_out", between(s.self_pod, s.self_pod2), on(s, FLOODED));
  c.receive(at + "pods_of_a_peer", between(s.pod2, s.pod2b), on(s, FLOODED));
  c.receive(at + "pods_of_two_peers", between(s.pod2, s.pod3), on(s, OTHER));
  c.receive(at + "outside_to_pod", between(s.outside, s.self_pod), on(s, OTHER));
  c.transmit(at + "pod_to_outside", between(s.self_pod, s.outside), on(s, OTHER));
  c.receive(at + "stranger_to_pod", between(s.stranger, s.self_pod), on(s, UNKNOWN_NODE));
  c.receive(at + "group", between(s.pod2, s.group), on(s, FLOODED));
}

}  // namespace

void add_ipsec_cases(CorpusBuilder& c) {
  for (const Side* side : {&kSide4, &kSide6}) {
    add_esp(c, *side);
    add_ah(c, *side);
    add_ike(c, *side);
    add_foreign(c, *side);
    add_nat_traversal(c, *side);
    add_between_pods(c, *side, "only_esp", Esp{} / Payload{40});
    add_between_pods(c, *side, "only_esp_null", Esp{.spi = kNullSpi} / Payload{40});
    add_between_pods(c, *side, "only_ah", Ah{} / Udp{});
    add_between_pods(c, *side, "only_ah_and_esp", Ah{} / Esp{} / Payload{40});
  }
}

}  // namespace espial::frames
