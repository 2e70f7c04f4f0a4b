// SPDX-License-Identifier: Apache-2.0
// The oracle's reading of what follows an IP header: what the packet would be between two nodes.
#pragma once

#include <cstdint>
#include <optional>

#include "frames/oracle_walk.h"

namespace espial::frames {

enum class Kind : std::uint8_t {
  kPlain,           // nothing that protects or tunnels
  kEsp,             // also behind AH
  kEspUdp,          // RFC 3948
  kEspTcp,          // RFC 8229
  kAh,              // not around ESP
  kIke,             // also the non-ESP marker and keepalives
  kTunnel,          // inner is valid
  kTunnelFragment,  // a later fragment of ipip, sit, gre
  kBrokenEsp,       // protocol 50 without room for SPI and sequence number
  kBroken,          // UDP, TCP, UDP 4500 or a tunnel that ends too early
  kUnknown,         // extension headers that end too early or never
};

struct Content {
  Kind kind = Kind::kPlain;
  Outcome outcome = Outcome::OK;
  std::optional<std::uint32_t> spi;
  Headers inner;
};

Content read_content(const Headers& packet);

// Bytes of `whole` up to the end of the TCP or UDP header of the packet; nothing for the rest.
std::optional<std::size_t> transport_end(const Headers& packet, View whole);

// Is this packet, inside a tunnel, a tunnel again?
bool is_tunnel(const Headers& packet);

}  // namespace espial::frames
