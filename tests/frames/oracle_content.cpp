// SPDX-License-Identifier: Apache-2.0
#include "frames/oracle_content.h"

#include <algorithm>

namespace espial::frames {
namespace {

// Protocol numbers (IANA).
constexpr unsigned kIpip = 4, kTcp = 6, kUdp = 17, kIpv6Inside = 41, kGre = 47, kEspProto = 50,
                   kAhProto = 51, kIcmp6 = 58;

bool port_is(View udp_or_tcp, unsigned port) {
  return number(udp_or_tcp, 0, 2) == port || number(udp_or_tcp, 2, 2) == port;
}
bool to_vxlan(View udp) {
  const auto dport = number(udp, 2, 2);
  return dport == 4789 || dport == 8472;
}
bool is_tag(unsigned ethertype) { return ethertype == 0x8100 || ethertype == 0x88a8; }

void need(View bytes, std::size_t size, Outcome otherwise) {
  if (bytes.size() < size) throw Unreadable{otherwise};
}

// What a tunnel carries, once its own header is gone.
struct Carried {
  unsigned ethertype = 0;
  View bytes;
};

Carried inside_ethernet(View bytes) {
  need(bytes, 14, Outcome::SHORT_TUNNEL);
  Carried c{number(bytes, 12, 2), bytes.subspan(14)};
  for (int tags = 0; tags < 2 && is_tag(c.ethertype); ++tags) {
    need(c.bytes, 4, Outcome::SHORT_TUNNEL);
    c = {number(c.bytes, 2, 2), c.bytes.subspan(4)};
  }
  return c;
}

Carried inside_gre(View bytes) {
  need(bytes, 4, Outcome::SHORT_TUNNEL);
  const unsigned flags = number(bytes, 0, 2);
  const unsigned ethertype = number(bytes, 2, 2);
  if ((flags & 0x4007) != 0) return {};  // source routing, or not version 0
  std::size_t size = 4;
  for (const unsigned option : {0x8000U, 0x2000U, 0x1000U})
    if ((flags & option) != 0) size += 4;
  need(bytes, size, Outcome::SHORT_TUNNEL);
  bytes = bytes.subspan(size);
  return ethertype == 0x6558 ? inside_ethernet(bytes) : Carried{ethertype, bytes};
}

Content read_carried(const Carried& carried, const Headers& outer) {
  if (carried.ethertype != 0x0800 && carried.ethertype != 0x86dd) return {};
  const auto family = carried.ethertype == 0x0800 ? Family::kIpv4 : Family::kIpv6;
  try {
    Content content{Kind::kTunnel, Outcome::OK, {}, {}};
    content.inner = read_ip(family, carried.bytes,
                            outer.first_fragment ? Lengths::kIgnored : Lengths::kChecked);
    return content;
  } catch (const Unreadable&) {
    throw Unreadable{Outcome::SHORT_TUNNEL};
  }
}

Content read_esp(View l4) {
  if (l4.size() < 8) return {Kind::kBrokenEsp, Outcome::SHORT_ESP, {}, {}};
  return {Kind::kEsp, Outcome::OK, number(l4, 0, 4), {}};
}

Content read_ah(Headers packet) {
  try {
    step_over_ah(packet);
  } catch (const Unreadable& why) {
    return {Kind::kAh, why.outcome, {}, {}};
  }
  return packet.protocol == kEspProto ? read_esp(packet.l4) : Content{Kind::kAh, {}, {}, {}};
}

Content read_nat_traversal(View udp) {
  const std::size_t stated = number(udp, 4, 2);
  const std::size_t size = std::min(stated < 8 ? 0 : stated - 8, udp.size() - 8);
  const View payload = udp.subspan(8, size);
  if (size == 1 && payload[0] == 0xff) return {Kind::kIke, Outcome::OK, {}, {}};
  if (size >= 4 && number(payload, 0, 4) == 0) return {Kind::kIke, Outcome::OK, {}, {}};
  if (size >= 8) return {Kind::kEspUdp, Outcome::OK, number(payload, 0, 4), {}};
  throw Unreadable{Outcome::SHORT_ESP};
}

Content read_udp(const Headers& packet) {
  const View udp = packet.l4;
  need(udp, 8, Outcome::SHORT_L4);
  if (port_is(udp, 500)) return {Kind::kIke, Outcome::OK, {}, {}};
  if (port_is(udp, 4500)) return read_nat_traversal(udp);
  if (!to_vxlan(udp)) return {};
  need(udp, 16, Outcome::SHORT_TUNNEL);
  return read_carried(inside_ethernet(udp.subspan(16)), packet);
}

Content read_tcp(View tcp) {
  need(tcp, 20, Outcome::SHORT_L4);
  return {port_is(tcp, 4500) ? Kind::kEspTcp : Kind::kPlain, Outcome::OK, {}, {}};
}

Content read_later_fragment(unsigned protocol) {
  Kind kind = Kind::kPlain;
  if (protocol == kEspProto) kind = Kind::kEsp;
  if (protocol == kAhProto) kind = Kind::kAh;
  if (protocol == kIpip || protocol == kIpv6Inside || protocol == kGre)
    kind = Kind::kTunnelFragment;
  return {kind, Outcome::LATER_FRAGMENT, {}, {}};
}

Content read_first(const Headers& packet) {
  switch (packet.protocol.value()) {
    case kEspProto:
      return read_esp(packet.l4);
    case kAhProto:
      return read_ah(packet);
    case kUdp:
      return read_udp(packet);
    case kTcp:
      return read_tcp(packet.l4);
    case kIpip:
      return read_carried({0x0800, packet.l4}, packet);
    case kIpv6Inside:
      return read_carried({0x86dd, packet.l4}, packet);
    case kGre:
      return read_carried(inside_gre(packet.l4), packet);
    case kIcmp6:
      return {Kind::kPlain, packet.l4.empty() ? Outcome::SHORT_L4 : Outcome::OK, {}, {}};
    default:
      return {};
  }
}

}  // namespace

Content read_content(const Headers& packet) {
  if (!packet.protocol) return {Kind::kUnknown, packet.outcome, {}, {}};
  if (packet.later_fragment) return read_later_fragment(*packet.protocol);
  try {
    return read_first(packet);
  } catch (const Unreadable& why) {
    return {Kind::kBroken, why.outcome, {}, {}};
  }
}

std::optional<std::size_t> transport_end(const Headers& packet, View whole) {
  if (packet.outcome != Outcome::OK) return std::nullopt;
  const auto begin = static_cast<std::size_t>(packet.l4.data() - whole.data());
  if (packet.protocol == kUdp && packet.l4.size() >= 8) return begin + 8;
  if (packet.protocol != kTcp || packet.l4.size() < 20) return std::nullopt;
  const std::size_t stated = std::size_t{packet.l4[12]} / 16 * 4;
  return begin + (stated > 20 && stated <= packet.l4.size() ? stated : 20);
}

bool is_tunnel(const Headers& packet) {
  if (packet.later_fragment) return false;
  const unsigned proto = packet.protocol.value_or(0);
  if (proto == kIpip || proto == kIpv6Inside || proto == kGre) return true;
  return proto == kUdp && packet.l4.size() >= 8 && to_vxlan(packet.l4);
}

}  // namespace espial::frames
