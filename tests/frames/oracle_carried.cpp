// SPDX-License-Identifier: Apache-2.0
// The oracle's reading of tunnels: from the bytes of one to the IP packet that it carries.
#include "frames/oracle_content.h"

namespace espial::frames {
namespace {

constexpr unsigned kIpipProto = 4, kOverUdp = 17, kSitProto = 41, kGreProto = 47;
constexpr unsigned kIpv4Type = 0x0800, kIpv6Type = 0x86dd, kEthernetType = 0x6558;
constexpr unsigned kVxlanPort = 4789, kOldVxlanPort = 8472, kGpePort = 4790, kGenevePort = 6081;
constexpr int kMaxInnerTags = 8;

struct HeaderCut {};
struct TooManyTags {};

// What a tunnel carries, once its own header is gone; ethertype 0: what is not read.
struct Carried {
  unsigned ethertype = 0;
  View bytes;
};

View behind(View bytes, std::size_t size) {
  if (bytes.size() < size) throw HeaderCut{};
  return bytes.subspan(size);
}

bool is_tag(unsigned ethertype) { return ethertype == 0x8100 || ethertype == 0x88a8; }

Carried inside_ethernet(View frame) {
  View rest = behind(frame, 14);
  unsigned ethertype = number(frame, 12, 2);
  for (int tags = 0; is_tag(ethertype); ++tags) {
    if (tags == kMaxInnerTags) throw TooManyTags{};
    const View tag = rest;
    rest = behind(tag, 4);
    ethertype = number(tag, 2, 2);
  }
  return {ethertype, rest};
}

Carried inside_type(unsigned ethertype, View bytes) {
  if (ethertype == kEthernetType) return inside_ethernet(bytes);
  if (ethertype == kIpv4Type || ethertype == kIpv6Type) return {ethertype, bytes};
  return {};
}

Carried inside_wccp(View bytes) {
  behind(bytes, 1);
  return {kIpv4Type, bytes[0] >> 4 == 4 ? bytes : behind(bytes, 4)};
}

Carried inside_erspan3(View bytes) {
  const View rest = behind(bytes, 12);
  const bool subheader = (bytes[11] & 1) != 0;
  return inside_ethernet(subheader ? behind(rest, 8) : rest);
}

Carried inside_gre(View bytes) {
  View rest = behind(bytes, 4);
  const bool checksum = (bytes[0] & 0x80) != 0, routing = (bytes[0] & 0x40) != 0;
  const bool key = (bytes[0] & 0x20) != 0, sequence = (bytes[0] & 0x10) != 0;
  if (routing || (bytes[1] & 7) != 0) return {};
  for (const bool option : {checksum, key, sequence})
    if (option) rest = behind(rest, 4);
  switch (const unsigned protocol = number(bytes, 2, 2)) {
    case 0x883e:
      return inside_wccp(rest);
    case 0x88be:
      return inside_ethernet(sequence ? behind(rest, 8) : rest);
    case 0x22eb:
      return inside_erspan3(rest);
    default:
      return inside_type(protocol, rest);
  }
}

Carried inside_gpe(View bytes) {
  const View rest = behind(bytes, 8);
  switch (bytes[3]) {
    case 1:
      return {kIpv4Type, rest};
    case 2:
      return {kIpv6Type, rest};
    case 3:
      return inside_ethernet(rest);
    default:
      return {};
  }
}

Carried inside_geneve(View bytes) {
  const View rest = behind(bytes, 8);
  const std::size_t options = std::size_t{bytes[0] & 0x3fU} * 4;
  return inside_type(number(bytes, 2, 2), behind(rest, options));
}

Carried inside_udp(View udp) {
  const View payload = behind(udp, 8);
  switch (number(udp, 2, 2)) {
    case kGpePort:
      return inside_gpe(payload);
    case kGenevePort:
      return inside_geneve(payload);
    default:
      return inside_ethernet(behind(payload, 8));
  }
}

Carried inside(const Headers& packet) {
  switch (packet.protocol.value()) {
    case kIpipProto:
      return {kIpv4Type, packet.l4};
    case kSitProto:
      return {kIpv6Type, packet.l4};
    case kGreProto:
      return inside_gre(packet.l4);
    default:
      return inside_udp(packet.l4);
  }
}

Content read_inner_ip(const Carried& carried, const Headers& outer) {
  const auto family = carried.ethertype == kIpv4Type ? Family::kIpv4 : Family::kIpv6;
  const auto lengths = outer.first_fragment ? Lengths::kIgnored : Lengths::kChecked;
  try {
    return {Kind::kTunnel, Outcome::OK, {}, read_ip(family, carried.bytes, lengths)};
  } catch (const Unreadable&) {
    return {Kind::kTunnelBad, Outcome::SHORT_TUNNEL, {}, {}};
  }
}

}  // namespace

bool is_tunnel(const Headers& packet) {
  if (packet.later_fragment || !packet.protocol) return false;
  const unsigned proto = *packet.protocol;
  if (proto == kIpipProto || proto == kSitProto || proto == kGreProto) return true;
  if (proto != kOverUdp || packet.l4.size() < 8) return false;
  const unsigned port = number(packet.l4, 2, 2);
  return port == kVxlanPort || port == kOldVxlanPort || port == kGpePort || port == kGenevePort;
}

Content read_tunnel(const Headers& packet) {
  try {
    const Carried carried = inside(packet);
    if (carried.ethertype == kIpv4Type || carried.ethertype == kIpv6Type)
      return read_inner_ip(carried, packet);
    return {Kind::kTunnelOther, Outcome::OK, {}, {}};
  } catch (const HeaderCut&) {
    return {Kind::kTunnelBad, Outcome::SHORT_TUNNEL, {}, {}};
  } catch (const TooManyTags&) {
    return {Kind::kTunnelTags, Outcome::VLAN_DEPTH, {}, {}};
  }
}

}  // namespace espial::frames
