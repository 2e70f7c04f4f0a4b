// SPDX-License-Identifier: Apache-2.0
// Builds netlink messages byte by byte: Message(RTM_NEWLINK, ifinfomsg{...}).text(IFLA_IFNAME,
// "a").
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/ip.h"

namespace espial::test {

// A run of attributes, for nesting.
class Attributes {
 public:
  Attributes& raw(std::uint16_t type, const void* data, std::size_t size) {
    const nlattr head{static_cast<std::uint16_t>(sizeof(nlattr) + size), type};
    append(&head, sizeof head);
    append(data, size);
    bytes_.resize((bytes_.size() + 3) & ~std::size_t{3});
    return *this;
  }
  template <typename T>
  Attributes& value(std::uint16_t type, const T& value) {
    return raw(type, &value, sizeof value);
  }
  Attributes& text(std::uint16_t type, const std::string& text) {
    return raw(type, text.c_str(), text.size() + 1);
  }
  Attributes& address(std::uint16_t type, const std::string& text) {
    const auto address = IpAddress::parse(text).value();
    return raw(type, address.bytes().data(), address.bits() / 8);
  }
  Attributes& nested(std::uint16_t type, const Attributes& inner) {
    return raw(type, inner.bytes_.data(), inner.bytes_.size());
  }
  [[nodiscard]] const std::vector<std::uint8_t>& bytes() const { return bytes_; }

 protected:
  void append(const void* data, std::size_t size) {
    const auto* from = static_cast<const std::uint8_t*>(data);
    bytes_.insert(bytes_.end(), from, from + size);
  }
  std::vector<std::uint8_t> bytes_;
};

template <typename Fixed>
std::vector<std::uint8_t> message(std::uint16_t type, const Fixed& fixed,
                                  const Attributes& attributes = {}, std::uint16_t flags = 0) {
  nlmsghdr head{};
  head.nlmsg_type = type;
  head.nlmsg_flags = flags;
  std::vector<std::uint8_t> bytes(sizeof head + sizeof fixed);
  std::memcpy(bytes.data() + sizeof head, &fixed, sizeof fixed);
  bytes.resize((bytes.size() + 3) & ~std::size_t{3});
  bytes.insert(bytes.end(), attributes.bytes().begin(), attributes.bytes().end());
  head.nlmsg_len = static_cast<std::uint32_t>(bytes.size());
  std::memcpy(bytes.data(), &head, sizeof head);
  return bytes;
}

// Every shorter version of a message: cut off with the length still claimed, and with a header
// that admits the shorter length. Each is a copy of its own size, so that a sanitizer sees a read
// past the end.
template <typename Parse>
void for_each_truncation(const std::vector<std::uint8_t>& whole, Parse parse) {
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::vector<std::uint8_t> cut(whole.begin(), whole.begin() + static_cast<long>(size));
    parse(cut);
    if (size < sizeof(nlmsghdr)) continue;
    const auto admitted = static_cast<std::uint32_t>(size);
    std::memcpy(cut.data(), &admitted, sizeof admitted);
    parse(cut);
  }
}

}  // namespace espial::test
