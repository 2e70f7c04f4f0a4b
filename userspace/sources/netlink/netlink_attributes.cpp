// SPDX-License-Identifier: Apache-2.0
#include "sources/netlink/netlink_attributes.h"

#include <sys/socket.h>

#include <algorithm>

namespace espial {

std::optional<Family> family_of(int address_family) {
  if (address_family == AF_INET) return Family::kIpv4;
  if (address_family == AF_INET6) return Family::kIpv6;
  return std::nullopt;
}

std::optional<IpAddress> read_address(Family family, Bytes bytes) {
  if (bytes.size() < (family == Family::kIpv4 ? 4u : 16u)) return std::nullopt;
  return IpAddress(family, bytes.data());
}

std::optional<Mac> read_mac(Bytes bytes) {
  Mac mac{};
  if (bytes.size() != mac.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), mac.begin());
  return mac;
}

std::string read_text(Bytes bytes) {
  const auto end = std::find(bytes.begin(), bytes.end(), std::uint8_t{0});
  return {bytes.begin(), end};
}

}  // namespace espial
