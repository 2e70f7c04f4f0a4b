// SPDX-License-Identifier: Apache-2.0
// The oracle's reading of headers: from bytes to layers, with no opinion on classes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ip.h"
#include "frames/oracle.h"
#include "model/words.h"

namespace espial::frames {

using View = std::span<const std::uint8_t>;

// Thrown where reading has to stop: the outcome says why.
struct Unreadable {
  Outcome outcome;
};

std::uint32_t number(View bytes, std::size_t at, std::size_t size);  // big-endian

struct Link2 {
  bool group_mac = false;
  std::vector<std::uint16_t> vids;  // outermost first, priority tags left out
  std::uint16_t ethertype = 0;
  View rest;
};
// Throws SHORT_ETH, SHORT_VLAN, VLAN_DEPTH.
Link2 read_link(const Input& input);

struct Headers {
  Family family = Family::kIpv4;
  IpAddress src;
  IpAddress dst;
  Outcome outcome = Outcome::OK;         // SHORT_EXT and EXT_CHAIN: protocol is unknown
  std::optional<std::uint8_t> protocol;  // what the extension headers (and AH before ESP) lead to
  bool later_fragment = false;
  View l4;
};
// How strictly the length fields of an IP header are held against the bytes present.
enum class Lengths : std::uint8_t { kChecked, kIgnored };
// `present`: bytes of the packet that were on the wire. follow_ah: look behind AH for ESP.
// Throws SHORT_IPV4, SHORT_IPV6, BAD_VERSION, BAD_IHL, BAD_LENGTH.
Headers read_ip(Family family, View bytes, std::size_t present, Lengths lengths, bool follow_ah);

}  // namespace espial::frames
