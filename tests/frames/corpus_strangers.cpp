// SPDX-License-Identifier: Apache-2.0
// Corpus: tunnels whose outer ends are no pair: from strangers, to groups, between unlisted hosts.
// What they carry decides.
#include "frames/corpus.h"

namespace espial::frames {
namespace {

using enum Class;
using enum Outcome;

// Who talks inside, and what that is between outer ends that mean nothing.
struct Talk {
  const char* name;
  const char *src, *dst;
  OracleVerdict received;
  OracleVerdict sent;
};

std::vector<Talk> talks(const Side& outer, const Side& s) {
  const auto of_pod2 = on(outer, CLEARTEXT_TUNNEL, 1, OK, s.subnet2);
  const auto of_pod3 = on(outer, CLEARTEXT_TUNNEL, 2, OK, s.subnet3);
  const auto of_node2 = on(outer, CLEARTEXT_TUNNEL, 1), of_node3 = on(outer, CLEARTEXT_TUNNEL, 2);
  const auto spoofed = on(outer, CLEARTEXT_SPOOFED), unknown = on(outer, UNKNOWN_NODE);
  const auto other = on(outer, OTHER);
  return {
      {"pair_in", s.pod2, s.self_pod, of_pod2, of_pod2},
      {"pair_out", s.self_pod, s.pod2, spoofed, of_pod2},
      {"node_to_pod", s.node2, s.self_pod, of_node2, of_node2},
      {"pod_to_node", s.pod3, s.self, of_pod3, of_pod3},
      {"own_node_to_pod", s.self, s.pod2, spoofed, of_pod2},
      {"own_pod_to_node", s.self_pod, s.node3, spoofed, of_node3},
      {"two_peers", s.pod2, s.pod3, of_pod2, of_pod3},
      {"node_to_pod_of_another", s.node3, s.pod2, of_node3, of_pod2},
      {"node_to_its_pod", s.node2, s.pod2, other, other},
      {"stranger_to_own_pod", s.stranger, s.self_pod, unknown, unknown},
      {"stranger_to_own_node", s.stranger, s.self, unknown, unknown},
      {"own_pod_to_stranger", s.self_pod, s.stranger, spoofed, unknown},
      {"own_node_to_stranger", s.self, s.stranger, spoofed, unknown},
      {"stranger_to_peer", s.stranger, s.pod3, of_pod3, of_pod3},
      {"peer_to_stranger", s.pod2, s.stranger, of_pod2, of_pod2},
      {"strangers", s.stranger, s.stranger, unknown, unknown},
      {"pods_of_a_peer", s.pod2, s.pod2b, other, other},
      {"own_pods", s.self_pod, s.self_pod2, spoofed, other},
      {"own_node_and_pod", s.self, s.self_pod, spoofed, other},
      {"outside_to_own_pod", s.outside, s.self_pod, other, other},
      {"own_pod_to_outside", s.self_pod, s.outside, other, other},
      {"outside_to_peer", s.outside, s.pod2, other, other},
      {"peer_to_outside", s.pod2, s.outside, other, other},
      {"outside_to_stranger", s.outside, s.stranger, other, other},
      {"stranger_to_outside", s.stranger, s.outside, other, other},
      {"nodes", s.node2, s.self, other, other},
      {"two_nodes", s.node2, s.node3, other, other},
      {"pod_to_group", s.pod2, s.group, other, other},
      {"outside", s.outside, s.outside, other, other},
  };
}

OracleVerdict to_group(OracleVerdict v) {
  if (v.klass == OTHER) v.klass = FLOODED;
  return v;
}

// Every talk, between an unlisted host and this node, and to a group.
void add_talks(CorpusBuilder& c, const Side& outer, const Side& inner, const std::string& carrier,
               const Frame& head) {
  const std::string at = std::string(outer.tag) + "/strange_" + carrier + "_" + inner.tag + "_";
  for (const Talk& talk : talks(outer, inner)) {
    const Frame carried = head / ip(inner, talk.src, talk.dst) / Udp{} / Payload{4};
    const auto between = [&](const char* src, const char* dst) {
      return Eth{} / ip(outer, src, dst) / carried;
    };
    c.receive(at + talk.name, between(outer.outside, outer.self), talk.received);
    c.transmit(at + talk.name + "_out", between(outer.self, outer.outside), talk.sent);
    c.receive(at + talk.name + "_group", between(outer.node2, outer.group),
              to_group(talk.received));
    c.transmit(at + talk.name + "_group_out", between(outer.self, outer.group),
               to_group(talk.sent));
  }
}

// One talk, between all outer ends that are no pair.
void add_outer_ends(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/strange_ends_";
  const auto clear = on(s, CLEARTEXT_TUNNEL, 1, OK, s.subnet2);
  const auto between = [&](const char* src, const char* dst) {
    return Eth{} / ip(s, src, dst) / Udp{.dport = 4789} / Vxlan{} / Eth{} / clear_frame(s);
  };
  const auto plain = [&](const char* src, const char* dst) {
    return Eth{} / ip(s, src, dst) / Udp{.dport = 4789} / Vxlan{} / Eth{} / Arp{};
  };
  const std::pair<const char*, std::pair<const char*, const char*>> any[] = {
      {"outside", {s.outside, s.outside}}, {"to_outside", {s.node2, s.outside}},
      {"two_nodes", {s.node2, s.node3}},   {"from_outside_to_node", {s.outside, s.node2}},
      {"itself", {s.self, s.self}},
  };
  for (const auto& [name, ends] : any) {
    c.receive(at + name, between(ends.first, ends.second), clear);
    c.transmit(at + name + "_out", between(ends.first, ends.second), clear);
    c.receive(at + name + "_arp", plain(ends.first, ends.second), on(s, OTHER));
  }
  c.receive(at + "reverse", between(s.self, s.node2), clear);
  c.transmit(at + "reverse_out", between(s.node2, s.self), clear);
  // An end in a backend subnet: what is no pair's is only as telling as what it carries.
  c.receive(at + "outside_to_own_pod", between(s.outside, s.self_pod), clear);
  c.receive(at + "outside_to_own_pod_arp", plain(s.outside, s.self_pod), on(s, OTHER));
  c.transmit(at + "own_pod_to_outside", between(s.self_pod, s.outside), clear);
  c.transmit(at + "own_pod_to_outside_arp", plain(s.self_pod, s.outside), on(s, OTHER));
  c.receive(at + "pods_of_two_peers", between(s.pod2, s.pod3), clear);
  c.receive(at + "outside_to_pod_of_peer", between(s.outside, s.pod2), clear);
  c.transmit(at + "pod_of_peer_to_outside", between(s.pod2, s.outside), clear);
  c.receive(at + "own_pod_to_outside_received", between(s.self_pod, s.outside), clear);
  c.receive(at + "outside_to_own_pod_later_fragment",
            Eth{} / later_fragment(s, s.outside, s.self_pod, 47) / Payload{40},
            on(s, OTHER, 0, LATER_FRAGMENT));
  c.receive(at + "outside_to_own_pod_short_udp",
            Eth{} / announcing(s, s.outside, s.self_pod, 17) / Payload{7},
            on(s, OTHER, 0, SHORT_L4));
  c.receive(at + "outside_to_own_pod_cut",
            Eth{} / ip(s, s.outside, s.self_pod) / Gre{.protocol = 0x0800} / Payload{3},
            on(s, OTHER, 0, SHORT_TUNNEL));
  // Rows above those of tunnels.
  c.receive(at + "stranger", between(s.stranger, s.self), on(s, UNKNOWN_NODE));
  c.transmit(at + "to_stranger", between(s.self, s.stranger), on(s, UNKNOWN_NODE));
  c.transmit(at + "transit", between(s.outside, s.pod2),
             on(s, CLEARTEXT_TRANSIT, 1, OK, s.subnet2));
  c.receive(at + "pods_of_a_peer", between(s.pod2, s.pod2b), on(s, FLOODED));
  c.transmit(at + "own_pods_out", between(s.self_pod, s.self_pod2), on(s, FLOODED));
}

// To a group: only what has to be protected is more than flooded.
void add_groups(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/strange_group_";
  const auto to = [&](const char* src) { return Eth{.dst = kGroupMac} / ip(s, src, s.group); };
  const Frame vxlan = Udp{.dport = 4789} / Vxlan{} / Eth{};
  const auto clear = on(s, CLEARTEXT_TUNNEL, 1, OK, s.subnet2);
  const auto cut = on(s, FLOODED, 0, SHORT_TUNNEL);
  for (const auto& [name, src] : {std::pair{"node_", s.node2},
                                  {"self_", s.self},
                                  {"pod_", s.pod2},
                                  {"outside_", s.outside},
                                  {"stranger_", s.stranger}}) {
    c.receive(at + name + "clear", to(src) / vxlan / clear_frame(s), clear);
    c.transmit(at + name + "clear_out", to(src) / vxlan / clear_frame(s), clear);
    c.receive(at + name + "arp", to(src) / vxlan / Arp{}, on(s, FLOODED));
    c.receive(at + name + "cut", to(src) / Udp{.dport = 4789} / Payload{9}, cut);
  }
  const Frame nodes = ip(s, s.node2, s.self);
  c.receive(at + "esp_inside", to(s.node2) / vxlan / nodes / Esp{} / Payload{40}, on(s, FLOODED));
  c.receive(at + "esp_of_pods_inside",
            to(s.node2) / vxlan / ip(s, s.pod2, s.self_pod) / Esp{} / Payload{40}, clear);
  c.receive(at + "nested", to(s.node2) / vxlan / nodes / Gre{} / clear_frame(s), on(s, FLOODED));
  c.receive(at + "short_udp", Eth{} / announcing(s, s.node2, s.group, 17) / Payload{7},
            on(s, FLOODED, 0, SHORT_L4));
  c.receive(at + "gre_version_1", to(s.node2) / Gre{.version = 1} / clear_frame(s), on(s, FLOODED));
  c.receive(at + "source_port_only", to(s.node2) / Udp{.sport = 4789} / Vxlan{} / Eth{},
            on(s, FLOODED));
  c.receive(at + "endless",
            to(s.node2) / vxlan / Ipv6{.src = kSide6.node2, .dst = kSide6.self} /
                times(9, DestOpts{}) / Udp{},
            on(s, TOO_DEEP, 0, EXT_CHAIN));
  if (!s.v6)
    c.receive(at + "broadcast",
              Eth{.dst = kBroadcastMac} / Ipv4{.src = s.node2, .dst = "255.255.255.255"} / vxlan /
                  clear_frame(s),
              clear);
}

// Inside between no pair: the ends decide, protection is not looked for.
void add_inner_kinds(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/strange_inside_";
  const auto from = [&](const Frame& inner) {
    return Eth{} / ip(s, s.outside, s.self) / Gre{} / inner;
  };
  const Frame pods = ip(s, s.pod2, s.self_pod), nodes = ip(s, s.node2, s.self);
  const auto clear = on(s, CLEARTEXT_TUNNEL, 1, OK, s.subnet2), other = on(s, OTHER);
  for (const auto& [name, body] : {std::pair<std::string, Frame>{"esp", Esp{} / Payload{40}},
                                   {"ah", Ah{} / Udp{}},
                                   {"ike", Udp{.dport = 500}},
                                   {"nested", Gre{} / clear_frame(s)},
                                   {"nothing", Frame()}}) {
    c.receive(at + name + "_pods", from(pods / body), clear);
    c.receive(at + name + "_nodes", from(nodes / body), other);
  }
  c.receive(at + "later_fragment_pods",
            from(later_fragment(s, s.pod2, s.self_pod, 17) / Payload{8}), clear);
  c.receive(at + "later_fragment_nodes", from(later_fragment(s, s.node2, s.self, 47) / Payload{8}),
            other);
}

}  // namespace

void add_stranger_cases(CorpusBuilder& c) {
  for (const Side* s : {&kSide4, &kSide6}) {
    const Side& other = s->v6 ? kSide4 : kSide6;
    add_talks(c, *s, *s, "ip", Frame());
    add_talks(c, *s, other, "geneve", Udp{.sport = 4500, .dport = 6081} / Geneve{} / Eth{});
    add_outer_ends(c, *s);
    add_groups(c, *s);
    add_inner_kinds(c, *s);
  }
}

}  // namespace espial::frames
