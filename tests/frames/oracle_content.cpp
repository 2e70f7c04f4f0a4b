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

void need(View bytes, std::size_t size, Outcome otherwise) {
  if (bytes.size() < size) throw Unreadable{otherwise};
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
  return {};
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
  if (is_tunnel(packet)) return read_tunnel(packet);
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

}  // namespace espial::frames
