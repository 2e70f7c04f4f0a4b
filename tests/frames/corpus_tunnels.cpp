// SPDX-License-Identifier: Apache-2.0
// Corpus: what travels inside tunnels of every kind between two nodes.
#include "frames/corpus.h"

#include <functional>

namespace espial::frames {
namespace {

using enum Class;
using enum Outcome;

// One way to carry an inner packet, of either family unless it says which.
struct Carrier {
  std::string name;
  std::function<Frame(const Frame&)> around;  // inner IP packet -> what follows the outer IP header
  bool only_v4 = false;
};

std::vector<Carrier> carriers() {
  const auto in = [](const Frame& head) {
    return [head](const Frame& inner) { return head / inner; };
  };
  const Udp vxlan{.dport = 4789}, gpe{.dport = 4790}, geneve{.dport = 6081};
  const Gre numbered{.key = true, .sequence = true};
  const Frame eight_tags = times(4, Vlan{.id = 9, .tpid = 0x88a8} / Frame(Vlan{.id = 0}));
  return {
      {"ip", [](const Frame& inner) { return inner; }},
      {"gre", in(Gre{})},
      {"gre_checksum", in(Gre{.checksum = true})},
      {"gre_key", in(Gre{.key = true})},
      {"gre_sequence", in(Gre{.sequence = true})},
      {"gre_all", in(Gre{.checksum = true, .key = true, .sequence = true})},
      {"gre_eth", in(Gre{} / Eth{})},
      {"gre_eth_vlan", in(Gre{.key = true} / Eth{} / Vlan{.id = 300})},
      {"gre_eth_8_tags", in(Gre{} / Eth{} / eight_tags)},
      {"wccp", in(Gre{} / Wccp{}), true},
      {"wccp_all", in(Gre{.checksum = true, .key = true, .sequence = true} / Wccp{}), true},
      {"wccp_without_its_header", in(Gre{.protocol = 0x883e}), true},
      {"erspan_1", in(Gre{.protocol = 0x88be} / Eth{})},
      {"erspan_1_key", in(Gre{.key = true, .protocol = 0x88be} / Eth{} / Vlan{.id = 4})},
      {"erspan_2", in(Gre{.sequence = true} / Erspan{} / Eth{})},
      {"erspan_2_key", in(numbered / Erspan{} / Eth{} / Vlan{.id = 4})},
      {"erspan_3", in(Gre{.sequence = true} / Erspan{.type = 3} / Eth{})},
      {"erspan_3_unnumbered", in(Gre{} / Erspan{.type = 3} / Eth{})},
      {"erspan_3_subheader", in(numbered / Erspan{.type = 3, .subheader = true} / Eth{})},
      {"vxlan", in(vxlan / Vxlan{} / Eth{})},
      {"vxlan_8472", in(Udp{.dport = 8472} / Vxlan{} / Eth{})},
      {"vxlan_from_500", in(Udp{.sport = 500, .dport = 4789} / Vxlan{} / Eth{})},
      {"vxlan_from_4500", in(Udp{.sport = 4500, .dport = 4789} / Vxlan{} / Eth{})},
      {"vxlan_vlan", in(vxlan / Vxlan{} / Eth{} / Vlan{.id = kClaimedVid})},
      {"vxlan_qinq", in(vxlan / Vxlan{} / Eth{} / Vlan{.id = 9, .tpid = 0x88a8} / Vlan{.id = 8})},
      {"vxlan_8_tags", in(vxlan / Vxlan{} / Eth{} / eight_tags)},
      {"gpe_ip", in(gpe / Gpe{})},
      {"gpe_eth", in(gpe / Gpe{} / Eth{})},
      {"gpe_from_4500", in(Udp{.sport = 4500, .dport = 4790} / Gpe{})},
      {"geneve_ip", in(geneve / Geneve{})},
      {"geneve_eth", in(geneve / Geneve{} / Eth{})},
      {"geneve_options", in(geneve / Geneve{.option_words = 3} / Eth{} / Vlan{.id = 1})},
      {"geneve_most_options", in(geneve / Geneve{.option_words = 63})},
      {"geneve_from_500", in(Udp{.sport = 500, .dport = 6081} / Geneve{.option_words = 1})},
      // The two highest bits of its first byte are the version.
      {"geneve_version_3", in(geneve / Geneve{.option_words = 2, .length = 0xc2})},
  };
}

void add_carried(CorpusBuilder& c, const Side& outer, const Side& inner) {
  const auto clear = on(outer, CLEARTEXT_TUNNEL, 1, OK, inner.subnet2);
  for (const Carrier& carrier : carriers()) {
    if (carrier.only_v4 && inner.v6) continue;
    const std::string at = std::string(outer.tag) + "/" + carrier.name + "_" + inner.tag + "_";
    const auto in = [&](const Frame& packet) {
      return Eth{} / ip(outer, outer.node2, outer.self) / carrier.around(packet);
    };
    const auto foreign = [&](const Frame& packet) {
      return Eth{} / ip(outer, outer.outside, outer.self) / carrier.around(packet);
    };
    const Frame pods = ip(inner, inner.pod2, inner.self_pod);
    const Frame nodes = ip(inner, inner.node2, inner.self);
    c.receive(at + "pods", in(pods / Udp{} / Payload{8}), clear);
    c.receive(at + "esp", in(nodes / Esp{} / Payload{64}), on(outer, Class::ESP, 1));
    c.receive(at + "nodes", in(nodes / Udp{}), on(outer, OTHER, 1));
    c.receive(at + "nested", in(nodes / Ipv4{} / Udp{}), on(outer, TOO_DEEP, 1, NESTED));
    c.receive(at + "pods_no_pair", foreign(pods / Udp{}), clear);
    c.receive(at + "nodes_no_pair", foreign(nodes / Udp{}), on(outer, OTHER));
  }
}

void add_inner_ends(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/tunnel_";
  const auto in = [&](const Frame& inner) { return Eth{} / ip(s, s.node2, s.self) / inner; };
  const auto clear = on(s, CLEARTEXT_TUNNEL, 1, OK, s.subnet2);
  const auto clear_of_none = on(s, CLEARTEXT_TUNNEL, 1);
  const auto spoofed_of_node3 = on(s, CLEARTEXT_SPOOFED, 2);
  c.transmit(at + "out", Eth{} / ip(s, s.self, s.node3) / ip(s, s.self_pod, s.pod3) / Tcp{},
             on(s, CLEARTEXT_TUNNEL, 2, OK, s.subnet3));
  c.transmit(at + "reverse", in(ip(s, s.pod2, s.self_pod) / Tcp{}), clear);
  c.receive(at + "one_end_backend", in(ip(s, s.outside, s.self_pod) / Tcp{}), clear_of_none);
  c.receive(at + "tcp_options", in(ip(s, s.pod2, s.self_pod) / Tcp{.option_words = 3}), clear);
  c.receive(at + "tcp_one_option_word",
            in(ip(s, s.pod2, s.self_pod) / Tcp{.option_words = 1} / Payload{50}), clear);
  c.receive(at + "other_end_backend", in(ip(s, s.pod2, s.outside) / Tcp{}), clear);
  c.receive(at + "pod_of_another_peer", in(ip(s, s.pod3, s.outside) / Tcp{}), spoofed_of_node3);
  c.receive(at + "pod_of_another_peer_to_own_pod", in(ip(s, s.pod3, s.self_pod) / Tcp{}),
            spoofed_of_node3);
  c.receive(at + "node_of_another_peer", in(ip(s, s.node3, s.self_pod) / Tcp{}),
            on(s, CLEARTEXT_SPOOFED, 2));
  c.receive(at + "from_another_peer_esp", in(ip(s, s.pod3, s.self_pod) / Esp{} / Payload{40}),
            spoofed_of_node3);
  c.receive(at + "outside_to_pod_of_another_peer", in(ip(s, s.outside, s.pod3) / Tcp{}),
            on(s, CLEARTEXT_TUNNEL, 2, OK, s.subnet3));
  c.receive(at + "own_pod_to_outside", in(ip(s, s.self_pod, s.outside) / Tcp{}),
            on(s, CLEARTEXT_SPOOFED));
  c.receive(at + "own_pod_to_pod_of_peer", in(ip(s, s.self_pod, s.pod2) / Tcp{}),
            on(s, CLEARTEXT_SPOOFED));
  c.receive(at + "own_node_to_pod_of_peer", in(ip(s, s.self, s.pod2) / Tcp{}),
            on(s, CLEARTEXT_SPOOFED));
  c.receive(at + "own_node_to_node_of_peer", in(ip(s, s.self, s.node2) / Tcp{}), on(s, OTHER, 1));
  c.receive(at + "to_pod_of_another_peer", in(ip(s, s.pod2, s.pod3) / Tcp{}), clear);
  c.receive(at + "pods_of_the_peer", in(ip(s, s.pod2, s.pod2b) / Tcp{}), clear);
  c.receive(at + "node_to_pod", in(ip(s, s.node2, s.self_pod) / Tcp{}), clear_of_none);
  c.receive(at + "outside_to_pod_of_peer", in(ip(s, s.outside, s.pod2) / Tcp{}), clear);
  c.receive(at + "same_node", in(ip(s, s.self_pod, s.self_pod2) / Tcp{}), on(s, CLEARTEXT_SPOOFED));
  c.receive(at + "stranger", in(ip(s, s.stranger, s.outside) / Tcp{}), clear_of_none);
  c.receive(at + "to_a_stranger", in(ip(s, s.outside, s.stranger) / Tcp{}), clear_of_none);
  c.receive(at + "multicast_of_a_pod", in(ip(s, s.pod2, s.group) / Udp{}), clear);
  c.receive(at + "multicast_of_a_node", in(ip(s, s.node2, s.group) / Udp{}), on(s, OTHER, 1));
  c.receive(at + "outside", in(ip(s, s.outside, s.outside) / Tcp{}), on(s, OTHER, 1));
  c.receive(at + "ah_pods", in(ip(s, s.pod2, s.self_pod) / Ah{} / Tcp{}), clear);
  c.receive(at + "ah_nodes", in(ip(s, s.node2, s.self) / Ah{} / Tcp{}), on(s, OTHER, 1));
  c.receive(at + "esp_pods", in(ip(s, s.pod2, s.self_pod) / Esp{} / Payload{40}), clear);
  c.receive(at + "nested_pods", in(ip(s, s.pod2, s.self_pod) / Gre{} / Ipv4{}), clear);
  c.receive(at + "nested_gre", in(ip(s, s.node2, s.self) / Gre{} / Ipv4{}),
            on(s, TOO_DEEP, 1, NESTED));
  c.receive(at + "nested_sit", in(ip(s, s.node2, s.self) / Ipv6{} / Udp{}),
            on(s, TOO_DEEP, 1, NESTED));
  c.receive(at + "nested_vxlan", in(ip(s, s.node2, s.self) / Udp{.dport = 4789} / Vxlan{}),
            on(s, TOO_DEEP, 1, NESTED));
  c.receive(at + "nested_vxlan_8472", in(ip(s, s.node2, s.self) / Udp{.dport = 8472} / Vxlan{}),
            on(s, TOO_DEEP, 1, NESTED));
  c.receive(at + "nested_gpe", in(ip(s, s.node2, s.self) / Udp{.dport = 4790} / Gpe{}),
            on(s, TOO_DEEP, 1, NESTED));
  c.receive(at + "nested_geneve", in(ip(s, s.node2, s.self) / Udp{.dport = 6081} / Geneve{}),
            on(s, TOO_DEEP, 1, NESTED));
  c.receive(at + "nested_vxlan_from_500",
            in(ip(s, s.node2, s.self) / Udp{.sport = 500, .dport = 4789} / Vxlan{}),
            on(s, TOO_DEEP, 1, NESTED));
  c.receive(at + "vxlan_source_port_only", in(Udp{.sport = 4789} / Vxlan{} / Eth{} / Ipv4{}),
            on(s, OTHER, 1));
  c.receive(at + "ike_inside", in(ip(s, s.node2, s.self) / Udp{.dport = 500}), on(s, OTHER, 1));
}

void add_sent(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/tunnel_sent_";
  const auto out = [&](const char* src, const char* dst) {
    return Eth{} / ip(s, s.self, s.node3) / Gre{} / ip(s, src, dst) / Tcp{};
  };
  const auto of_node3 = on(s, CLEARTEXT_TUNNEL, 2, OK, s.subnet3);
  const auto of_node2 = on(s, CLEARTEXT_TUNNEL, 1, OK, s.subnet2);
  const auto of_the_pair = on(s, CLEARTEXT_TUNNEL, 2);
  c.transmit(at + "pods", out(s.self_pod, s.pod3), of_node3);
  c.transmit(at + "node_to_pod", out(s.self, s.pod3), of_node3);
  c.transmit(at + "pod_to_node", out(s.self_pod, s.node3), of_the_pair);
  c.transmit(at + "to_pod_of_another_peer", out(s.self_pod, s.pod2), of_node2);
  c.transmit(at + "to_node_of_another_peer", out(s.self_pod, s.node2), on(s, CLEARTEXT_TUNNEL, 1));
  c.transmit(at + "between_two_peers", out(s.pod2, s.pod3), of_node3);
  c.transmit(at + "from_another_peer_to_us", out(s.pod2, s.self_pod), of_node2);
  c.transmit(at + "outside_to_pod", out(s.outside, s.pod3), of_node3);
  c.transmit(at + "pod_to_outside", out(s.self_pod, s.outside), of_the_pair);
  c.transmit(at + "outside_to_own_pod", out(s.outside, s.self_pod), of_the_pair);
  c.transmit(at + "pod_of_peer_to_outside", out(s.pod3, s.outside), of_node3);
  c.transmit(at + "own_pods", out(s.self_pod, s.self_pod2), of_the_pair);
  c.transmit(at + "pod_to_stranger", out(s.self_pod, s.stranger), of_the_pair);
  c.transmit(at + "stranger_to_outside", out(s.stranger, s.outside), of_the_pair);
  c.transmit(at + "nodes", out(s.self, s.node3), on(s, OTHER, 2));
  c.transmit(at + "outside", out(s.outside, s.outside), on(s, OTHER, 2));
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
  const Frame chain = nodes / times(9, DestOpts{}), clear_chain = pods / times(9, DestOpts{});
  const auto foreign = [&](const Frame& rest) {
    return Eth{} / ip(s, s.outside, s.self) / Gre{} / rest;
  };
  const Ipv6 north_south{.src = kSide6.outside, .dst = kSide6.self_pod};
  c.receive(at + "chain_of_8", in(nodes / times(8, DestOpts{}) / Esp{}), on(s, ESP, 1));
  c.receive(at + "chain_no_pair", foreign(chain / Udp{}), on(s, TOO_DEEP, 0, EXT_CHAIN));
  c.receive(at + "chain_of_8_no_pair", foreign(nodes / times(8, DestOpts{}) / Udp{}), on(s, OTHER));
  c.receive(at + "chain_clear_no_pair", foreign(clear_chain / Udp{}), clear);
  c.receive(at + "chain_north_south", foreign(north_south / times(9, DestOpts{}) / Udp{}),
            on(s, TOO_DEEP, 0, EXT_CHAIN));
  c.receive(at + "short_extension_no_pair", foreign(nodes / DestOpts{.length = 9} / Udp{}),
            on(s, OTHER));
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
    add_sent(c, *outer);
    add_inner_extensions(c, *outer);
  }
}

}  // namespace espial::frames
