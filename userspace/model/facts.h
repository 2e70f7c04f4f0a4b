// SPDX-License-Identifier: Apache-2.0
// What the kernel says, as plain values: links, addresses, routes, neighbours, bridge forwarding
// table, XFRM policies and states. Filled by userspace/sources, judged by pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"

namespace espial {

using Mac = std::array<std::uint8_t, 6>;

// A network device of this network namespace (rtnetlink RTM_NEWLINK).
struct LinkFact {
  int ifindex = 0;
  std::string name;
  std::string kind;              // IFLA_INFO_KIND: "bridge", "veth", "vlan", "bond", ""=hardware
  std::string slave_kind;        // IFLA_INFO_SLAVE_KIND: "bridge", "bond", ""
  int master = 0;                // ifindex of bridge or bond, 0 = none
  int lower = 0;                 // IFLA_LINK in this namespace, 0 = none or elsewhere
  bool lower_elsewhere = false;  // IFLA_LINK_NETNSID present: the other end is in another netns
  unsigned short arphrd = 1;     // ARPHRD_*: 1 Ethernet, 65534 none, 512 ppp, 768 tunnel...
  bool up = false;               // IFF_UP
  Mac mac{};
  int mtu = 0;
  int vlan_id = 0;  // of a "vlan" link
};

struct AddressFact {
  int ifindex = 0;
  IpAddress address;  // IFA_LOCAL, else IFA_ADDRESS
  unsigned prefix_length = 0;
};

// A unicast route of any table (main, local excluded, 220 of strongSwan...).
struct RouteFact {
  Prefix destination;
  int oif = 0;  // 0 = none (blackhole and the like are not reported)
  std::optional<IpAddress> gateway;
  unsigned table = 254;
  unsigned metric = 0;
};

struct NeighbourFact {
  int ifindex = 0;
  IpAddress address;
  Mac mac{};
};

// One entry of a bridge's forwarding table.
struct FdbFact {
  int bridge = 0;  // ifindex of the bridge
  int port = 0;    // ifindex of the port
  Mac mac{};
  bool local = false;  // the bridge's or port's own address (NUD_PERMANENT)
};

// XFRM policy (xfrm_userpolicy_info with its first template).
enum class PolicyDirection : std::uint8_t { kIn, kOut, kForward };
struct XfrmPolicyFact {
  PolicyDirection direction = PolicyDirection::kOut;
  Prefix source;
  Prefix destination;
  std::uint8_t protocol = 0;  // of the selector, 0 = any
  std::uint32_t priority = 0;
  bool allow = true;                   // false: XFRM_POLICY_BLOCK
  bool has_template = false;           // without: a bypass (allow) policy
  std::uint8_t template_protocol = 0;  // 50 ESP, 51 AH, 108 IPComp
  bool tunnel_mode = true;
  bool level_use = false;  // optional template: clear is accepted
  IpAddress template_source;
  IpAddress template_destination;
  std::uint32_t reqid = 0;
  std::uint32_t if_id = 0;
};

enum class Encapsulation : std::uint8_t { kNone, kUdp, kTcp };
// XFRM state. Keys are never copied out of the netlink buffer.
struct XfrmStateFact {
  IpAddress source;
  IpAddress destination;
  std::uint32_t spi = 0;  // host order
  std::uint8_t protocol = 50;
  bool tunnel_mode = true;
  std::uint32_t reqid = 0;
  std::string algorithm;         // AEAD or encryption name, as the kernel spells it
  bool null_encryption = false;  // ESP with ecb(cipher_null) / cipher_null
  Encapsulation encapsulation = Encapsulation::kNone;
  bool offload_packet = false;  // XFRM_OFFLOAD_PACKET
  bool offload_crypto = false;
  std::uint32_t if_id = 0;
};

// Everything, as one dump (or as kept current by events).
struct KernelFacts {
  std::vector<LinkFact> links;
  std::vector<AddressFact> addresses;
  std::vector<RouteFact> routes;
  std::vector<NeighbourFact> neighbours;
  std::vector<FdbFact> fdb;
  std::vector<XfrmPolicyFact> policies;
  std::vector<XfrmStateFact> states;
  bool xfrm_readable = false;  // false: no permission or no XFRM; policies and states unknown
  std::string xfrm_reason;     // why it is not readable; one line
};

}  // namespace espial
