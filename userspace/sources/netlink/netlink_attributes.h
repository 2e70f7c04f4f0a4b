// SPDX-License-Identifier: Apache-2.0
// Bounded views over netlink bytes: messages, their fixed header, their attributes (RFC 3549;
// include/uapi/linux/netlink.h). Nothing outside of the given bytes is read, whatever they say.
#pragma once

#include <linux/netlink.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

#include "base/ip.h"
#include "model/facts/facts.h"

namespace espial {

using Bytes = std::span<const std::uint8_t>;

// The first sizeof(T) bytes as a T; alignment does not matter.
template <typename T>
std::optional<T> read_as(Bytes bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

// The bytes of a value, as long as it lives.
template <typename T>
Bytes bytes_of(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
}

inline std::size_t netlink_align(std::size_t length) { return (length + 3) & ~std::size_t{3}; }

// Calls visit(type, payload) for each attribute, flags masked out; stops at the first that lies
// about its length.
template <typename Visit>
void for_each_attribute(Bytes bytes, Visit visit) {
  while (const auto head = read_as<nlattr>(bytes)) {
    if (head->nla_len < sizeof(nlattr) || head->nla_len > bytes.size()) return;
    visit(static_cast<std::uint16_t>(head->nla_type & NLA_TYPE_MASK),
          bytes.subspan(sizeof(nlattr), head->nla_len - sizeof(nlattr)));
    const auto step = netlink_align(head->nla_len);
    if (step >= bytes.size()) return;
    bytes = bytes.subspan(step);
  }
}

// Calls visit(header, message) for each netlink message of a datagram, header included; stops at
// the first that lies about its length. Returns the number of bytes that were no message.
template <typename Visit>
std::size_t for_each_message(Bytes datagram, Visit visit) {
  while (const auto head = read_as<nlmsghdr>(datagram)) {
    if (head->nlmsg_len < sizeof(nlmsghdr) || head->nlmsg_len > datagram.size()) break;
    visit(*head, datagram.subspan(0, head->nlmsg_len));
    const auto step = netlink_align(head->nlmsg_len);
    if (step >= datagram.size()) return 0;
    datagram = datagram.subspan(step);
  }
  return datagram.size();
}

// A message split in its fixed header and the attributes behind it.
template <typename T>
struct Body {
  T fixed;
  Bytes attributes;
};
template <typename T>
std::optional<Body<T>> body_of(Bytes message) {
  if (message.size() < sizeof(nlmsghdr)) return std::nullopt;
  const auto payload = message.subspan(sizeof(nlmsghdr));
  const auto fixed = read_as<T>(payload);
  if (!fixed) return std::nullopt;
  const auto start = std::min(netlink_align(sizeof(T)), payload.size());
  return Body<T>{*fixed, payload.subspan(start)};
}

// AF_INET or AF_INET6, else nothing.
std::optional<Family> family_of(int address_family);
// Exactly 4 or 16 bytes as the family says; xfrm_address_t fields are always 16 bytes long.
std::optional<IpAddress> read_address(Family family, Bytes bytes);
std::optional<Mac> read_mac(Bytes bytes);
// Up to the first NUL, at most the attribute.
std::string read_text(Bytes bytes);

}  // namespace espial
