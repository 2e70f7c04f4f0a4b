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
  kTunnelBad,       // a tunnel, Ethernet or IP header that ends too early, or contradicts itself
  kTunnelTags,      // too many tags on the inner frame
  kTunnelOther,     // carries no IP, or says so in a way that is not read
  kTunnelFragment,  // a later fragment of ipip, sit, gre
  kBrokenEsp,       // protocol 50 without room for SPI and sequence number
  kBroken,          // UDP, TCP or UDP 4500 that ends too early
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

// Is this packet a tunnel? Later fragments are none.
bool is_tunnel(const Headers& packet);
// What that tunnel carries: one of the kinds kTunnel to kTunnelOther.
Content read_tunnel(const Headers& packet);

}  // namespace espial::frames
