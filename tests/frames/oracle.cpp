// SPDX-License-Identifier: Apache-2.0
#include "frames/oracle.h"

#include <algorithm>
#include <set>

#include "frames/oracle_walk.h"

namespace espial::frames {
namespace {

// Protocol numbers (IANA).
constexpr unsigned kIgmp = 2, kIpip = 4, kTcp = 6, kUdp = 17, kIpv6Inside = 41, kGre = 47,
                   kEsp = 50, kAh = 51, kIcmp6 = 58;

bool is_backend(Role r) { return r == Role::kSelfBackend || r == Role::kPeerBackend; }
bool is_self(Role r) { return r == Role::kSelfBackend || r == Role::kSelfUnderlay; }
bool is_peer(Role r) { return r == Role::kPeerBackend || r == Role::kPeerUnderlay; }

RoleEntry role_of(const World& world, const IpAddress& address) {
  RoleEntry best;
  for (const RoleEntry& entry : world.roles) {
    if (!entry.prefix.contains(address)) continue;
    if (best.role == Role::kNone || entry.prefix.length() > best.prefix.length()) best = entry;
  }
  return best;
}

bool multicast(const IpAddress& a) {
  return a.multicast() || a == IpAddress::parse("255.255.255.255");
}

bool port_is(View udp_or_tcp, unsigned port) {
  return number(udp_or_tcp, 0, 2) == port || number(udp_or_tcp, 2, 2) == port;
}
bool to_vxlan(View udp) {
  const auto dport = number(udp, 2, 2);
  return dport == 4789 || dport == 8472;
}

// The case at hand: one packet, its two ends and what has been found out so far.
struct Case {
  const World& world;
  const Headers& packet;
  RoleEntry src;
  RoleEntry dst;
  RoleEntry local;  // the end that the direction puts on this node
  RoleEntry remote;
  bool pair = false;
};

OracleVerdict say(const Case& c, Class klass, std::uint32_t peer, std::uint32_t subnet = 0) {
  return {true, klass, c.packet.outcome, peer, subnet, c.packet.family};
}
OracleVerdict say_pair(const Case& c, Class klass, std::optional<Outcome> outcome = {}) {
  auto v = say(c, klass, c.pair ? c.remote.peer : 0);
  if (outcome) v.outcome = *outcome;
  return v;
}

bool in_flood(const Case& c, bool group_mac) {
  const Headers& p = c.packet;
  if (multicast(p.dst)) return true;
  if (p.protocol == kIgmp) return true;
  if (p.family == Family::kIpv6 && p.protocol == kIcmp6 && !p.later_fragment && !p.l4.empty()) {
    const unsigned type = p.l4[0];
    if ((type >= 130 && type <= 137) || type == 143) return true;
  }
  if (c.src.role == Role::kSelfBackend && c.dst.role == Role::kSelfBackend) return true;
  if (c.src.role == Role::kPeerBackend && c.dst.role == Role::kPeerBackend &&
      c.src.peer == c.dst.peer)
    return true;
  return group_mac && c.dst.role == Role::kNetwork;
}

OracleVerdict judge_esp(const Case& c) {
  const Headers& p = c.packet;
  if (p.outcome == Outcome::SHORT_ESP) return say_pair(c, Class::MALFORMED);
  if (!p.later_fragment) {
    const auto spi = number(p.l4, 0, 4);
    const auto& nulls = c.world.null_spis;
    if (std::find(nulls.begin(), nulls.end(), spi) != nulls.end())
      return say_pair(c, Class::ESP_NULL);
  }
  return say_pair(c, Class::ESP);
}

// What a tunnel carries, once its own header is gone.
struct Inner {
  std::optional<Family> family;  // nothing: not IP
  View bytes;
};

void need(View bytes, std::size_t size) {
  if (bytes.size() < size) throw Unreadable{Outcome::SHORT_TUNNEL};
}

Inner from_ethertype(unsigned ethertype, View bytes) {
  if (ethertype == 0x0800) return {Family::kIpv4, bytes};
  if (ethertype == 0x86dd) return {Family::kIpv6, bytes};
  return {std::nullopt, bytes};
}

Inner inside_ethernet(View bytes) {
  need(bytes, 14);
  unsigned ethertype = number(bytes, 12, 2);
  bytes = bytes.subspan(14);
  for (int tags = 0; tags < 2 && (ethertype == 0x8100 || ethertype == 0x88a8); ++tags) {
    need(bytes, 4);
    ethertype = number(bytes, 2, 2);
    bytes = bytes.subspan(4);
  }
  return from_ethertype(ethertype, bytes);
}

Inner inside_gre(View bytes) {
  need(bytes, 4);
  const unsigned flags = number(bytes, 0, 2);
  const unsigned ethertype = number(bytes, 2, 2);
  if ((flags & 0x4007) != 0) return {};  // source routing, or not version 0
  const std::set<unsigned> known = {0x0800, 0x86dd, 0x6558};
  if (known.count(ethertype) == 0) return {};
  std::size_t size = 4;
  for (const unsigned option : {0x8000U, 0x2000U, 0x1000U})
    if ((flags & option) != 0) size += 4;
  need(bytes, size);
  bytes = bytes.subspan(size);
  return ethertype == 0x6558 ? inside_ethernet(bytes) : from_ethertype(ethertype, bytes);
}

Inner inside_vxlan(View bytes) {
  need(bytes, 8);
  return inside_ethernet(bytes.subspan(8));
}

bool is_tunnel(const Headers& p) {
  const unsigned proto = p.protocol.value_or(0);
  if (proto == kIpip || proto == kIpv6Inside || proto == kGre) return true;
  return proto == kUdp && !p.later_fragment && p.l4.size() >= 8 && to_vxlan(p.l4);
}

OracleVerdict judge_inner(const Case& c, const Inner& inner) {
  if (!inner.family) return say_pair(c, Class::OTHER);
  Headers in;
  try {
    in = read_ip(*inner.family, inner.bytes, inner.bytes.size(), Lengths::kIgnored, false);
  } catch (const Unreadable&) {
    return say_pair(c, Class::MALFORMED, Outcome::SHORT_TUNNEL);
  }
  if (in.protocol == kEsp) return say_pair(c, Class::ESP);
  for (const IpAddress& end : {in.src, in.dst}) {
    const Role role = role_of(c.world, end).role;
    if (is_backend(role) || role == Role::kNetwork) return say_pair(c, Class::CLEARTEXT_TUNNEL);
  }
  if (in.outcome == Outcome::SHORT_EXT)
    return say_pair(c, Class::MALFORMED, Outcome::SHORT_TUNNEL);
  if (in.outcome == Outcome::EXT_CHAIN) return say_pair(c, Class::TOO_DEEP, Outcome::EXT_CHAIN);
  if (is_tunnel(in)) return say_pair(c, Class::TOO_DEEP, Outcome::NESTED);
  return say_pair(c, Class::OTHER);
}

template <typename Open>
OracleVerdict judge_tunnel(const Case& c, Open open) {
  if (!c.pair) return say_pair(c, Class::OTHER);
  try {
    return judge_inner(c, open());
  } catch (const Unreadable& why) {
    return say_pair(c, Class::MALFORMED, why.outcome);
  }
}

// RFC 3948: what UDP 4500 carries.
OracleVerdict judge_nat_traversal(const Case& c) {
  const View udp = c.packet.l4;
  const std::size_t stated = number(udp, 4, 2);
  const std::size_t size = std::min(stated < 8 ? 0 : stated - 8, udp.size() - 8);
  const View payload = udp.subspan(8, size);
  if (size == 1 && payload[0] == 0xff) return say_pair(c, Class::IKE);
  if (size >= 4 && number(payload, 0, 4) == 0) return say_pair(c, Class::IKE);
  if (size >= 8) return say_pair(c, Class::ESP_UDP);
  return say_pair(c, Class::MALFORMED, Outcome::SHORT_ESP);
}

OracleVerdict judge_udp(const Case& c) {
  const View udp = c.packet.l4;
  if (port_is(udp, 500)) return say_pair(c, Class::IKE);
  if (port_is(udp, 4500)) return judge_nat_traversal(c);
  if (to_vxlan(udp)) return judge_tunnel(c, [&] { return inside_vxlan(udp.subspan(8)); });
  return say_pair(c, Class::OTHER);
}

// Between underlay addresses, or where no pair is: only what the packet is counts.
OracleVerdict judge_by_protocol(const Case& c) {
  const Headers& p = c.packet;
  if (p.outcome == Outcome::EXT_CHAIN) return say_pair(c, Class::TOO_DEEP);
  if (p.outcome == Outcome::SHORT_EXT || p.outcome == Outcome::SHORT_L4)
    return say_pair(c, Class::MALFORMED);
  const unsigned proto = p.protocol.value();
  if (p.later_fragment) {
    const bool tunnel = proto == kIpip || proto == kIpv6Inside || proto == kGre;
    return say_pair(c, tunnel && c.pair ? Class::CLEARTEXT_TUNNEL : Class::OTHER);
  }
  switch (proto) {
    case kUdp:
      return judge_udp(c);
    case kTcp:
      return say_pair(c, port_is(p.l4, 4500) ? Class::ESP_TCP : Class::OTHER);
    case kIpip:
      return judge_tunnel(c, [&] { return Inner{Family::kIpv4, p.l4}; });
    case kIpv6Inside:
      return judge_tunnel(c, [&] { return Inner{Family::kIpv6, p.l4}; });
    case kGre:
      return judge_tunnel(c, [&] { return inside_gre(p.l4); });
    default:
      return say_pair(c, Class::OTHER);
  }
}

OracleVerdict judge_by_ends(const Case& c, Direction direction) {
  if (c.pair) {
    const int backends = (is_backend(c.local.role) ? 1 : 0) + (is_backend(c.remote.role) ? 1 : 0);
    if (backends == 2) return say(c, Class::CLEARTEXT, c.remote.peer, c.remote.subnet);
    if (backends == 1) return say(c, Class::CLEARTEXT_HOST, c.remote.peer, c.remote.subnet);
  }
  if (direction == Direction::TRANSMIT && c.dst.role == Role::kPeerBackend && !is_self(c.src.role))
    return say(c, Class::CLEARTEXT_TRANSIT, c.dst.peer, c.dst.subnet);
  return judge_by_protocol(c);
}

OracleVerdict judge_packet(const World& world, const Headers& packet, Direction direction,
                           bool group_mac) {
  const RoleEntry src = role_of(world, packet.src);
  const RoleEntry dst = role_of(world, packet.dst);
  const bool receive = direction == Direction::RECEIVE;
  Case c{world, packet, src, dst, receive ? dst : src, receive ? src : dst};
  c.pair = is_self(c.local.role) && is_peer(c.remote.role);
  if (in_flood(c, group_mac)) return say(c, Class::FLOODED, 0);
  const bool stranger = src.role == Role::kNetwork || dst.role == Role::kNetwork;
  if (stranger && packet.protocol != kEsp) return say(c, Class::UNKNOWN_NODE, 0);
  if (packet.protocol == kEsp) return judge_esp(c);
  if (packet.protocol == kAh) return say_pair(c, Class::AH);
  return judge_by_ends(c, direction);
}

// Whether a tagged frame is ours to judge; a verdict if it is not.
std::optional<OracleVerdict> judge_vlan(const World& world, const Link2& link) {
  if (link.vids.empty()) return std::nullopt;
  OracleVerdict other{true, Class::OTHER_VLAN, Outcome::OK, 0, 0, Family::kIpv4};
  if (link.ethertype == 0x86dd) other.family = Family::kIpv6;
  for (const VlanEntry& entry : world.vlans) {
    if (entry.vid != link.vids.front()) continue;
    if (entry.action == VlanAction::kClaimed) return OracleVerdict{.counted = false};
    return link.vids.size() > 1 ? std::optional(other) : std::nullopt;
  }
  return other;
}

}  // namespace

OracleVerdict oracle(const World& world, const Input& input) {
  OracleVerdict verdict;
  try {
    const Link2 link = read_link(input);
    if (const auto other = judge_vlan(world, link)) return *other;
    if (link.ethertype != 0x0800 && link.ethertype != 0x86dd) {
      verdict.outcome = Outcome::NOT_IP;
      const bool flooded = link.ethertype == 0x0806 || link.group_mac;
      verdict.klass = flooded ? Class::FLOODED : Class::OTHER;
      return verdict;
    }
    verdict.family = link.ethertype == 0x86dd ? Family::kIpv6 : Family::kIpv4;
    const std::size_t link_bytes = input.bytes.size() - link.rest.size();
    const std::size_t on_wire = std::max(input.original_length, input.bytes.size()) - link_bytes;
    const auto lengths = input.gso ? Lengths::kIgnored : Lengths::kChecked;
    const Headers packet = read_ip(verdict.family, link.rest, on_wire, lengths, true);
    return judge_packet(world, packet, input.direction, link.group_mac);
  } catch (const Unreadable& why) {
    verdict.outcome = why.outcome;
    verdict.klass = why.outcome == Outcome::VLAN_DEPTH ? Class::TOO_DEEP : Class::MALFORMED;
    return verdict;
  }
}

std::ostream& operator<<(std::ostream& out, const OracleVerdict& v) {
  if (!v.counted) return out << "not counted";
  return out << to_string(v.klass) << " outcome " << to_string(v.outcome) << " peer " << v.peer
             << " subnet " << v.subnet << " " << to_string(v.family);
}

}  // namespace espial::frames
