// SPDX-License-Identifier: Apache-2.0
// Corpus: tunnels that cannot be read: cut, contradictory, too deep, of kinds that carry no IP.
#include "frames/corpus.h"

namespace espial::frames {
namespace {

using enum Class;
using enum Outcome;

void add_broken_tunnels(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/tunnel_";
  const auto in = [&](const Frame& rest) { return Eth{} / ip(s, s.node2, s.self) / rest; };
  const auto said = [&](std::uint8_t proto, const Frame& rest) {
    return Eth{} / announcing(s, s.node2, s.self, proto) / rest;
  };
  const auto bad = on(s, MALFORMED, 1, SHORT_TUNNEL);
  const auto clear_v4 = on(s, CLEARTEXT_TUNNEL, 1, OK, 1);
  const Frame clear = Ipv4{.src = kSide4.pod2, .dst = kSide4.self_pod};
  c.receive(at + "ipip_empty", said(4, Payload{0}), bad);
  c.receive(at + "ipip_19", said(4, Raw{(clear / Udp{}).truncated(19).bytes()}), bad);
  c.receive(at + "ipip_20", said(4, Raw{Bytes(clear.bytes())}), clear_v4);
  c.receive(at + "ipip_version_6", said(4, Ipv6{.src = kSide6.pod2} / Udp{}), bad);
  c.receive(at + "sit_version_4", said(41, clear / Payload{40}), bad);
  c.receive(at + "sit_39", said(41, Raw{Bytes(39, 0x60)}), bad);
  c.receive(at + "ipip_ihl_4", in(Ipv4{.src = kSide4.pod2, .ihl = 4} / Udp{}), bad);
  c.receive(at + "ipip_options_cut",
            in(Ipv4{.src = kSide4.pod2, .ihl = 15, .option_words = 0} / Payload{8}), bad);
  c.receive(at + "ipip_options", in(Ipv4{.src = kSide4.pod2, .ihl = 9} / Udp{}), clear_v4);
  Ipv4 lying{.src = kSide4.pod2, .dst = kSide4.self_pod, .total_length = 21};
  c.receive(at + "ipip_length_lies", in(lying), bad);
  c.receive(at + "first_fragment_of_a_longer_one",
            Eth{} / first_fragment(s, s.node2, s.self, 4) / lying, clear_v4);
  c.receive(at + "foreign_cut",
            Eth{} / ip(s, s.outside, s.self) / Gre{.protocol = 0x0800} / Payload{3},
            on(s, OTHER, 0, SHORT_TUNNEL));
}

void add_broken_gre_and_vxlan(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/tunnel_";
  const auto in = [&](const Frame& rest) { return Eth{} / ip(s, s.node2, s.self) / rest; };
  const auto said = [&](std::uint8_t proto, const Frame& rest) {
    return Eth{} / announcing(s, s.node2, s.self, proto) / rest;
  };
  const auto bad = on(s, MALFORMED, 1, SHORT_TUNNEL);
  const Frame clear = Ipv4{.src = kSide4.pod2, .dst = kSide4.self_pod};
  c.receive(at + "gre_unknown_and_cut", said(47, Raw{{0xb0, 0, 0x88, 0xbe}}), bad);
  c.receive(at + "gre_3", said(47, Payload{3, 0}), bad);
  c.receive(at + "gre_options_cut", said(47, Raw{{0xb0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0}}), bad);
  c.receive(at + "gre_nothing_inside", in(Gre{.protocol = 0x0800}), bad);
  c.receive(at + "gre_eth_cut", in(Gre{.protocol = 0x6558} / Payload{13}), bad);
  c.receive(at + "gre_version_1", in(Gre{.version = 1, .protocol = 0x880b} / Payload{20}),
            on(s, OTHER, 1));
  c.receive(at + "gre_version_1_ip", in(Gre{.version = 1} / clear), on(s, OTHER, 1));
  c.receive(at + "gre_source_routing", in(Gre{.routing = true} / clear), on(s, OTHER, 1));
  c.receive(at + "gre_mpls", in(Gre{} / Mpls{} / clear), on(s, OTHER, 1));
  c.receive(at + "gre_arp", in(Gre{} / Eth{} / Arp{}), on(s, OTHER, 1));
  c.receive(at + "gre_unknown", in(Gre{.protocol = 0x1234} / clear), on(s, OTHER, 1));
  c.receive(at + "gre_eth_tag_cut", in(Gre{} / Eth{.type = 0x8100} / Payload{3}), bad);
  c.receive(at + "vxlan_7", in(Udp{.dport = 4789} / Payload{7}), bad);
  c.receive(at + "vxlan_eth_13", in(Udp{.dport = 4789} / Vxlan{} / Payload{13}), bad);
  c.receive(at + "vxlan_arp", in(Udp{.dport = 4789} / Vxlan{} / Eth{} / Arp{}), on(s, OTHER, 1));
  c.receive(at + "vxlan_ip_cut",
            in(Udp{.dport = 4789} / Vxlan{} / Eth{.type = 0x0800} / Payload{9}), bad);
  c.receive(at + "mpls_in_ip", in(Mpls{} / clear), on(s, OTHER, 1));
  c.receive(at + "etherip", said(97, Raw{{0x30, 0}} / Eth{} / clear), on(s, OTHER, 1));
}

// The headers that GRE and UDP announce: cut, lying, of kinds that carry no IP.
void add_broken_announced(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/tunnel_";
  const auto in = [&](const Frame& rest) { return Eth{} / ip(s, s.node2, s.self) / rest; };
  const auto bad = on(s, MALFORMED, 1, SHORT_TUNNEL), other = on(s, OTHER, 1);
  const Frame clear = Ipv4{.src = kSide4.pod2, .dst = kSide4.self_pod};
  const Frame clear6 = Ipv6{.src = kSide6.pod2, .dst = kSide6.self_pod};
  const Udp gpe{.dport = 4790}, geneve{.dport = 6081};
  const Gre wccp{.protocol = 0x883e}, erspan1{.protocol = 0x88be};
  c.receive(at + "wccp_nothing", in(wccp), bad);
  c.receive(at + "wccp_3", in(wccp / Raw{{0x80, 0, 0}}), bad);
  c.receive(at + "wccp_header_only", in(Gre{} / Wccp{}), bad);
  c.receive(at + "wccp_ipv4_cut", in(wccp / Payload{19, 0x45}), bad);
  c.receive(at + "wccp_ipv6", in(Gre{} / Wccp{} / clear6), bad);
  c.receive(at + "erspan_1_cut", in(erspan1 / Payload{13}), bad);
  c.receive(at + "erspan_1_arp", in(erspan1 / Eth{} / Arp{}), other);
  c.receive(at + "erspan_2_7", in(Gre{.sequence = true, .protocol = 0x88be} / Payload{7}), bad);
  c.receive(at + "erspan_2_cut", in(Gre{.sequence = true} / Erspan{} / Payload{13}), bad);
  c.receive(at + "erspan_2_arp", in(Gre{.sequence = true} / Erspan{} / Eth{} / Arp{}), other);
  c.receive(at + "erspan_3_11", in(Gre{.protocol = 0x22eb} / Payload{11, 0}), bad);
  c.receive(at + "erspan_3_subheader_7", in(Gre{.protocol = 0x22eb} / Payload{19, 1}), bad);
  c.receive(at + "erspan_3_cut", in(Gre{} / Erspan{.type = 3} / Payload{13}), bad);
  c.receive(at + "gpe_7", in(gpe / Payload{7}), bad);
  c.receive(at + "gpe_nothing_inside", in(gpe / Gpe{.next = 1}), bad);
  c.receive(at + "gpe_ipv4_is_ipv6", in(gpe / Gpe{.next = 1} / clear6), bad);
  c.receive(at + "gpe_ipv6_is_ipv4", in(gpe / Gpe{.next = 2} / clear / Payload{40}), bad);
  c.receive(at + "gpe_eth_cut", in(gpe / Gpe{.next = 3} / Payload{13}), bad);
  for (const std::uint8_t next : Numbers{0, 4, 5, 255})
    c.receive(at + "gpe_next_" + std::to_string(next), in(gpe / Gpe{.next = next} / clear), other);
  c.receive(at + "geneve_7", in(geneve / Payload{7, 0}), bad);
  c.receive(at + "geneve_nothing_inside", in(geneve / Geneve{.protocol = 0x0800}), bad);
  c.receive(at + "geneve_options_cut", in(geneve / Geneve{.length = 11} / clear / Payload{20}),
            bad);
  c.receive(at + "geneve_unknown_and_cut", in(geneve / Geneve{.length = 1, .protocol = 0x8847}),
            bad);
  c.receive(at + "geneve_eth_cut", in(geneve / Geneve{.protocol = 0x6558} / Payload{13}), bad);
  c.receive(at + "geneve_mpls", in(geneve / Geneve{} / Mpls{} / clear), other);
  c.receive(at + "geneve_arp", in(geneve / Geneve{} / Eth{} / Arp{}), other);
  c.receive(at + "geneve_wccp_is_of_gre", in(geneve / Geneve{.protocol = 0x883e} / clear), other);
  c.receive(at + "udp_length_says_nothing",
            in(Udp{.dport = 6081, .length = 8} / Geneve{} / clear_frame(s)),
            on(s, CLEARTEXT_TUNNEL, 1, OK, s.subnet2));
  c.receive(at + "udp_7",
            Eth{} / announcing(s, s.node2, s.self, 17) / Raw{{0, 1, 18, 181, 0, 9, 0}},
            on(s, MALFORMED, 1, SHORT_L4));
}

// Eight tags inside are read, whatever they say; nine are not.
void add_inner_tags(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/tunnel_inner_tags_";
  const auto too_deep = on(s, TOO_DEEP, 1, VLAN_DEPTH), bad = on(s, MALFORMED, 1, SHORT_TUNNEL);
  const Frame clear = clear_frame(s), arp = Arp{};
  const Vlan tag{.id = 7}, dot1ad{.id = 8, .tpid = 0x88a8};
  const struct {
    std::string name;
    Frame head;
  } tunnels[] = {{"gre", Gre{} / Eth{}},
                 {"erspan", Gre{.sequence = true} / Erspan{} / Eth{}},
                 {"vxlan", Udp{.dport = 4789} / Vxlan{} / Eth{}},
                 {"gpe", Udp{.dport = 4790} / Gpe{} / Eth{}},
                 {"geneve", Udp{.dport = 6081} / Geneve{} / Eth{}}};
  for (const auto& tunnel : tunnels) {
    const std::string& name = tunnel.name;
    const auto from = [&](const char* src, const char* dst, int tags, const Frame& rest) {
      return Eth{} / ip(s, src, dst) / tunnel.head / times(tags - 1, tag) / dot1ad / rest;
    };
    c.receive(at + name + "_3", from(s.node2, s.self, 3, clear),
              on(s, CLEARTEXT_TUNNEL, 1, OK, s.subnet2));
    c.receive(at + name + "_8", from(s.node2, s.self, 8, clear),
              on(s, CLEARTEXT_TUNNEL, 1, OK, s.subnet2));
    c.receive(at + name + "_8_arp", from(s.node2, s.self, 8, arp), on(s, OTHER, 1));
    c.receive(at + name + "_9", from(s.node2, s.self, 9, clear), too_deep);
    c.receive(at + name + "_9_arp", from(s.node2, s.self, 9, arp), too_deep);
    c.receive(at + name + "_9_no_pair", from(s.outside, s.self, 9, clear),
              on(s, TOO_DEEP, 0, VLAN_DEPTH));
    c.receive(at + name + "_9_group", from(s.node2, s.group, 9, arp),
              on(s, TOO_DEEP, 0, VLAN_DEPTH));
    c.receive(at + name + "_9_pods", from(s.pod2, s.self_pod, 9, clear),
              on(s, CLEARTEXT, 1, VLAN_DEPTH, s.subnet2));
    c.receive(at + name + "_9_node3", from(s.node3, s.self, 9, arp),
              on(s, TOO_DEEP, 2, VLAN_DEPTH));
    // The type says that an eighth, or a ninth, tag follows; nothing, or too little, does.
    const Vlan announcing_tag{.type = 0x8100};
    c.receive(at + name + "_eighth_cut",
              from(s.node2, s.self, 6, announcing_tag / Frame(Payload{3})), bad);
    c.receive(at + name + "_ninth_cut", from(s.node2, s.self, 7, announcing_tag), too_deep);
  }
}

}  // namespace

void add_broken_cases(CorpusBuilder& c) {
  for (const Side* side : {&kSide4, &kSide6}) {
    add_broken_tunnels(c, *side);
    add_broken_gre_and_vxlan(c, *side);
    add_broken_announced(c, *side);
    add_inner_tags(c, *side);
  }
}

}  // namespace espial::frames
