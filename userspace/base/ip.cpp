// SPDX-License-Identifier: Apache-2.0
#include "base/ip.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cassert>
#include <charconv>

namespace espial {

std::string_view to_string(Family family) { return family == Family::kIpv4 ? "ipv4" : "ipv6"; }

IpAddress::IpAddress(Family family, const void* bytes) : family_(family) {
  const auto* p = static_cast<const std::uint8_t*>(bytes);
  std::copy_n(p, family == Family::kIpv4 ? 4 : 16, bytes_.begin());
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string terminated(text);
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1)
    return IpAddress(Family::kIpv4, bytes.data());
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1)
    return IpAddress(Family::kIpv6, bytes.data());
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::mapped_ipv4() const {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (family_ != Family::kIpv6 || !std::equal(kMapped.begin(), kMapped.end(), bytes_.begin()))
    return std::nullopt;
  return IpAddress(Family::kIpv4, bytes_.data() + kMapped.size());
}

bool IpAddress::unspecified() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t b) { return b == 0; });
}

bool IpAddress::link_local() const {
  if (family_ == Family::kIpv4) return bytes_[0] == 169 && bytes_[1] == 254;
  return bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

bool IpAddress::multicast() const {
  return family_ == Family::kIpv4 ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

bool IpAddress::loopback() const {
  if (family_ == Family::kIpv4) return bytes_[0] == 127;
  return std::all_of(bytes_.begin(), bytes_.end() - 1, [](std::uint8_t b) { return b == 0; }) &&
         bytes_[15] == 1;
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  inet_ntop(family_ == Family::kIpv4 ? AF_INET : AF_INET6, bytes_.data(), buffer.data(),
            buffer.size());
  return buffer.data();
}

Prefix::Prefix(const IpAddress& address, unsigned length) : length_(length) {
  assert(length <= address.bits());
  auto bytes = address.bytes();
  for (unsigned i = 0; i < bytes.size(); ++i) {
    const unsigned first_bit = i * 8;
    if (first_bit >= length) {
      bytes[i] = 0;
    } else if (length - first_bit < 8) {
      bytes[i] &= static_cast<std::uint8_t>(0xff << (8 - (length - first_bit)));
    }
  }
  address_ = IpAddress(address.family(), bytes.data());
}

std::optional<Prefix> Prefix::parse(std::string_view text, bool mask_host_bits) {
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  unsigned length = address->bits();
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), length);
    if (digits.empty() || error != std::errc() || end != digits.end() || length > address->bits())
      return std::nullopt;
  }
  const Prefix prefix(*address, length);
  if (!mask_host_bits && prefix.address() != *address) return std::nullopt;
  return prefix;
}

bool Prefix::contains(const IpAddress& address) const {
  return address.family() == family() && Prefix(address, length_).address() == address_;
}

bool Prefix::contains(const Prefix& other) const {
  return other.length_ >= length_ && contains(other.address_);
}

bool Prefix::overlaps(const Prefix& other) const {
  return contains(other) || other.contains(*this);
}

std::string Prefix::text() const { return address_.text() + "/" + std::to_string(length_); }

}  // namespace espial
