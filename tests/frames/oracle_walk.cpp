// SPDX-License-Identifier: Apache-2.0
#include "frames/oracle_walk.h"

#include <algorithm>
#include <set>

namespace espial::frames {
namespace {

const std::set<unsigned> kSkippable = {0, 43, 60, 135, 139, 140};  // length in 8-byte units
constexpr unsigned kFragment = 44;
constexpr unsigned kAh = 51;
constexpr unsigned kEsp = 50;
constexpr unsigned kMaxExtensions = 8;
constexpr unsigned kMaxTagsInBytes = 2;

// An AH that leads to ESP gives way to it; any other is itself the last header that counts.
void step_over_ah(Headers& h) {
  if (h.l4.size() < 12 || h.l4[0] != kEsp) return;
  const std::size_t length = (h.l4[1] + std::size_t{2}) * 4;
  if (length < 12 || length > h.l4.size()) return;
  h.protocol = static_cast<std::uint8_t>(kEsp);
  h.l4 = h.l4.subspan(length);
}

// Whether the last header is there as far as anyone needs it.
Outcome last_header_outcome(const Headers& h) {
  if (h.later_fragment) return Outcome::LATER_FRAGMENT;
  switch (h.protocol.value_or(0)) {
    case 6:
      return h.l4.size() < 20 ? Outcome::SHORT_L4 : Outcome::OK;
    case 17:
      return h.l4.size() < 8 ? Outcome::SHORT_L4 : Outcome::OK;
    case kEsp:
      return h.l4.size() < 8 ? Outcome::SHORT_ESP : Outcome::OK;
    case kAh: {
      if (h.l4.size() < 12) return Outcome::SHORT_L4;
      const std::size_t length = (h.l4[1] + std::size_t{2}) * 4;
      const bool leads_nowhere = h.l4[0] == kEsp && (length < 12 || length > h.l4.size());
      return leads_nowhere ? Outcome::SHORT_L4 : Outcome::OK;
    }
    default:
      return Outcome::OK;
  }
}

// Walks the extension headers of IPv6 from `next`; leaves protocol, fragment and l4 behind.
void walk_extensions(Headers& h, unsigned next) {
  unsigned seen = 0;
  const auto one_more = [&] {
    if (++seen > kMaxExtensions) throw Unreadable{Outcome::EXT_CHAIN};
  };
  while (kSkippable.count(next) != 0 || next == kFragment) {
    one_more();
    if (h.l4.size() < 8) throw Unreadable{Outcome::SHORT_EXT};
    const std::size_t length = next == kFragment ? 8 : 8 + 8 * std::size_t{h.l4[1]};
    if (next == kFragment && number(h.l4, 2, 2) >> 3 != 0) h.later_fragment = true;
    next = h.l4[0];
    if (length > h.l4.size()) throw Unreadable{Outcome::SHORT_EXT};
    h.l4 = h.l4.subspan(length);
    if (h.later_fragment) break;
  }
  if (next == kAh && !h.later_fragment) one_more();
  h.protocol = static_cast<std::uint8_t>(next);
}

void finish(Headers& h, bool follow_ah) {
  if (follow_ah && h.protocol == kAh && !h.later_fragment) step_over_ah(h);
  h.outcome = last_header_outcome(h);
}

Headers read_ipv4(View bytes, std::size_t present, Lengths lengths, bool follow_ah) {
  if (bytes.size() < 20) throw Unreadable{Outcome::SHORT_IPV4};
  if (bytes[0] >> 4 != 4) throw Unreadable{Outcome::BAD_VERSION};
  const std::size_t header = (bytes[0] & 0xfU) * 4;
  if (header < 20) throw Unreadable{Outcome::BAD_IHL};
  if (header > bytes.size()) throw Unreadable{Outcome::SHORT_IPV4};
  std::size_t end = bytes.size();
  if (lengths == Lengths::kChecked) {
    const std::size_t total = number(bytes, 2, 2);
    if (total < header || total > present) throw Unreadable{Outcome::BAD_LENGTH};
    end = std::min(total, bytes.size());
  }
  Headers h;
  h.family = Family::kIpv4;
  h.src = IpAddress(Family::kIpv4, &bytes[12]);
  h.dst = IpAddress(Family::kIpv4, &bytes[16]);
  h.protocol = bytes[9];
  h.later_fragment = (number(bytes, 6, 2) & 0x1fff) != 0;
  h.l4 = bytes.subspan(header, end - header);
  finish(h, follow_ah);
  return h;
}

Headers read_ipv6(View bytes, std::size_t present, Lengths lengths, bool follow_ah) {
  if (bytes.size() < 40) throw Unreadable{Outcome::SHORT_IPV6};
  if (bytes[0] >> 4 != 6) throw Unreadable{Outcome::BAD_VERSION};
  std::size_t end = bytes.size();
  const std::size_t payload = number(bytes, 4, 2);
  const bool jumbogram = payload == 0 && bytes[6] == 0;
  if (lengths == Lengths::kChecked && !jumbogram) {
    if (40 + payload > present) throw Unreadable{Outcome::BAD_LENGTH};
    end = std::min(40 + payload, bytes.size());
  }
  Headers h;
  h.family = Family::kIpv6;
  h.src = IpAddress(Family::kIpv6, &bytes[8]);
  h.dst = IpAddress(Family::kIpv6, &bytes[24]);
  h.l4 = bytes.subspan(40, end - 40);
  try {
    walk_extensions(h, bytes[6]);
    finish(h, follow_ah);
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
  if (input.link == LinkKind::kRaw) {
    const unsigned version = input.bytes.empty() ? 4 : input.bytes[0] >> 4;
    link.ethertype = version == 6 ? 0x86dd : 0x0800;
    return link;
  }
  if (input.bytes.size() < 14) throw Unreadable{Outcome::SHORT_ETH};
  link.group_mac = (input.bytes[0] & 1) != 0;
  link.ethertype = static_cast<std::uint16_t>(number(input.bytes, 12, 2));
  link.rest = input.bytes.subspan(14);
  std::vector<std::uint32_t> tags;
  if (input.metadata_tci) tags.push_back(*input.metadata_tci);
  for (unsigned in_bytes = 0; link.ethertype == 0x8100 || link.ethertype == 0x88a8; ++in_bytes) {
    if (in_bytes == kMaxTagsInBytes) throw Unreadable{Outcome::VLAN_DEPTH};
    if (link.rest.size() < 4) throw Unreadable{Outcome::SHORT_VLAN};
    tags.push_back(number(link.rest, 0, 2));
    link.ethertype = static_cast<std::uint16_t>(number(link.rest, 2, 2));
    link.rest = link.rest.subspan(4);
  }
  for (const std::uint32_t tci : tags)
    if ((tci & 0xfff) != 0) link.vids.push_back(static_cast<std::uint16_t>(tci & 0xfff));
  return link;
}

Headers read_ip(Family family, View bytes, std::size_t present, Lengths lengths, bool follow_ah) {
  return family == Family::kIpv4 ? read_ipv4(bytes, present, lengths, follow_ah)
                                 : read_ipv6(bytes, present, lengths, follow_ah);
}

}  // namespace espial::frames
