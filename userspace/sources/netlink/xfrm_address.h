// SPDX-License-Identifier: Apache-2.0
// Addresses as XFRM netlink has them (include/uapi/linux/xfrm.h), and ours.
#pragma once

#include <linux/xfrm.h>

#include <cstring>
#include <optional>

#include "base/ip.h"

namespace espial {

inline IpAddress from_xfrm(Family family, const xfrm_address_t& address) {
  return IpAddress(family, address.a6);
}

inline xfrm_address_t to_xfrm(const IpAddress& address) {
  xfrm_address_t out{};
  std::memcpy(&out, address.bytes().data(), address.bits() / 8);
  return out;
}

// Nothing when the family has no such length.
inline std::optional<Prefix> from_xfrm(Family family, const xfrm_address_t& address,
                                       unsigned length) {
  if (length > (family == Family::kIpv4 ? 32u : 128u)) return std::nullopt;
  return Prefix(from_xfrm(family, address), length);
}

}  // namespace espial
