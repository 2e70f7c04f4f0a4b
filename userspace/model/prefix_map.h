// SPDX-License-Identifier: Apache-2.0
// PrefixMap: longest-prefix look-up for user space; hashes once per distinct prefix length.
//
// Insertion and look-up are O(number of distinct lengths), independent of the number of entries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <unordered_map>

#include "base/ip.h"

namespace espial {

struct AddressHash {
  std::size_t operator()(const IpAddress& address) const noexcept {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::memcpy(&high, address.bytes().data(), sizeof high);
    std::memcpy(&low, address.bytes().data() + sizeof high, sizeof low);
    std::uint64_t h =
        (high ^ (low * 0x9e3779b97f4a7c15u)) + static_cast<std::uint64_t>(address.family());
    h ^= h >> 31;
    h *= 0xbf58476d1ce4e5b9u;
    return static_cast<std::size_t>(h ^ (h >> 29));
  }
};

struct PrefixHash {
  std::size_t operator()(const Prefix& prefix) const noexcept {
    return AddressHash{}(prefix.address()) ^ (static_cast<std::size_t>(prefix.length()) << 7);
  }
};

template <typename T>
class PrefixMap {
 public:
  // The value of exactly this prefix, made if missing.
  T& operator[](const Prefix& prefix) {
    return lengths_of(prefix.family())[prefix.length()][prefix.address()];
  }

  // The value of the longest prefix, at most max_length long, that contains the address; or null.
  [[nodiscard]] const T* find(const IpAddress& address, unsigned max_length = 128) const {
    for (const auto& [length, entries] : lengths_of(address.family())) {
      if (length > max_length) continue;
      const auto it = entries.find(Prefix(address, length).address());
      if (it != entries.end()) return &it->second;
    }
    return nullptr;
  }

  // The value of the longest prefix that contains the whole of prefix; or null.
  [[nodiscard]] const T* find(const Prefix& prefix) const {
    return find(prefix.address(), prefix.length());
  }

 private:
  using Lengths = std::map<unsigned, std::unordered_map<IpAddress, T, AddressHash>, std::greater<>>;
  Lengths& lengths_of(Family family) { return family == Family::kIpv4 ? v4_ : v6_; }
  const Lengths& lengths_of(Family family) const { return family == Family::kIpv4 ? v4_ : v6_; }

  Lengths v4_;
  Lengths v6_;
};

}  // namespace espial
