// SPDX-License-Identifier: Apache-2.0
// An address as the programs' maps have it (bpf/wire.h, struct ep_slot): two words in host order;
// IPv4 stands behind 64 bits of ones.
#pragma once

#include <cstdint>

#include "base/ip.h"

namespace espial {

struct AddressKey {
  std::uint64_t hi = 0;
  std::uint64_t lo = 0;
};

inline AddressKey key_of(const IpAddress& address) {
  const auto word = [&](std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) value = value << 8 | address.bytes()[at + i];
    return value;
  };
  if (address.family() == Family::kIpv4) return {~std::uint64_t{0}, word(0)};
  return {word(0), word(8)};
}

}  // namespace espial
