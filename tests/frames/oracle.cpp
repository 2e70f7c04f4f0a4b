// SPDX-License-Identifier: Apache-2.0
#include "frames/oracle.h"

#include <algorithm>

#include "frames/oracle_case.h"
#include "frames/oracle_content.h"
#include "frames/oracle_walk.h"

namespace espial::frames {
namespace {

bool multicast(const IpAddress& a) {
  return a.multicast() || a == IpAddress::parse("255.255.255.255");
}

// MLD, neighbour and router discovery, redirects: what no router has passed on.
bool link_control(const Headers& p) {
  if (p.family != Family::kIpv6 || p.protocol != 58 || p.later_fragment || p.l4.empty())
    return false;
  const unsigned type = p.l4[0];
  const bool discovery = type >= 133 && type <= 137;
  const bool listeners = (type >= 130 && type <= 132) || type == 143;
  return (discovery && p.hop_limit == 255) || (listeners && p.hop_limit == 1);
}

// Both ends are pods of one node; on the wire of another than this one, when received.
bool one_node(const Case& c) {
  if (c.src.role == Role::kSelfBackend && c.dst.role == Role::kSelfBackend) return !c.receive;
  return c.receive && c.src.role == Role::kPeerBackend && c.dst.role == Role::kPeerBackend &&
         c.src.peer == c.dst.peer;
}

bool null_spi(const Case& c) {
  const auto& nulls = c.world.null_spis;
  return c.content.spi && std::find(nulls.begin(), nulls.end(), *c.content.spi) != nulls.end();
}

}  // namespace

bool foreign(const Case& c, const IpAddress& destination, std::optional<std::uint32_t> spi) {
  const auto& sas = c.world.sas;
  return !sas.empty() && c.pair && spi &&
         std::find(sas.begin(), sas.end(), std::pair(destination, *spi)) == sas.end();
}

namespace {

Class class_of_esp(const Case& c, Class otherwise) {
  if (foreign(c, c.packet.dst, c.content.spi)) return Class::ESP_FOREIGN;
  return null_spi(c) ? Class::ESP_NULL : otherwise;
}

// No end is a backend address: only what the packet is counts.
OracleVerdict judge_by_content(const Case& c) {
  switch (c.content.kind) {
    case Kind::kUnknown:
      return say_pair(c,
                      c.content.outcome == Outcome::EXT_CHAIN ? Class::TOO_DEEP : Class::MALFORMED);
    case Kind::kEspUdp:
      return say_pair(c, class_of_esp(c, Class::ESP_UDP));
    case Kind::kEspTcp:
      return say_pair(c, Class::ESP_TCP);
    case Kind::kIke:
      return say_pair(c, Class::IKE);
    case Kind::kTunnelFragment:
      return say_pair(c, c.pair ? Class::CLEARTEXT_TUNNEL : Class::OTHER);
    case Kind::kBroken:
      return say_pair(c, Class::MALFORMED);
    default:
      return say_pair(c, Class::OTHER);
  }
}

OracleVerdict judge_by_ends(const Case& c) {
  const int backends = (is_backend(c.src.role) ? 1 : 0) + (is_backend(c.dst.role) ? 1 : 0);
  if (c.content.kind == Kind::kAh && backends == 0) return say_pair(c, Class::AH);
  if (c.pair && backends == 2) return say(c, Class::CLEARTEXT, c.remote.peer, c.remote.subnet);
  if (c.pair && backends == 1) return say(c, Class::CLEARTEXT_HOST, c.remote.peer, c.remote.subnet);
  const bool from_peer_to_us = is_peer(c.src.role) && is_self(c.dst.role);
  if (!c.receive && from_peer_to_us && backends != 0)
    return say(c, Class::CLEARTEXT_RESENT, c.src.peer, c.src.subnet);
  if (!c.receive && c.dst.role == Role::kPeerBackend)
    return say(c, Class::CLEARTEXT_TRANSIT, c.dst.peer, c.dst.subnet);
  if (is_tunnel(c.packet)) return judge_tunnel(c);
  if (backends != 0) return say(c, Class::OTHER, 0);
  return judge_by_content(c);
}

// What is told to many: nobody protects it, but a tunnel to a group may carry what must be.
OracleVerdict judge_multicast(const Case& c) {
  if (!is_tunnel(c.packet)) return say(c, Class::FLOODED, 0);
  auto v = judge_tunnel(c);
  if (v.klass == Class::OTHER) v.klass = Class::FLOODED;
  return v;
}

OracleVerdict judge_packet(const World& world, const Headers& packet, Direction direction,
                           bool group_mac) {
  const RoleEntry src = role_of(world, packet.src);
  const RoleEntry dst = role_of(world, packet.dst);
  const bool receive = direction == Direction::RECEIVE;
  Case c{world,  packet, read_content(packet), src, dst, receive ? dst : src, receive ? src : dst,
         receive};
  c.pair = is_self(c.local.role) && is_peer(c.remote.role);
  if (multicast(packet.dst)) return judge_multicast(c);
  const bool network = src.role == Role::kNetwork || dst.role == Role::kNetwork;
  if (!network && !is_backend(src.role) && !is_backend(dst.role)) {
    if (c.content.kind == Kind::kBrokenEsp) return say_pair(c, Class::MALFORMED);
    if (c.content.kind == Kind::kEsp) return say_pair(c, class_of_esp(c, Class::ESP));
  }
  if (link_control(packet) || one_node(c)) return say(c, Class::FLOODED, 0);
  if (group_mac && dst.role == Role::kNetwork) return say(c, Class::FLOODED, 0);
  const bool to_backend = is_backend(dst.role) || dst.role == Role::kNetwork;
  if (receive && is_self(src.role) && to_backend) return say(c, Class::CLEARTEXT_SPOOFED, 0);
  if (network) return say(c, Class::UNKNOWN_NODE, 0);
  return judge_by_ends(c);
}

OracleVerdict judge_without_ip(const Link2& link, Family family, Outcome outcome) {
  OracleVerdict v{true, Class::MALFORMED, outcome, 0, 0, family};
  if (outcome == Outcome::VLAN_DEPTH) v.klass = Class::TOO_DEEP;
  if (outcome == Outcome::NOT_IP)
    v.klass = link.ethertype == 0x0806 || link.group_mac ? Class::FLOODED : Class::OTHER;
  return v;
}

// How far reading comes, whatever the frame means: what is inside a tunnel is not asked.
Outcome reading_outcome(const Link2& link) {
  if (link.broken != Outcome::OK) return link.broken;
  if (link.ethertype != 0x0800 && link.ethertype != 0x86dd) return Outcome::NOT_IP;
  const auto family = link.ethertype == 0x86dd ? Family::kIpv6 : Family::kIpv4;
  try {
    return read_content(read_ip(family, link.rest, Lengths::kChecked)).outcome;
  } catch (const Unreadable& why) {
    return why.outcome;
  }
}

// The frame as if it were untagged.
OracleVerdict judge_untagged(const World& world, const Input& input, const Link2& link) {
  if (link.broken != Outcome::OK) return judge_without_ip(link, Family::kIpv4, link.broken);
  if (link.ethertype != 0x0800 && link.ethertype != 0x86dd)
    return judge_without_ip(link, Family::kIpv4, Outcome::NOT_IP);
  const auto family = link.ethertype == 0x86dd ? Family::kIpv6 : Family::kIpv4;
  try {
    const Headers packet = read_ip(family, link.rest, Lengths::kChecked);
    return judge_packet(world, packet, input.direction, link.group_mac);
  } catch (const Unreadable& why) {
    return judge_without_ip(link, family, why.outcome);
  }
}

}  // namespace

RoleEntry role_of(const World& world, const IpAddress& address) {
  RoleEntry best;
  for (const RoleEntry& entry : world.roles) {
    if (!entry.prefix.contains(address)) continue;
    if (best.role == Role::kNone || entry.prefix.length() > best.prefix.length()) best = entry;
  }
  return best;
}

OracleVerdict oracle(const World& world, const Input& input) {
  const Link2 link = read_link(input);
  auto verdict = judge_untagged(world, input, link);
  if (link.vids.empty()) return verdict;
  const auto known = std::find_if(world.vlans.begin(), world.vlans.end(),
                                  [&](const VlanEntry& e) { return e.vid == link.vids.front(); });
  if (known != world.vlans.end() && known->action == VlanAction::kClaimed)
    return OracleVerdict{.counted = false};
  if (known != world.vlans.end() && link.vids.size() == 1) return verdict;
  verdict.klass = Class::OTHER_VLAN;
  verdict.outcome = reading_outcome(link);
  verdict.peer = verdict.subnet = 0;
  return verdict;
}

OracleSize oracle_size(const Input& input) {
  const Link2 link = read_link(input);
  OracleSize size{link.rest.size(), {}};
  if (link.broken != Outcome::OK || (link.ethertype != 0x0800 && link.ethertype != 0x86dd))
    return size;
  const auto family = link.ethertype == 0x86dd ? Family::kIpv6 : Family::kIpv4;
  try {
    const Headers packet = read_ip(family, link.rest, Lengths::kChecked);
    const Content content = read_content(packet);
    size.length = packet.whole.size();
    if (content.kind == Kind::kTunnel) {
      const View inner = content.inner.whole;
      const bool fills = inner.data() + inner.size() == packet.whole.data() + packet.whole.size();
      if (fills) size.headers = transport_end(content.inner, packet.whole);
    } else if (content.outcome == Outcome::OK && !is_tunnel(packet)) {
      const bool ports_end_it = content.kind == Kind::kPlain || content.kind == Kind::kEspTcp;
      if (ports_end_it) size.headers = transport_end(packet, packet.whole);
    }
  } catch (const Unreadable&) {
    return size;
  }
  return size;
}

std::ostream& operator<<(std::ostream& out, const OracleVerdict& v) {
  if (!v.counted) return out << "not counted";
  return out << to_string(v.klass) << " outcome " << to_string(v.outcome) << " peer " << v.peer
             << " subnet " << v.subnet << " " << to_string(v.family);
}

}  // namespace espial::frames
