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

}  // namespace

void add_fate_cases(CorpusBuilder& c) {
  add_exempt(c);
  add_path_mtu(c);
}

}  // namespace espial::frames
