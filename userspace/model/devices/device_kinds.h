// SPDX-License-Identifier: Apache-2.0
// What the kind and the ARPHRD type of a link say about it, whatever its neighbours are.
#pragma once

#include "model/facts/facts.h"

namespace espial {

bool is_loopback(const LinkFact& link);
bool is_ppp(const LinkFact& link);
bool is_bridge(const LinkFact& link);  // bridge or Open vSwitch

// Tunnels and virtual devices: uplinks only when a peer's underlay is routed through them.
bool is_tunnel(const LinkFact& link);

// Decrypted packets come out of it (xfrm, vti, vti6).
bool decrypts(const LinkFact& link);

// macvlan and its like over a device of this namespace, which already counts the frames.
bool shares_lower(const LinkFact& link);

// Frames start with an Ethernet header, or straight with the IP header; others are not parsed.
bool supported_type(const LinkFact& link);
bool has_ethernet_header(const LinkFact& link);

}  // namespace espial
