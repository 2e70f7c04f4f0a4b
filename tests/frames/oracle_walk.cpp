// SPDX-License-Identifier: Apache-2.0
#include "frames/oracle_walk.h"

#include <set>

namespace espial::frames {
namespace {

const std::set<unsigned> kSkippable = {0, 43, 60, 135, 139, 140};  // length in 8-byte units
constexpr unsigned kFragment = 44;
constexpr unsigned kRouting = 43;
constexpr unsigned kEsp = 50;
constexpr unsigned kMaxExtensions = 8;
constexpr unsigned kMaxTagsInBytes = 8;

// Who a packet with a routing header is for in the end: the home address of type 2, the last
// segment of type 4, as long as there are hops to go.
void follow_route(Headers& h, std::size_t length) {
  const unsigned type = h.l4[2];
  const unsigned segments_left = h.l4[3];
  if ((type != 2 && type != 4) || segments_left == 0) return;
  if (length < 24 || h.l4.size() < 24) return;
  h.dst = IpAddress(Family::kIpv6, &h.l4[8]);
}

// Walks the extension headers of IPv6 from `next`; leaves protocol, fragment and l4 behind.
void walk_extensions(Headers& h, unsigned next) {
  unsigned seen = 0;
  while (kSkippable.count(next) != 0 || next == kFragment) {
    if (++seen > kMaxExtensions) throw Unreadable{Outcome::EXT_CHAIN};
    if (h.l4.size() < 8) throw Unreadable{Outcome::SHORT_EXT};
    std::size_t length = 8;
    if (next == kFragment) {
      h.later_fragment = number(h.l4, 2, 2) >> 3 != 0;
      if (!h.later_fragment && (h.l4[3] & 1) != 0) h.first_fragment = true;
    } else {
      length += 8 * std::size_t{h.l4[1]};
      if (next == kRouting) follow_route(h, length);
    }
    next = h.l4[0];
    if (length > h.l4.size()) throw Unreadable{Outcome::SHORT_EXT};
    h.l4 = h.l4.subspan(length);
    if (h.later_fragment) break;
  }
  h.protocol = static_cast<std::uint8_t>(next);
  if (h.later_fragment) h.outcome = Outcome::LATER_FRAGMENT;
}

Headers read_ipv4(View bytes, Lengths lengths) {
  if (bytes.size() < 20) throw Unreadable{Outcome::SHORT_IPV4};
  if (bytes[0] >> 4 != 4) throw Unreadable{Outcome::BAD_VERSION};
  const std::size_t header = (bytes[0] & 0xfU) * 4;
  if (header < 20) throw Unreadable{Outcome::BAD_IHL};
  if (header > bytes.size()) throw Unreadable{Outcome::SHORT_IPV4};
  if (lengths == Lengths::kChecked) {
    const std::size_t total = number(bytes, 2, 2);
    if (total < header || total > bytes.size()) throw Unreadable{Outcome::BAD_LENGTH};
    bytes = bytes.first(total);  // what follows is Ethernet padding
  }
  Headers h;
  h.family = Family::kIpv4;
  h.src = IpAddress(Family::kIpv4, &bytes[12]);
  h.dst = IpAddress(Family::kIpv4, &bytes[16]);
  h.hop_limit = bytes[8];
  h.protocol = bytes[9];
  h.later_fragment = (number(bytes, 6, 2) & 0x1fff) != 0;
  h.first_fragment = !h.later_fragment && (bytes[6] & 0x20) != 0;
  if (h.later_fragment) h.outcome = Outcome::LATER_FRAGMENT;
  h.whole = bytes;
  h.l4 = bytes.subspan(header);
  return h;
}

Headers read_ipv6(View bytes, Lengths lengths) {
  if (bytes.size() < 40) throw Unreadable{Outcome::SHORT_IPV6};
  if (bytes[0] >> 4 != 6) throw Unreadable{Outcome::BAD_VERSION};
  const std::size_t payload = number(bytes, 4, 2);
  const bool jumbogram = payload == 0 && bytes[6] == 0;
  if (lengths == Lengths::kChecked && !jumbogram) {
    if (40 + payload > bytes.size()) throw Unreadable{Outcome::BAD_LENGTH};
    bytes = bytes.first(40 + payload);
  }
  Headers h;
  h.family = Family::kIpv6;
  h.src = IpAddress(Family::kIpv6, &bytes[8]);
  h.dst = IpAddress(Family::kIpv6, &bytes[24]);
  h.hop_limit = bytes[7];
  h.whole = bytes;
  h.l4 = bytes.subspan(40);
  try {
    walk_extensions(h, bytes[6]);
  } catch (const Unreadable& why) {
    h.outcome = why.outcome;
    h.protocol.reset();
    h.later_fragment = false;
  }
  return h;
}

}  // namespace

std::uint32_t number(View bytes, std::size_t at, std::size_t size) {
  std::uint32_t v = 0;
  for (std::size_t i = 0; i < size; ++i) v = v << 8 | bytes[at + i];
  return v;
}

Link2 read_link(const Input& input) {
  Link2 link;
  link.rest = input.bytes;
  if (input.metadata_tci && (*input.metadata_tci & 0xfff) != 0)
    link.vids.push_back(*input.metadata_tci & 0xfff);
  if (input.link == LinkKind::kRaw) {
    const unsigned version = input.bytes.empty() ? 4 : input.bytes[0] >> 4;
    link.ethertype = version == 6 ? 0x86dd : 0x0800;
    return link;
  }
  if (input.bytes.size() < 14) {
    link.broken = Outcome::SHORT_ETH;
    return link;
  }
  link.group_mac = (input.bytes[0] & 1) != 0;
  link.ethertype = static_cast<std::uint16_t>(number(input.bytes, 12, 2));
  link.rest = input.bytes.subspan(14);
  for (unsigned tags = 0; link.ethertype == 0x8100 || link.ethertype == 0x88a8; ++tags) {
    if (tags == kMaxTagsInBytes) {
      link.broken = Outcome::VLAN_DEPTH;
      break;
    }
    if (link.rest.size() < 4) {
      link.broken = Outcome::SHORT_VLAN;
      break;
    }
    const std::uint32_t vid = number(link.rest, 0, 2) & 0xfff;
    if (vid != 0) link.vids.push_back(static_cast<std::uint16_t>(vid));
    link.ethertype = static_cast<std::uint16_t>(number(link.rest, 2, 2));
    link.rest = link.rest.subspan(4);
  }
  return link;
}

Headers read_ip(Family family, View bytes, Lengths lengths) {
  return family == Family::kIpv4 ? read_ipv4(bytes, lengths) : read_ipv6(bytes, lengths);
}

void step_over_ah(Headers& h) {
  if (h.l4.size() < 12) throw Unreadable{Outcome::SHORT_L4};
  if (h.l4[0] != kEsp) return;
  const std::size_t length = (h.l4[1] + std::size_t{2}) * 4;
  if (length < 12 || length > h.l4.size()) throw Unreadable{Outcome::SHORT_L4};
  h.protocol = static_cast<std::uint8_t>(kEsp);
  h.l4 = h.l4.subspan(length);
}

}  // namespace espial::frames
