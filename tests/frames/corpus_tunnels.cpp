// SPDX-License-Identifier: Apache-2.0
// Corpus: what travels inside ipip, ip6ip6, sit, gre and vxlan between two nodes.
#include "frames/corpus.h"

#include <functional>

namespace espial::frames {
namespace {

using enum Class;
using enum Outcome;

// One way to carry an inner packet of either family.
struct Carrier {
  std::string name;
  std::function<Frame(const Frame&)> around;  // inner IP packet -> what follows the outer IP header
};

std::vector<Carrier> carriers() {
  const auto in = [](const Frame& head) {
    return [head](const Frame& inner) { return head / inner; };
  };
  return {
      {"ip", [](const Frame& inner) { return inner; }},
      {"gre", in(Gre{})},
      {"gre_checksum", in(Gre{.checksum = true})},
      {"gre_key", in(Gre{.key = true})},
      {"gre_sequence", in(Gre{.sequence = true})},
      {"gre_all", in(Gre{.checksum = true, .key = true, .sequence = true})},
      {"gre_eth", in(Gre{} / Eth{})},
      {"gre_eth_vlan", in(Gre{.key = true} / Eth{} / Vlan{.id = 300})},
      {"vxlan", in(Udp{.dport = 4789} / Vxlan{} / Eth{})},
      {"vxlan_8472", in(Udp{.dport = 8472} / Vxlan{} / Eth{})},
      {"vxlan_vlan", in(Udp{.dport = 4789} / Vxlan{} / Eth{} / Vlan{.id = kClaimedVid})},
      {"vxlan_qinq",
       in(Udp{.dport = 4789} / Vxlan{} / Eth{} / Vlan{.id = 9, .tpid = 0x88a8} / Vlan{.id = 8})},
  };
}

void add_carried(CorpusBuilder& c, const Side& outer, const Side& inner) {
  const auto clear = on(outer, CLEARTEXT_TUNNEL, 1, OK, inner.subnet2);
  for (const Carrier& carrier : carriers()) {
    const std::string at = std::string(outer.tag) + "/" + carrier.name + "_" + inner.tag + "_";
    const auto in = [&](const Frame& packet) {
      return Eth{} / ip(outer, outer.node2, outer.self) / carrier.around(packet);
    };
    const Frame pods = ip(inner, inner.pod2, inner.self_pod);
    c.receive(at + "pods", in(pods / Udp{} / Payload{8}), clear);
    c.receive(at + "esp", in(ip(inner, inner.node2, inner.self) / Esp{} / Payload{64}),
              on(outer, Class::ESP, 1));
    c.receive(at + "nodes", in(ip(inner, inner.node2, inner.self) / Udp{}), on(outer, OTHER, 1));
    c.receive(at + "nested", in(ip(inner, inner.node2, inner.self) / Ipv4{} / Udp{}),
              on(outer, TOO_DEEP, 1, NESTED));
    c.receive(at + "no_pair",
              Eth{} / ip(outer, outer.outside, outer.self) / carrier.around(pods / Udp{}),
              on(outer, OTHER));
  }
}

void add_inner_ends(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/tunnel_";
  const auto in = [&](const Frame& inner) { return Eth{} / ip(s, s.node2, s.self) / inner; };
  const auto clear = on(s, CLEARTEXT_TUNNEL, 1, OK, s.subnet2);
  const auto clear_of_none = on(s, CLEARTEXT_TUNNEL, 1);
  c.transmit(at + "out", Eth{} / ip(s, s.self, s.node3) / ip(s, s.self_pod, s.pod3) / Tcp{},
             on(s, CLEARTEXT_TUNNEL, 2, OK, s.subnet3));
  c.transmit(at + "reverse", in(ip(s, s.pod2, s.self_pod) / Tcp{}), on(s, OTHER));
  c.receive(at + "one_end_backend", in(ip(s, s.outside, s.self_pod) / Tcp{}), clear_of_none);
  c.receive(at + "tcp_options", in(ip(s, s.pod2, s.self_pod) / Tcp{.option_words = 3}), clear);
  c.receive(at + "tcp_one_option_word",
            in(ip(s, s.pod2, s.self_pod) / Tcp{.option_words = 1} / Payload{50}), clear);
  c.receive(at + "other_end_backend", in(ip(s, s.pod2, s.outside) / Tcp{}), clear);
  c.receive(at + "pod_of_another_peer", in(ip(s, s.pod3, s.outside) / Tcp{}), clear_of_none);
  c.receive(at + "same_node", in(ip(s, s.self_pod, s.self_pod2) / Tcp{}), clear_of_none);
  c.receive(at + "stranger", in(ip(s, s.stranger, s.outside) / Tcp{}), clear_of_none);
  c.receive(at + "to_a_stranger", in(ip(s, s.outside, s.stranger) / Tcp{}), clear_of_none);
  c.receive(at + "multicast_of_a_pod", in(ip(s, s.pod2, s.group) / Udp{}), clear);
  c.receive(at + "multicast_of_a_node", in(ip(s, s.node2, s.group) / Udp{}), on(s, OTHER, 1));
  c.receive(at + "outside", in(ip(s, s.outside, s.outside) / Tcp{}), on(s, OTHER, 1));
  c.receive(at + "ah_pods", in(ip(s, s.pod2, s.self_pod) / Ah{} / Tcp{}), clear);
  c.receive(at + "ah_nodes", in(ip(s, s.node2, s.self) / Ah{} / Tcp{}), on(s, OTHER, 1));
  c.receive(at + "esp_pods", in(ip(s, s.pod2, s.self_pod) / Esp{} / Payload{40}), on(s, ESP, 1));
  c.receive(at + "nested_pods", in(ip(s, s.pod2, s.self_pod) / Gre{} / Ipv4{}), clear);
  c.receive(at + "nested_gre", in(ip(s, s.node2, s.self) / Gre{} / Ipv4{}),
            on(s, TOO_DEEP, 1, NESTED));
  c.receive(at + "nested_sit", in(ip(s, s.node2, s.self) / Ipv6{} / Udp{}),
            on(s, TOO_DEEP, 1, NESTED));
  c.receive(at + "nested_vxlan", in(ip(s, s.node2, s.self) / Udp{.dport = 4789} / Vxlan{}),
            on(s, TOO_DEEP, 1, NESTED));
  c.receive(at + "nested_vxlan_8472", in(ip(s, s.node2, s.self) / Udp{.dport = 8472} / Vxlan{}),
            on(s, TOO_DEEP, 1, NESTED));
  c.receive(at + "vxlan_source_port_only", in(Udp{.sport = 4789} / Vxlan{} / Eth{} / Ipv4{}),
            on(s, OTHER, 1));
  c.receive(at + "ike_inside", in(ip(s, s.node2, s.self) / Udp{.dport = 500}), on(s, OTHER, 1));
}

void add_broken_tunnels(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/tunnel_";
  const auto in = [&](const Frame& rest) { return Eth{} / ip(s, s.node2, s.self) / rest; };
  const auto announcing = [&](std::uint8_t proto, const Frame& rest) -> Frame {
    if (s.v6) return Eth{} / Ipv6{.src = s.node2, .dst = s.self, .next_header = proto} / rest;
    return Eth{} / Ipv4{.src = s.node2, .dst = s.self, .protocol = proto} / rest;
  };
  const auto bad = on(s, MALFORMED, 1, SHORT_TUNNEL);
  const auto clear_v4 = on(s, CLEARTEXT_TUNNEL, 1, OK, 1);
  const Frame clear = Ipv4{.src = kSide4.pod2, .dst = kSide4.self_pod};
  c.receive(at + "ipip_empty", announcing(4, Payload{0}), bad);
  c.receive(at + "ipip_19", announcing(4, Raw{(clear / Udp{}).truncated(19).bytes()}), bad);
  c.receive(at + "ipip_20", announcing(4, Raw{Bytes(clear.bytes())}), clear_v4);
  c.receive(at + "ipip_version_6", announcing(4, Ipv6{.src = kSide6.pod2} / Udp{}), bad);
  c.receive(at + "sit_version_4", announcing(41, clear / Payload{40}), bad);
  c.receive(at + "sit_39", announcing(41, Raw{Bytes(39, 0x60)}), bad);
  c.receive(at + "ipip_ihl_4", in(Ipv4{.src = kSide4.pod2, .ihl = 4} / Udp{}), bad);
  c.receive(at + "ipip_options_cut",
            in(Ipv4{.src = kSide4.pod2, .ihl = 15, .option_words = 0} / Payload{8}), bad);
  c.receive(at + "ipip_options", in(Ipv4{.src = kSide4.pod2, .ihl = 9} / Udp{}), clear_v4);
  Ipv4 lying{.src = kSide4.pod2, .dst = kSide4.self_pod, .total_length = 21};
  c.receive(at + "ipip_length_lies", in(lying), bad);
  Frame first = ip(s, s.node2, s.self);
  if (s.v6)
    first = first / Fragment6{.more = true};
  else
    first = Ipv4{.src = s.node2, .dst = s.self, .more_fragments = true};
  c.receive(at + "first_fragment_of_a_longer_one", Eth{} / first / lying, clear_v4);
  c.receive(at + "foreign_cut",
            Eth{} / ip(s, s.outside, s.self) / Gre{.protocol = 0x0800} / Payload{3},
            on(s, OTHER, 0, SHORT_TUNNEL));
  c.receive(at + "gre_unknown_and_cut", announcing(47, Raw{{0xb0, 0, 0x88, 0xbe}}), bad);
  c.receive(at + "gre_3", announcing(47, Payload{3, 0}), bad);
  c.receive(at + "gre_options_cut", announcing(47, Raw{{0xb0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0}}),
            bad);
  c.receive(at + "gre_nothing_inside", in(Gre{.protocol = 0x0800}), bad);
  c.receive(at + "gre_eth_cut", in(Gre{.protocol = 0x6558} / Payload{13}), bad);
  c.receive(at + "gre_version_1", in(Gre{.version = 1, .protocol = 0x880b} / Payload{20}),
            on(s, OTHER, 1));
  c.receive(at + "gre_version_1_ip", in(Gre{.version = 1} / clear), on(s, OTHER, 1));
  c.receive(at + "gre_source_routing", in(Gre{.routing = true} / clear), on(s, OTHER, 1));
  c.receive(at + "gre_mpls", in(Gre{} / Mpls{} / clear), on(s, OTHER, 1));
  c.receive(at + "gre_arp", in(Gre{} / Eth{} / Arp{}), on(s, OTHER, 1));
  c.receive(at + "gre_wccp", in(Gre{.protocol = 0x883e} / clear), on(s, OTHER, 1));
  c.receive(at + "gre_eth_tag_cut", in(Gre{} / Eth{.type = 0x8100} / Payload{3}), bad);
  c.receive(at + "vxlan_7", in(Udp{.dport = 4789} / Payload{7}), bad);
  c.receive(at + "vxlan_eth_13", in(Udp{.dport = 4789} / Vxlan{} / Payload{13}), bad);
  c.receive(at + "vxlan_arp", in(Udp{.dport = 4789} / Vxlan{} / Eth{} / Arp{}), on(s, OTHER, 1));
  c.receive(at + "vxlan_three_tags",
            in(Udp{.dport = 4789} / Vxlan{} / Eth{} / Vlan{.id = 1} / Vlan{.id = 2} /
               Vlan{.id = 3} / clear),
            on(s, OTHER, 1));
  c.receive(at + "vxlan_ip_cut",
            in(Udp{.dport = 4789} / Vxlan{} / Eth{.type = 0x0800} / Payload{9}), bad);
  c.receive(at + "mpls_in_ip", in(Mpls{} / clear), on(s, OTHER, 1));
  c.receive(at + "etherip", announcing(97, Raw{{0x30, 0}} / Eth{} / clear), on(s, OTHER, 1));
}

void add_inner_extensions(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/tunnel_inner_";
  const auto in = [&](const Frame& rest) { return Eth{} / ip(s, s.node2, s.self) / rest; };
  const Ipv6 nodes{.src = kSide6.node2, .dst = kSide6.self};
  const Ipv6 pods{.src = kSide6.pod2, .dst = kSide6.self_pod};
  c.receive(at + "destination_options_esp", in(nodes / DestOpts{} / Esp{} / Payload{64}),
            on(s, ESP, 1));
  const auto clear = on(s, CLEARTEXT_TUNNEL, 1, OK, 2);
  c.receive(at + "destination_options_clear", in(pods / DestOpts{} / Udp{}), clear);
  Frame chain = nodes, clear_chain = pods;
  for (int i = 0; i < 9; ++i) {
    chain = chain / DestOpts{};
    clear_chain = clear_chain / DestOpts{};
  }
  c.receive(at + "chain", in(chain / Esp{}), on(s, TOO_DEEP, 1, EXT_CHAIN));
  c.receive(at + "chain_clear", in(clear_chain / Esp{}), clear);
  c.receive(at + "short_extension", in(nodes / DestOpts{.length = 9} / Udp{}),
            on(s, MALFORMED, 1, SHORT_TUNNEL));
  c.receive(at + "short_extension_announcing_esp",
            in(nodes / DestOpts{.length = 9, .next = 50} / Payload{8}),
            on(s, MALFORMED, 1, SHORT_TUNNEL));
  c.receive(at + "short_extension_announcing_esp_clear",
            in(pods / DestOpts{.length = 9, .next = 50} / Payload{8}), clear);
  c.receive(at + "short_extension_clear", in(pods / DestOpts{.length = 9} / Udp{}), clear);
  c.receive(at + "later_fragment_of_a_tunnel",
            in(nodes / Fragment6{.offset = 4, .next = 47} / Payload{8}), on(s, OTHER, 1));
  c.receive(at + "later_fragment_clear", in(pods / Fragment6{.offset = 4, .next = 17} / Payload{8}),
            clear);
  c.receive(at + "later_fragment_esp", in(nodes / Fragment6{.offset = 4, .next = 50} / Payload{8}),
            on(s, ESP, 1));
}

}  // namespace

void add_tunnel_cases(CorpusBuilder& c) {
  for (const Side* outer : {&kSide4, &kSide6}) {
    for (const Side* inner : {&kSide4, &kSide6}) add_carried(c, *outer, *inner);
    add_inner_ends(c, *outer);
    add_broken_tunnels(c, *outer);
    add_inner_extensions(c, *outer);
  }
}

}  // namespace espial::frames
