// SPDX-License-Identifier: Apache-2.0
#include "frames/oracle.h"

#include <algorithm>

#include "frames/oracle_content.h"
#include "frames/oracle_walk.h"

namespace espial::frames {
namespace {

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

// The case at hand: one packet, its two ends and what has been found out so far.
struct Case {
  const World& world;
  const Headers& packet;
  Content content;
  RoleEntry src;
  RoleEntry dst;
  RoleEntry local;  // the end that the direction puts on this node
  RoleEntry remote;
  bool receive = true;
  bool pair = false;
};

OracleVerdict say(const Case& c, Class klass, std::uint32_t peer, std::uint32_t subnet = 0) {
  return {true, klass, c.content.outcome, peer, subnet, c.packet.family};
}
OracleVerdict say_pair(const Case& c, Class klass) {
  return say(c, klass, c.pair ? c.remote.peer : 0);
}
OracleVerdict say_pair(const Case& c, Class klass, Outcome outcome) {
  auto v = say_pair(c, klass);
  v.outcome = outcome;
  return v;
}

// IGMP, MLD, neighbour and router discovery, redirects.
bool link_control(const Headers& p) {
  if (p.family == Family::kIpv4) return p.protocol == 2;
  if (p.protocol != 58 || p.later_fragment || p.l4.empty()) return false;
  const unsigned type = p.l4[0];
  return (type >= 130 && type <= 137) || type == 143;
}

bool one_node(const Case& c) {
  if (c.src.role == Role::kSelfBackend && c.dst.role == Role::kSelfBackend) return true;
  return c.src.role == Role::kPeerBackend && c.dst.role == Role::kPeerBackend &&
         c.src.peer == c.dst.peer;
}

bool null_spi(const Case& c) {
  const auto& nulls = c.world.null_spis;
  return c.content.spi && std::find(nulls.begin(), nulls.end(), *c.content.spi) != nulls.end();
}

OracleVerdict judge_inner(const Case& c) {
  const Headers& in = c.content.inner;
  if (in.protocol == 50) return say_pair(c, Class::ESP);
  const RoleEntry src = role_of(c.world, in.src);
  const RoleEntry dst = role_of(c.world, in.dst);
  for (const Role role : {src.role, dst.role}) {
    if (!is_backend(role) && role != Role::kNetwork) continue;
    auto v = say_pair(c, Class::CLEARTEXT_TUNNEL);
    const RoleEntry& theirs = c.receive ? src : dst;
    if (theirs.peer == c.remote.peer) v.subnet = theirs.subnet;
    return v;
  }
  if (in.outcome == Outcome::SHORT_EXT) return say_pair(c, Class::MALFORMED, Outcome::SHORT_TUNNEL);
  if (in.outcome == Outcome::EXT_CHAIN) return say_pair(c, Class::TOO_DEEP, Outcome::EXT_CHAIN);
  if (is_tunnel(in)) return say_pair(c, Class::TOO_DEEP, Outcome::NESTED);
  return say_pair(c, Class::OTHER);
}

// No end is a backend address: only what the packet is counts.
OracleVerdict judge_by_content(const Case& c) {
  switch (c.content.kind) {
    case Kind::kUnknown:
      return say_pair(c,
                      c.content.outcome == Outcome::EXT_CHAIN ? Class::TOO_DEEP : Class::MALFORMED);
    case Kind::kEspUdp:
      return say_pair(c, null_spi(c) ? Class::ESP_NULL : Class::ESP_UDP);
    case Kind::kEspTcp:
      return say_pair(c, Class::ESP_TCP);
    case Kind::kIke:
      return say_pair(c, Class::IKE);
    case Kind::kTunnelFragment:
      return say_pair(c, c.pair ? Class::CLEARTEXT_TUNNEL : Class::OTHER);
    case Kind::kTunnel:
      return c.pair ? judge_inner(c) : say_pair(c, Class::OTHER);
    case Kind::kBroken:
      // A tunnel's header means something between a pair only.
      if (!c.pair && c.content.outcome == Outcome::SHORT_TUNNEL) return say_pair(c, Class::OTHER);
      return say_pair(c, Class::MALFORMED);
    case Kind::kPlain:
    case Kind::kEsp:
    case Kind::kAh:
    case Kind::kBrokenEsp:
      return say_pair(c, Class::OTHER);
  }
  return say_pair(c, Class::OTHER);
}

OracleVerdict judge_by_ends(const Case& c, Direction direction) {
  const int backends = (is_backend(c.src.role) ? 1 : 0) + (is_backend(c.dst.role) ? 1 : 0);
  if (c.pair && backends == 2) return say(c, Class::CLEARTEXT, c.remote.peer, c.remote.subnet);
  if (c.pair && backends == 1) return say(c, Class::CLEARTEXT_HOST, c.remote.peer, c.remote.subnet);
  if (direction == Direction::TRANSMIT && c.dst.role == Role::kPeerBackend)
    return say(c, Class::CLEARTEXT_TRANSIT, c.dst.peer, c.dst.subnet);
  if (backends != 0) return say(c, Class::OTHER, 0);
  return judge_by_content(c);
}

OracleVerdict judge_packet(const World& world, const Headers& packet, Direction direction,
                           bool group_mac) {
  const RoleEntry src = role_of(world, packet.src);
  const RoleEntry dst = role_of(world, packet.dst);
  const bool receive = direction == Direction::RECEIVE;
  Case c{world,  packet, read_content(packet), src, dst, receive ? dst : src, receive ? src : dst,
         receive};
  c.pair = is_self(c.local.role) && is_peer(c.remote.role);
  if (multicast(packet.dst)) return say(c, Class::FLOODED, 0);
  if (c.content.kind == Kind::kBrokenEsp) return say_pair(c, Class::MALFORMED);
  if (c.content.kind == Kind::kEsp) return say_pair(c, null_spi(c) ? Class::ESP_NULL : Class::ESP);
  if (link_control(packet) || one_node(c)) return say(c, Class::FLOODED, 0);
  if (group_mac && dst.role == Role::kNetwork) return say(c, Class::FLOODED, 0);
  if (src.role == Role::kNetwork || dst.role == Role::kNetwork)
    return say(c, Class::UNKNOWN_NODE, 0);
  if (c.content.kind == Kind::kAh) return say_pair(c, Class::AH);
  return judge_by_ends(c, direction);
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
