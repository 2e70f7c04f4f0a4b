// SPDX-License-Identifier: Apache-2.0
// Packet: what is known of a packet that a firewall would see. Every field may be unknown; answers
// hold for every value that it may have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ip.h"

namespace espial {

// Three-valued: what follows from unknown fields is unknown.
enum class Tri : std::uint8_t { kNo, kYes, kUnknown };

// What conntrack says of it.
enum class Tracking : std::uint8_t { kUnknown, kNew, kEstablished, kRelated, kInvalid, kUntracked };

// A whole packet or a first fragment, never a later one. nullopt = unknown; a field that the
// protocol does not have (the ports of ICMP) is not looked at.
struct Packet {
  Family family = Family::kIpv4;
  bool arp = false;  // an ARP frame of that family's addresses: no IP header at all
  std::optional<IpAddress> source;
  std::optional<IpAddress> destination;
  std::optional<std::uint8_t> protocol;
  std::optional<std::uint16_t> source_port;
  std::optional<std::uint16_t> destination_port;
  std::optional<std::uint8_t> icmp_type;
  std::optional<std::uint8_t> icmp_code;
  std::optional<std::uint8_t> tcp_flags;
  std::optional<std::uint8_t> hop_limit;
  std::optional<std::string> iif;  // name; "" = none, as of a packet of this host
  std::optional<std::string> oif;
  std::optional<std::uint16_t> iif_type;  // ARPHRD_*
  std::optional<std::uint16_t> oif_type;
  std::optional<std::string> bridge;  // of a frame at a bridge's hooks: the bridge
  std::optional<std::uint32_t> mark;
  std::optional<std::uint32_t> ct_mark;
  Tracking tracking = Tracking::kUnknown;
  Tri new_destination = Tri::kNo;  // NAT rewrote it
  Tri ipsec_in = Tri::kUnknown;    // came through IPsec
  Tri ipsec_out = Tri::kUnknown;   // a policy will send it through IPsec

  bool operator==(const Packet&) const = default;
};

// What is true of both.
Packet join(const Packet& one, const Packet& other);

}  // namespace espial
