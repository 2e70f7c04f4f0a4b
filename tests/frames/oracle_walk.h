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
  Outcome broken = Outcome::OK;
  bool group_mac = false;
  std::vector<std::uint16_t> vids;  // outermost first, priority tags left out
  std::uint16_t ethertype = 0;
  View rest;
};
// Never throws: `broken` says where reading stopped (SHORT_ETH, SHORT_VLAN, VLAN_DEPTH).
Link2 read_link(const Input& input);

struct Headers {
  Family family = Family::kIpv4;
  IpAddress src;
  IpAddress dst;
  std::uint8_t hop_limit = 0;
  Outcome outcome = Outcome::OK;         // OK, LATER_FRAGMENT; SHORT_EXT, EXT_CHAIN: no protocol
  std::optional<std::uint8_t> protocol;  // what the extension headers lead to
  bool first_fragment = false;
  bool later_fragment = false;
  View whole;  // the packet without Ethernet padding
  View l4;
};
// Whether the length fields of an IP header are held against the bytes present: not inside a first
// fragment, which holds only the beginning of what it carries.
enum class Lengths : std::uint8_t { kChecked, kIgnored };
// Throws SHORT_IPV4, SHORT_IPV6, BAD_VERSION, BAD_IHL, BAD_LENGTH.
Headers read_ip(Family family, View bytes, Lengths lengths);
// An AH that leads to ESP gives way to it; any other is itself the last header that counts.
void step_over_ah(Headers& h);

}  // namespace espial::frames
