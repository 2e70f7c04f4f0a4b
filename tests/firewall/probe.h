// SPDX-License-Identifier: Apache-2.0
// A probe: a small IP packet with a number in its payload, by which it is known again wherever it
// arrives and whatever NAT made of its addresses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"

namespace espial::test {

struct Probe {
  std::uint32_t number = 0;
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 17;     // tcp, udp, or icmp of the family
  std::uint16_t source_port = 0;  // of an echo its identifier
  std::uint16_t destination_port = 0;
  std::uint8_t tcp_flags = 2;
  bool echo_reply = false;

  [[nodiscard]] std::string text() const;
};

// The IP packet with right checksums.
std::vector<std::uint8_t> ip_packet(const Probe& probe);

struct Arrival {
  std::uint32_t number = 0;
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;
};
// A probe in an IP packet; nothing: something else.
std::optional<Arrival> arrival_of(const std::uint8_t* packet, std::size_t size);

// What a raw socket gives: IPv6 without its header. The number alone.
std::optional<std::uint32_t> number_in(const std::uint8_t* transport, std::size_t size,
                                       std::uint8_t protocol);

}  // namespace espial::test
