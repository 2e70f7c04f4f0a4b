// SPDX-License-Identifier: Apache-2.0
// rtnetlink messages to facts (RFC 3549; include/uapi/linux/{rtnetlink,if_link,neighbour}.h).
//
// Pure functions over one message, netlink header included. Nothing = the message is too short,
// contradicts itself, or is of a kind that is no fact for us.
#pragma once

#include <optional>
#include <vector>

#include "model/facts/facts.h"
#include "sources/netlink/netlink_attributes.h"

namespace espial {

// VLANs of one port of a bridge, or of the bridge itself (AF_BRIDGE, IFLA_BRIDGE_VLAN_INFO).
struct BridgeVlans {
  int ifindex = 0;
  std::vector<std::uint16_t> vids;
};
std::optional<BridgeVlans> parse_bridge_vlans(Bytes message);

// RTM_NEWLINK of the device itself; the bridge's view of its port (AF_BRIDGE) is no link.
std::optional<LinkFact> parse_link(Bytes message);

// The device an RTM_NEWLINK or RTM_DELLINK is about. gone: the device was deleted or left this
// namespace; a port that only left its bridge (RTM_DELLINK of AF_BRIDGE) is not gone.
struct LinkEvent {
  int ifindex = 0;
  bool gone = false;
};
std::optional<LinkEvent> parse_link_event(Bytes message);

// RTM_NEWADDR.
std::optional<AddressFact> parse_address(Bytes message);

// RTM_NEWROUTE: of any table but local; one fact per next hop, none for a unicast route without a
// device, or one that only packets with a DS field or of one source take.
std::vector<RouteFact> parse_route(Bytes message);

// RTM_NEWRULE of either family.
std::optional<RuleFact> parse_rule(Bytes message);

// RTM_NEWNEIGH of AF_INET or AF_INET6 with a usable state and a MAC.
std::optional<NeighbourFact> parse_neighbour(Bytes message);

// RTM_NEWNEIGH of AF_BRIDGE that a bridge reports (NDA_MASTER).
std::optional<FdbFact> parse_fdb(Bytes message);

}  // namespace espial
