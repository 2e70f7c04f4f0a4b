// SPDX-License-Identifier: Apache-2.0
// Corpus: what goes the wrong way. Received under our own address, or sent out towards us.
#include "frames/corpus.h"

namespace espial::frames {
namespace {

using enum Class;
using enum Outcome;

// Whatever it is: its ends say that nobody can have sent it.
void add_spoofed(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/spoofed_";
  const auto spoofed = on(s, CLEARTEXT_SPOOFED);
  const auto from = [&](const char* src, const char* dst) { return Eth{} / ip(s, src, dst); };
  for (const auto& [name, src] : {std::pair{"pod_", s.self_pod}, {"node_", s.self}}) {
    c.receive(at + name + "to_pod_of_peer", from(src, s.pod2) / Udp{}, spoofed);
    c.receive(at + name + "to_own_pod", from(src, s.self_pod2) / Tcp{}, spoofed);
    c.receive(at + name + "to_stranger", from(src, s.stranger) / Udp{}, spoofed);
    c.receive(at + name + "to_pod_esp", from(src, s.self_pod2) / Esp{} / Payload{40}, spoofed);
    c.receive(at + name + "to_pod_ah", from(src, s.pod3) / Ah{} / Udp{}, spoofed);
    c.receive(at + name + "to_pod_tunnel", from(src, s.pod2) / Gre{} / clear_frame(s), spoofed);
    c.receive(at + name + "to_pod_ike", from(src, s.pod2) / Udp{.dport = 500}, spoofed);
    c.receive(at + name + "to_pod_later_fragment",
              Eth{} / later_fragment(s, src, s.pod2, 17) / Payload{20},
              on(s, CLEARTEXT_SPOOFED, 0, LATER_FRAGMENT));
    c.receive(at + name + "to_pod_short_udp", Eth{} / announcing(s, src, s.pod2, 17) / Payload{7},
              on(s, CLEARTEXT_SPOOFED, 0, SHORT_L4));
    c.receive(at + name + "to_outside", from(src, s.outside) / Udp{}, on(s, OTHER));
    c.receive(at + name + "to_group", from(src, s.group) / Udp{}, on(s, FLOODED));
    c.receive(at + name + "to_network_by_group_mac",
              Eth{.dst = kBroadcastMac} / ip(s, src, s.stranger) / Udp{}, on(s, FLOODED));
    c.receive(at + name + "to_pod_by_group_mac",
              Eth{.dst = kBroadcastMac} / ip(s, src, s.pod2) / Udp{}, spoofed);
  }
  c.receive(at + "pod_to_node_of_peer", from(s.self_pod, s.node2) / Udp{}, on(s, OTHER));
  c.receive(at + "pod_to_own_node", from(s.self_pod, s.self) / Udp{}, on(s, OTHER));
  c.receive(at + "node_to_itself", from(s.self, s.self) / Udp{}, on(s, OTHER));
  c.receive(at + "node_to_node_esp", from(s.self, s.node2) / Esp{} / Payload{40}, on(s, ESP));
}

void add_resent(CorpusBuilder& c, const Side& s) {
  const std::string at = std::string(s.tag) + "/resent_";
  const auto of_pod = on(s, CLEARTEXT_RESENT, 1, OK, s.subnet2);
  const auto of_node = on(s, CLEARTEXT_RESENT, 1);
  const auto from = [&](const char* src, const char* dst) { return Eth{} / ip(s, src, dst); };
  c.transmit(at + "pod_to_pod", from(s.pod2, s.self_pod) / Udp{}, of_pod);
  c.transmit(at + "pod_to_pod_tcp", from(s.pod2, s.self_pod) / Tcp{} / Payload{9}, of_pod);
  c.transmit(at + "pod_to_node", from(s.pod2, s.self) / Udp{}, of_pod);
  c.transmit(at + "node_to_pod", from(s.node2, s.self_pod) / Tcp{}, of_node);
  c.transmit(at + "pod_of_node3", from(s.pod3, s.self_pod) / Udp{},
             on(s, CLEARTEXT_RESENT, 2, OK, s.subnet3));
  c.transmit(at + "node3", from(s.node3, s.self_pod) / Udp{}, on(s, CLEARTEXT_RESENT, 2));
  c.transmit(at + "esp", from(s.pod2, s.self_pod) / Esp{} / Payload{40}, of_pod);
  c.transmit(at + "esp_to_pod", from(s.node2, s.self_pod) / Esp{.spi = kNullSpi}, of_node);
  c.transmit(at + "ah", from(s.pod2, s.self) / Ah{} / Udp{}, of_pod);
  c.transmit(at + "ah_and_esp", from(s.pod2, s.self) / Ah{} / Esp{} / Payload{40}, of_pod);
  c.transmit(at + "tunnel", from(s.pod2, s.self) / Gre{} / clear_frame(s), of_pod);
  c.transmit(at + "ike", from(s.node2, s.self_pod) / Udp{.dport = 500}, of_node);
  c.transmit(at + "later_fragment", Eth{} / later_fragment(s, s.pod2, s.self_pod, 17) / Payload{20},
             on(s, CLEARTEXT_RESENT, 1, LATER_FRAGMENT, s.subnet2));
  c.transmit(at + "short_tcp", Eth{} / announcing(s, s.node2, s.self_pod, 6) / Payload{19},
             on(s, CLEARTEXT_RESENT, 1, SHORT_L4));
  c.transmit(at + "by_group_mac", Eth{.dst = kBroadcastMac} / ip(s, s.pod2, s.self_pod) / Udp{},
             of_pod);
  c.transmit(at + "nodes", from(s.node2, s.self) / Udp{}, on(s, OTHER));
  c.transmit(at + "nodes_esp", from(s.node2, s.self) / Esp{} / Payload{40}, on(s, ESP));
  c.transmit(at + "stranger", from(s.stranger, s.self_pod) / Udp{}, on(s, UNKNOWN_NODE));
  c.transmit(at + "outside", from(s.outside, s.self_pod) / Udp{}, on(s, OTHER));
  c.transmit(at + "own_node_to_own_pod", from(s.self, s.self_pod) / Udp{}, on(s, OTHER));
  c.transmit(at + "group", from(s.pod2, s.group) / Udp{}, on(s, FLOODED));
}

}  // namespace

void add_resent_cases(CorpusBuilder& c) {
  for (const Side* side : {&kSide4, &kSide6}) {
    add_spoofed(c, *side);
    add_resent(c, *side);
  }
}

}  // namespace espial::frames
