// SPDX-License-Identifier: Apache-2.0
// Corpus: neighbour and router discovery, group membership, broadcasts.
#include "frames/corpus.h"

namespace espial::frames {
namespace {

using enum Class;
using enum Outcome;

void add_control_messages(CorpusBuilder& c) {
  const Side& s = kSide6;
  // What a router has passed on is no discovery, and nothing else is either.
  for (const std::uint8_t type :
       Numbers{129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 142, 143, 144})
    for (const std::uint8_t limit : Numbers{0, 1, 2, 64, 254, 255}) {
      const bool listeners = (type >= 130 && type <= 132) || type == 143;
      const bool discovery = type >= 133 && type <= 137;
      const bool flooded = (listeners && limit == 1) || (discovery && limit == 255);
      const std::string name = std::to_string(type) + "_hop_limit_" + std::to_string(limit);
      const Frame body = Icmp6{.type = type} / Payload{16};
      c.receive("v6/icmp6_" + name,
                Eth{} / Ipv6{.src = s.pod2, .dst = s.self_pod, .hop_limit = limit} / body,
                flooded ? v6(FLOODED) : v6(CLEARTEXT, 1, OK, 2));
    }
  for (const std::uint8_t type : Numbers{130, 133, 137, 143})
    for (const std::uint8_t limit : Numbers{1, 64, 254, 255}) {
      const bool flooded = limit == (type == 130 || type == 143 ? 1 : 255);
      const std::string name = std::to_string(type) + "_hop_limit_" + std::to_string(limit);
      const Frame body = Icmp6{.type = type} / Payload{16};
      const auto at = [&](const char* src, const char* dst) {
        return Eth{} / Ipv6{.src = src, .dst = dst, .hop_limit = limit} / body;
      };
      c.transmit("v6/icmp6_out_" + name, at(s.self, s.pod2),
                 flooded ? v6(FLOODED) : v6(CLEARTEXT_HOST, 1, OK, 2));
      c.receive("v6/icmp6_nodes_" + name, at(s.node2, s.self),
                flooded ? v6(FLOODED) : v6(OTHER, 1));
      c.receive("v6/icmp6_stranger_" + name, at(s.stranger, s.self_pod),
                flooded ? v6(FLOODED) : v6(UNKNOWN_NODE));
      c.receive("v6/icmp6_own_source_" + name, at(s.self_pod, s.pod2),
                flooded ? v6(FLOODED) : v6(CLEARTEXT_SPOOFED));
      c.receive("v6/icmp6_group_" + name, at(s.node2, s.group), v6(FLOODED));
    }
  for (const std::uint8_t type : Numbers{1, 2, 128})
    c.receive("v6/icmp6_not_flooded_" + std::to_string(type),
              Eth{} / ip(s, s.pod2, s.self_pod) / Icmp6{.type = type} / Payload{16},
              v6(CLEARTEXT, 1, OK, 2));
  c.receive("v6/icmp6_between_nodes", Eth{} / ip(s, s.node2, s.self) / Icmp6{}, v6(OTHER, 1));
  c.receive("v6/mld_behind_hop_by_hop",
            Eth{} / Ipv6{.src = s.pod2, .dst = s.self_pod, .hop_limit = 1} / HopByHop{} /
                Icmp6{.type = 143},
            v6(FLOODED));
  c.receive("v6/nd_in_a_first_fragment",
            Eth{} / Ipv6{.src = s.pod2, .dst = s.self_pod, .hop_limit = 255} /
                Fragment6{.more = true} / Icmp6{.type = 135},
            v6(FLOODED));
  c.receive("v6/nd_number_in_a_later_fragment",
            Eth{} / Ipv6{.src = s.pod2, .dst = s.self_pod, .hop_limit = 255} /
                Fragment6{.offset = 2, .next = 58} / Icmp6{.type = 135},
            v6(CLEARTEXT, 1, LATER_FRAGMENT, 2));
  c.receive("v6/icmp6_without_type",
            Eth{} / Ipv6{.src = s.pod2, .dst = s.self_pod, .next_header = 58},
            v6(CLEARTEXT, 1, SHORT_L4, 2));
  c.receive("v6/icmp6_without_type_nodes",
            Eth{} / Ipv6{.src = s.node2, .dst = s.self, .next_header = 58}, v6(OTHER, 1, SHORT_L4));
  c.receive("v6/igmp_number_in_ipv6", Eth{} / ip(s, s.pod2, s.self_pod) / Igmp{},
            v6(CLEARTEXT, 1, OK, 2));
  c.receive(
      "v4/icmp6_number_in_ipv4",
      Eth{} / Ipv4{.src = kSide4.pod2, .dst = kSide4.self_pod, .ttl = 255} / Icmp6{.type = 135},
      v4(CLEARTEXT, 1, OK, 1));
  c.receive("v4/igmp",
            Eth{.dst = kGroupMac} / Ipv4{.src = kSide4.pod2, .dst = "224.0.0.22"} / Igmp{},
            v4(FLOODED));
  for (const std::uint8_t ttl : Numbers{1, 64, 255}) {
    const std::string name = "_ttl_" + std::to_string(ttl);
    const auto from = [&](const char* src, const char* dst) {
      return Eth{} / Ipv4{.src = src, .dst = dst, .ttl = ttl} / Igmp{};
    };
    c.receive("v4/igmp_unicast" + name, from(kSide4.pod2, kSide4.self_pod),
              v4(CLEARTEXT, 1, OK, 1));
    c.transmit("v4/igmp_unicast_out" + name, from(kSide4.self, kSide4.pod2),
               v4(CLEARTEXT_HOST, 1, OK, 1));
    c.receive("v4/igmp_unicast_nodes" + name, from(kSide4.node2, kSide4.self), v4(OTHER, 1));
  }
  c.receive(
      "v4/limited_broadcast",
      Eth{.dst = kBroadcastMac} / Ipv4{.dst = "255.255.255.255"} / Udp{.sport = 68, .dport = 67},
      v4(FLOODED));
  c.transmit(
      "v4/directed_broadcast_of_own_subnet",
      Eth{.dst = kBroadcastMac} / Ipv4{.src = kSide4.self_pod, .dst = "10.101.1.255"} / Udp{},
      v4(FLOODED));
  c.receive("v4/directed_broadcast_of_own_subnet_received",
            Eth{.dst = kBroadcastMac} / Ipv4{.src = kSide4.self_pod, .dst = "10.101.1.255"} / Udp{},
            v4(CLEARTEXT_SPOOFED));
  c.receive("v4/directed_broadcast_of_a_peer",
            Eth{.dst = kBroadcastMac} / Ipv4{.src = kSide4.pod2, .dst = "10.101.2.255"} / Udp{},
            v4(FLOODED));
  c.receive("v4/directed_broadcast_of_network",
            Eth{.dst = kBroadcastMac} / Ipv4{.src = kSide4.pod2, .dst = "10.101.255.255"} / Udp{},
            v4(FLOODED));
  c.receive("v4/multicast_239", Eth{} / Ipv4{.src = kSide4.pod2, .dst = "239.255.255.255"} / Udp{},
            v4(FLOODED));
  c.receive("v4/class_e_is_not_multicast",
            Eth{} / Ipv4{.src = kSide4.node2, .dst = "240.0.0.1"} / Udp{}, v4(OTHER));
  c.receive("v6/documentation_is_not_multicast",
            Eth{} / Ipv6{.src = s.node2, .dst = "fe80::1"} / Udp{}, v6(OTHER));
}

}  // namespace

void add_control_cases(CorpusBuilder& c) { add_control_messages(c); }

}  // namespace espial::frames
