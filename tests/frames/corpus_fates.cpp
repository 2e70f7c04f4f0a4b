// SPDX-License-Identifier: Apache-2.0
// Frames that enforcement must tell apart: exemptions, limits, path MTU discovery, fragments.
#include "frames/corpus.h"

namespace espial::frames {
namespace {

using enum Class;
using enum Outcome;

void add_exempt(CorpusBuilder& c) {
  const auto v4_from = [](const char* src) {
    return Eth{} / Ipv4{.src = src, .dst = kSide4.self_pod};
  };
  const auto clear = v4(CLEARTEXT, 1, OK, 1);
  c.receive("fate/exempt_address", v4_from("10.101.2.200") / Udp{}, clear);
  c.transmit("fate/exempt_address_out",
             Eth{} / Ipv4{.src = kSide4.self_pod, .dst = "10.101.2.200"} / Tcp{}, clear);
  c.receive("fate/next_address", v4_from("10.101.2.201") / Udp{}, clear);
  for (const auto& [name, sport, dport] :
       {std::tuple{"to", 40000, 22}, {"from", 22, 40000}, {"other", 23, 40000}}) {
    const auto source = static_cast<std::uint16_t>(sport);
    const auto target = static_cast<std::uint16_t>(dport);
    c.receive(std::string("fate/exempt_tcp_") + name,
              Eth{} / Ipv4{.src = kSide4.pod2, .dst = kSide4.self_pod} /
                  Tcp{.sport = source, .dport = target},
              clear);
    c.receive(std::string("fate/udp_is_not_tcp_") + name,
              Eth{} / Ipv4{.src = kSide4.pod2, .dst = kSide4.self_pod} /
                  Udp{.sport = source, .dport = target},
              clear);
  }
  // A rule with a port does not fit what has none.
  c.receive(
      "fate/exempt_tcp_later_fragment",
      Eth{} / Ipv4{.src = kSide4.pod2, .dst = kSide4.self_pod, .protocol = 6, .frag_offset = 100} /
          Payload{40},
      v4(CLEARTEXT, 1, LATER_FRAGMENT, 1));
  c.receive("fate/exempt_dns",
            Eth{} / Ipv6{.src = kSide6.pod2, .dst = kSide6.self_pod} / Udp{.dport = 53},
            v6(CLEARTEXT, 1, OK, 2));
  c.receive("fate/exempt_unknown_node",
            Eth{} / Ipv6{.src = kSide6.stranger, .dst = kSide6.self_pod} / Icmp6{.type = 128},
            v6(UNKNOWN_NODE));
}

void add_path_mtu(CorpusBuilder& c) {
  const auto icmp = [](const char* src, std::uint8_t type, std::uint8_t code) {
    return Eth{} / Ipv4{.src = src, .dst = kSide4.self_pod} / Icmp{.type = type, .code = code};
  };
  const auto host = v4(CLEARTEXT_HOST, 1);
  c.receive("fate/fragmentation_needed", icmp(kSide4.node2, 3, 4), host);
  c.receive("fate/port_unreachable", icmp(kSide4.node2, 3, 3), host);
  c.receive("fate/redirect", icmp(kSide4.node2, 5, 4), host);
  c.receive("fate/fragmentation_needed_from_pod", icmp(kSide4.pod2, 3, 4), v4(CLEARTEXT, 1, OK, 1));
  c.transmit("fate/fragmentation_needed_in_transit",
             Eth{} / Ipv4{.src = kSide4.outside, .dst = kSide4.pod2} / Icmp{.type = 3, .code = 4},
             v4(CLEARTEXT_TRANSIT, 1, OK, 1));
  c.receive("fate/packet_too_big",
            Eth{} / Ipv6{.src = kSide6.node2, .dst = kSide6.self_pod} / Icmp6{.type = 2},
            v6(CLEARTEXT_HOST, 1));
  c.receive("fate/parameter_problem",
            Eth{} / Ipv6{.src = kSide6.node2, .dst = kSide6.self_pod} / Icmp6{.type = 4},
            v6(CLEARTEXT_HOST, 1));
}

// What goes the wrong way, what cannot be read, what has no peer: by the strictest policy.
void add_rows(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string("fate/") + s.tag + "_";
  const auto nested = [&](const char* node, const Udp& udp) {
    return Eth{} / ip(s, node, s.self) / udp / Vxlan{} / Eth{} / ip(s, node, s.self) / Gre{} /
           clear_frame(s);
  };
  const auto in = [&](const char* src, const Frame& inner) {
    return Eth{} / ip(s, src, s.self) / Gre{} / inner / Udp{};
  };
  const Udp vxlan{.dport = 4789}, bgp{.sport = 179, .dport = 4789};
  c.receive(at + "spoofed", Eth{} / ip(s, s.self_pod, s.pod3) / Udp{}, on(s, CLEARTEXT_SPOOFED));
  c.receive(at + "spoofed_of_node3", in(s.node2, ip(s, s.pod3, s.self_pod)),
            on(s, CLEARTEXT_SPOOFED, 2));
  c.receive(at + "spoofed_of_node2", in(s.node3, ip(s, s.pod2, s.self_pod)),
            on(s, CLEARTEXT_SPOOFED, 1));
  c.transmit(at + "resent", Eth{} / ip(s, s.pod2, s.self_pod) / Udp{},
             on(s, CLEARTEXT_RESENT, 1, OK, s.subnet2));
  c.transmit(at + "resent_node3", Eth{} / ip(s, s.pod3, s.self_pod) / Udp{},
             on(s, CLEARTEXT_RESENT, 2, OK, s.subnet3));
  c.receive(at + "too_deep", nested(s.node2, vxlan), on(s, TOO_DEEP, 1, NESTED));
  c.receive(at + "too_deep_node3", nested(s.node3, vxlan), on(s, TOO_DEEP, 2, NESTED));
  c.receive(at + "too_deep_port_179", nested(s.node3, bgp), on(s, TOO_DEEP, 2, NESTED));
  c.receive(at + "too_deep_of_nobody",
            Eth{} / first_fragment(s, s.outside, s.self, 47) / Payload{3, 0},
            on(s, TOO_DEEP, 0, SHORT_TUNNEL));
  c.receive(at + "tunnel_of_nobody", in(s.outside, ip(s, s.pod2, s.self_pod)),
            on(s, CLEARTEXT_TUNNEL, 1, OK, s.subnet2));
  c.receive(at + "tunnel_of_nobody_node3", in(s.outside, ip(s, s.pod3, s.self_pod)),
            on(s, CLEARTEXT_TUNNEL, 2, OK, s.subnet3));
  c.receive(at + "esp_null_of_nobody", Eth{} / ip(s, s.outside, s.self) / Esp{.spi = kNullSpi},
            on(s, ESP_NULL));
  // The stricter of all networks: IPv4's is under enforce, IPv6's under audit.
  for (const Side* inner : {&kSide4, &kSide6}) {
    const std::string end = std::string("_in_") + inner->tag;
    const Frame unknown = ip(*inner, inner->stranger, inner->self_pod);
    c.receive(at + "unknown" + end, in(s.outside, unknown), on(s, UNKNOWN_NODE));
    c.receive(at + "unknown_around" + end, in(s.stranger, unknown), on(s, UNKNOWN_NODE));
  }
}

void add_rules(CorpusBuilder& c) {
  const char* exempt = "10.101.2.200";
  const auto between = [](const char* src, const char* dst) {
    return Eth{} / Ipv4{.src = src, .dst = dst};
  };
  c.receive("fate/spoofed_is_never_exempt", between(kSide4.self_pod, exempt) / Udp{},
            v4(CLEARTEXT_SPOOFED));
  c.transmit("fate/resent_exempt", between(exempt, kSide4.self_pod) / Udp{},
             v4(CLEARTEXT_RESENT, 1, OK, 1));
  c.transmit("fate/resent_fragmentation_needed",
             between(kSide4.node2, kSide4.self_pod) / Icmp{.type = 3, .code = 4},
             v4(CLEARTEXT_RESENT, 1));
  // Rules are of the outer packet.
  c.receive(
      "fate/exempt_address_in_a_tunnel",
      between(kSide4.node2, kSide4.self) / Ipv4{.src = exempt, .dst = kSide4.self_pod} / Udp{},
      v4(CLEARTEXT_TUNNEL, 1, OK, 1));
  c.receive("fate/unknown_node_exempt", between(kSide4.stranger, exempt) / Udp{}, v4(UNKNOWN_NODE));
  c.receive("fate/too_many_tags", Eth{} / times(9, Vlan{.id = 0}) / clear_frame(kSide4),
            v4(TOO_DEEP, 0, VLAN_DEPTH));
  c.receive("fate/too_many_tags_in_another_vlan",
            Eth{} / Vlan{.id = 300} / times(8, Vlan{.id = 0}) / clear_frame(kSide4),
            v4(OTHER_VLAN, 0, VLAN_DEPTH));
}

}  // namespace

void add_fate_cases(CorpusBuilder& c) {
  add_exempt(c);
  add_path_mtu(c);
  for (const Side* side : {&kSide4, &kSide6}) add_rows(c, *side);
  add_rules(c);
}

}  // namespace espial::frames
