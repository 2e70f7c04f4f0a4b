// SPDX-License-Identifier: Apache-2.0
// PacketState: one packet on its way through this node, and what was told of it so far. The stages
// of the way (arrival.h, ipsec.h, departure.h, hook_walk.h) share it; it knows nothing of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ip.h"
#include "diagnose/lookup/flow_policy.h"
#include "diagnose/lookup/packet.h"
#include "model/explanation.h"
#include "model/facts/facts.h"

namespace espial {

// The first packet of a ping.
Packet ping_packet(const IpAddress& source, const IpAddress& destination);
// A packet that a node makes around another one.
Packet packet_around(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol);
// The protocol number of a state's packets on the wire: with encapsulation UDP or TCP.
std::uint8_t wire_protocol(const XfrmStateFact& state);

// "10.101.1.10 > 10.101.2.10"
std::string packet_text(const Packet& packet);

struct PacketState {
  PacketState(const IpAddress& source, const IpAddress& destination);

  // One thing that the kernel asks.
  void say(std::string where, std::string what, std::vector<std::string> details = {});
  // The packet gets no further; false, as the stages answer then.
  bool end(FlowEnd end, std::string conclusion);
  bool unknown(const std::string& why);

  Packet packet;                     // as it is now
  const LinkFact* from = nullptr;    // where it came in; null: this node's own
  const RouteFact* route = nullptr;  // of the newest question
  const LinkFact* device = nullptr;
  FlowPolicy protect;
  int tunnels = 0;
  bool from_afar = false;            // another node sends it
  std::string arrived;               // "as ESP SPI 0x00000001 by eth0"
  std::vector<std::string> missing;  // what could not be read
  Explanation told;
};

}  // namespace espial
