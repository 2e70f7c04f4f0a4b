// SPDX-License-Identifier: Apache-2.0
// The oracle's case at hand: one packet, its two ends and what has been found out so far.
#pragma once

#include <cstdint>
#include <optional>

#include "frames/oracle.h"
#include "frames/oracle_content.h"
#include "frames/oracle_walk.h"

namespace espial::frames {

inline bool is_backend(Role r) { return r == Role::kSelfBackend || r == Role::kPeerBackend; }
inline bool is_self(Role r) { return r == Role::kSelfBackend || r == Role::kSelfUnderlay; }
inline bool is_peer(Role r) { return r == Role::kPeerBackend || r == Role::kPeerUnderlay; }

// Of the longest prefix that contains the address.
RoleEntry role_of(const World& world, const IpAddress& address);

struct Case {
  const World& world;
  const Headers& packet;
  Content content;
  RoleEntry src;
  RoleEntry dst;
  RoleEntry local;  // the end that the direction puts on this node
  RoleEntry remote;
  bool receive = true;
  bool pair = false;
};

inline OracleVerdict say(const Case& c, Class klass, std::uint32_t peer, std::uint32_t subnet = 0) {
  return {true, klass, c.content.outcome, peer, subnet, c.packet.family};
}
inline OracleVerdict say_pair(const Case& c, Class klass) {
  return say(c, klass, c.pair ? c.remote.peer : 0);
}

// Is ESP with this destination and SPI, between a pair, of no SA? Without SPI (later fragments) it
// is not known.
bool foreign(const Case& c, const IpAddress& destination, std::optional<std::uint32_t> spi);

// The table of tunnels, for a content that is one.
OracleVerdict judge_tunnel(const Case& c);

}  // namespace espial::frames
