// SPDX-License-Identifier: Apache-2.0
// IpAddress and Prefix: values of either family, in network byte order.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace espial {

enum class Family : std::uint8_t { kIpv4 = 0, kIpv6 = 1 };

// "ipv4" or "ipv6", the label of metrics and JSON.
std::string_view to_string(Family family);

// An address; IPv4 uses the first four bytes, the rest is zero.
class IpAddress {
 public:
  IpAddress() = default;
  // bytes: 4 or 16 in network order, as family says.
  IpAddress(Family family, const void* bytes);
  static std::optional<IpAddress> parse(std::string_view text);

  // The IPv4 address of an IPv4-mapped one (RFC 4291, 2.5.5.2), which no packet carries.
  [[nodiscard]] std::optional<IpAddress> mapped_ipv4() const;

  [[nodiscard]] Family family() const { return family_; }
  [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  [[nodiscard]] unsigned bits() const { return family_ == Family::kIpv4 ? 32 : 128; }
  [[nodiscard]] bool unspecified() const;
  [[nodiscard]] bool link_local() const;  // 169.254/16, fe80::/10
  [[nodiscard]] bool multicast() const;
  [[nodiscard]] bool loopback() const;
  [[nodiscard]] std::string text() const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  Family family_ = Family::kIpv4;
  std::array<std::uint8_t, 16> bytes_{};
};

// A prefix: the address is always masked to the length.
class Prefix {
 public:
  Prefix() = default;
  Prefix(const IpAddress& address, unsigned length);
  // "10.101.2.0/24"; without a length, the host prefix. Host bits set are an error (nullopt) unless
  // mask_host_bits.
  static std::optional<Prefix> parse(std::string_view text, bool mask_host_bits = false);

  [[nodiscard]] const IpAddress& address() const { return address_; }
  [[nodiscard]] unsigned length() const { return length_; }
  [[nodiscard]] Family family() const { return address_.family(); }
  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] bool contains(const Prefix& other) const;
  [[nodiscard]] bool overlaps(const Prefix& other) const;
  [[nodiscard]] std::string text() const;

  auto operator<=>(const Prefix&) const = default;

 private:
  IpAddress address_;
  unsigned length_ = 0;
};

// The prefix of this one address.
inline Prefix host_prefix(const IpAddress& address) { return {address, address.bits()}; }

}  // namespace espial
