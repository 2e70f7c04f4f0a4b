// SPDX-License-Identifier: Apache-2.0
// Corpus: tunnels that are fragmented: what a first fragment shows of them.
#include "frames/corpus.h"

namespace espial::frames {
namespace {

using enum Class;
using enum Outcome;

// First fragments too short for the headers of the tunnel: what they carry stays unknown.
void add_cut_fragments(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/tunnel_fragment_";
  struct Tunnel {
    const char* name;
    std::uint8_t protocol;
    Frame rest;
    std::size_t headers;  // up to the end of the inner addresses
  };
  const Frame in4 = clear_frame(kSide4) / Payload{60}, in6 = clear_frame(kSide6) / Payload{60};
  const auto udp = [](std::uint16_t port) { return Udp{.dport = port}; };
  const Tunnel tunnels[] = {
      {"ipip", 4, in4, 20},
      {"ipip_options", 4, Ipv4{.src = kSide4.pod2, .dst = kSide4.self_pod, .ihl = 8} / Payload{60},
       32},
      {"sit", 41, in6, 40},
      {"gre", 47, Gre{} / in4, 24},
      {"gre_all", 47, Gre{.checksum = true, .key = true, .sequence = true} / in4, 36},
      {"gre_eth", 47, Gre{} / Eth{} / in4, 38},
      {"wccp", 47, Gre{} / Wccp{} / in4, 28},
      {"erspan", 47, Gre{.sequence = true} / Erspan{} / Eth{} / in4, 50},
      {"vxlan", 17, udp(4789) / Vxlan{} / Eth{} / in4, 50},
      {"gpe", 17, udp(4790) / Gpe{} / in4, 36},
      {"geneve", 17, udp(6081) / Geneve{} / in4, 36},
      {"geneve_options", 17, udp(6081) / Geneve{.option_words = 3} / in6, 68},
  };
  for (const Tunnel& tunnel : tunnels) {
    for (const std::size_t size : {8U, 16U, 24U, 40U}) {
      const std::string name = at + tunnel.name + "_cut_at_" + std::to_string(size);
      const bool cut = size < tunnel.headers;
      const Raw body{tunnel.rest.truncated(size).bytes()};
      const auto first = [&](const char* src, const char* dst) {
        return Eth{} / first_fragment(s, src, dst, tunnel.protocol) / body;
      };
      const bool v6_inside = tunnel.protocol == 41 || tunnel.headers == 68;
      const auto read = on(s, CLEARTEXT_TUNNEL, 1, OK, v6_inside ? 2 : 1);
      const auto unread = on(s, TOO_DEEP, 0, SHORT_TUNNEL);
      c.receive(name, first(s.node2, s.self),
                cut ? on(s, CLEARTEXT_TUNNEL, 1, SHORT_TUNNEL) : read);
      c.transmit(name + "_out", first(s.self, s.node3),
                 cut ? on(s, CLEARTEXT_TUNNEL, 2, SHORT_TUNNEL) : read);
      c.receive(name + "_no_pair", first(s.outside, s.self), cut ? unread : read);
      c.receive(name + "_group", first(s.node2, s.group), cut ? unread : read);
      if (size != 16) continue;
      c.transmit(name + "_no_pair_out", first(s.self, s.outside), cut ? unread : read);
      c.receive(name + "_to_pod", first(s.outside, s.self_pod), cut ? unread : read);
      c.receive(name + "_stranger", first(s.stranger, s.self),
                on(s, UNKNOWN_NODE, 0, cut ? SHORT_TUNNEL : OK));
    }
  }
}

void add_bad_fragments(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/tunnel_fragment_";
  const auto first = [&](const char* src, const char* dst, std::uint8_t proto) {
    return Eth{} / first_fragment(s, src, dst, proto);
  };
  const auto bad = on(s, CLEARTEXT_TUNNEL, 1, SHORT_TUNNEL);
  const Ipv4 short_ihl{.src = kSide4.pod2, .dst = kSide4.self_pod, .ihl = 4};
  const Raw six{Bytes(40, 0x66)}, few_sixes{Bytes(16, 0x66)};
  c.receive(at + "ihl_4", first(s.node2, s.self, 4) / short_ihl / Payload{20}, bad);
  c.receive(at + "ihl_4_no_pair", first(s.outside, s.self, 4) / short_ihl / Payload{20},
            on(s, TOO_DEEP, 0, SHORT_TUNNEL));
  c.receive(at + "ihl_4_group", first(s.node2, s.group, 4) / short_ihl / Payload{20},
            on(s, TOO_DEEP, 0, SHORT_TUNNEL));
  c.receive(at + "wrong_version", first(s.node2, s.self, 4) / six, bad);
  c.receive(at + "wrong_version_and_cut", first(s.node2, s.self, 4) / few_sixes, bad);
  c.receive(at + "udp_0", first(s.node2, s.self, 17), on(s, MALFORMED, 1, SHORT_L4));
  c.receive(at + "gre_version_1", first(s.node2, s.self, 47) / Raw{{0, 1, 8, 0, 0, 0, 0, 0}},
            on(s, OTHER, 1));
  c.receive(at + "gre_unknown", first(s.node2, s.self, 47) / Raw{{0, 0, 0x12, 0x34, 0, 0, 0, 0}},
            on(s, OTHER, 1));
  c.receive(at + "pods", first(s.pod2, s.self_pod, 47) / Payload{3, 0},
            on(s, CLEARTEXT, 1, SHORT_TUNNEL, s.subnet2));
  c.receive(at + "later_no_pair", Eth{} / later_fragment(s, s.outside, s.self, 47) / Payload{40},
            on(s, OTHER, 0, LATER_FRAGMENT));
  c.receive(at + "later_group", Eth{} / later_fragment(s, s.node2, s.group, 47) / Payload{40},
            on(s, FLOODED, 0, LATER_FRAGMENT));
  c.receive(at + "later_vxlan", Eth{} / later_fragment(s, s.node2, s.self, 17) / Payload{40},
            on(s, OTHER, 1, LATER_FRAGMENT));
  const auto length_lies = Ipv4{.src = kSide4.pod2, .dst = kSide4.self_pod, .total_length = 2000};
  c.receive(at + "longer_no_pair", first(s.outside, s.self, 4) / length_lies / Udp{},
            on(s, CLEARTEXT_TUNNEL, 1, OK, 1));
  c.receive(at + "whole_longer_no_pair", Eth{} / ip(s, s.outside, s.self) / length_lies / Udp{},
            on(s, OTHER, 0, SHORT_TUNNEL));
}

}  // namespace

void add_fragment_cases(CorpusBuilder& c) {
  for (const Side* side : {&kSide4, &kSide6}) {
    add_cut_fragments(c, *side);
    add_bad_fragments(c, *side);
  }
}

}  // namespace espial::frames
