// SPDX-License-Identifier: Apache-2.0
// What the kernel says, as plain values: links, addresses, routes, neighbours, bridge forwarding
// table, XFRM policies and states. Filled by userspace/sources, judged by pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"

namespace espial {

// One counter of /proc/net/xfrm_stat, "XfrmInNoStates".
struct XfrmError {
  std::string name;
  std::uint64_t count = 0;
  bool operator==(const XfrmError&) const = default;
};

using Mac = std::array<std::uint8_t, 6>;

inline constexpr unsigned kMainTable = 254;        // RT_TABLE_MAIN, linux/rtnetlink.h
inline constexpr unsigned short kArphrdEther = 1;  // ARPHRD_ETHER, linux/if_arp.h

// The ends of the outer header that a tunnel device puts around packets.
struct TunnelEnds {
  IpAddress local;  // unspecified: the route decides
  IpAddress remote;
  bool gre = false;  // protocol 47; else 4 or 41, by what is inside
  bool operator==(const TunnelEnds&) const = default;
};

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
  int vlan_id = 0;              // of a "vlan" link
  bool vlan_filtering = false;  // of a bridge: frames go only where their VLAN does
  // VLANs that a port of such a bridge, or the bridge itself (`self`), is a member of; sorted.
  std::vector<std::uint16_t> bridge_vlans{};
  // Of an "ipip", "sit", "ip6tnl", "gre" or "ip6gre" link with one fixed far end.
  std::optional<TunnelEnds> tunnel{};
};

struct AddressFact {
  int ifindex = 0;
  IpAddress address;  // IFA_LOCAL, else IFA_ADDRESS
  unsigned prefix_length = 0;
};

enum class RouteKind : std::uint8_t {
  kUnicast,
  kBlackhole,
  kUnreachable,
  kProhibit,
  kThrow,  // the table has no answer: the next rule is asked
};
std::string_view to_string(RouteKind kind);  // as ip(8) spells it

// A route of any table but local (main, 220 of strongSwan...), for packets without a DS field and
// of any source.
struct RouteFact {
  Prefix destination;
  int oif = 0;  // of kUnicast, else 0
  std::optional<IpAddress> gateway;
  unsigned table = 254;
  unsigned metric = 0;
  std::optional<IpAddress> preferred_source{};  // RTA_PREFSRC: what host traffic is sent from
  RouteKind kind = RouteKind::kUnicast;
  unsigned mtu = 0;  // RTAX_MTU: what packets by this route may have, 0 = what the device has

  // "blackhole 10.101.2.0/24 table 99", as `ip route del` takes it.
  [[nodiscard]] std::string text() const;
};

enum class RuleAction : std::uint8_t {
  kLookup,
  kBlackhole,
  kUnreachable,
  kProhibit,
  kGoto,
  kNop,
  kOther,  // of a newer kernel
};

// A routing rule (RTM_NEWRULE): which table is asked for which packets.
struct RuleFact {
  Prefix source;  // length 0: any; its family is the rule's
  Prefix destination;
  std::uint32_t priority = 0;
  RuleAction action = RuleAction::kLookup;
  unsigned table = 0;        // of kLookup
  std::uint32_t target = 0;  // of kGoto: a priority
  std::string iif;           // "lo": what this node sends
  std::string oif;           // only what is bound to that device
  std::uint32_t mark = 0;
  std::uint32_t mark_mask = 0;            // 0: any mark
  bool invert = false;                    // for all other packets
  bool l3mdev = false;                    // the table of the packet's VRF
  int suppress_length = -1;               // a route of at most that length is no answer
  std::vector<std::string> conditions{};  // what a packet's addresses do not tell: "uidrange 0-99"

  // "100: not from 10.0.0.0/8 fwmark 0x1 lookup 99", as `ip rule` prints it.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] Family family() const { return source.family(); }
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

// A packet mark that a policy or state asks for: (packet & mask) == value; mask 0: any packet.
struct XfrmMark {
  std::uint32_t value = 0;
  std::uint32_t mask = 0;
  [[nodiscard]] bool matches_unmarked() const { return value == 0; }
  bool operator==(const XfrmMark&) const = default;
};

// A port of a selector, or an ICMP type or code; mask 0: any.
struct PortMatch {
  std::uint16_t value = 0;
  std::uint16_t mask = 0;
};

// "tcp", "ESP", "protocol 132".
std::string protocol_text(std::uint8_t protocol);

// XFRM policy (xfrm_userpolicy_info with its first template).
enum class PolicyDirection : std::uint8_t { kIn, kOut, kForward };
struct XfrmPolicyFact {
  PolicyDirection direction = PolicyDirection::kOut;
  Prefix source;
  Prefix destination;
  std::uint8_t protocol = 0;  // of the selector, 0 = any
  PortMatch source_port;
  PortMatch destination_port;
  int selector_device = 0;  // only packets that leave by this ifindex; 0 = any
  XfrmMark mark;
  std::uint64_t added = 0;  // Unix seconds; of equal priority the older policy counts
  std::uint32_t index = 0;
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

  // "10.101.1.0/24 > 10.101.2.0/24 tcp port 22, priority 1000", as the SPD has it.
  [[nodiscard]] std::string text() const;
};

enum class Encapsulation : std::uint8_t { kNone, kUdp, kTcp };
// When a state ends (hard) or asks for its successor (soft); 0 = never.
struct XfrmLifetime {
  std::uint64_t bytes = 0;
  std::uint64_t packets = 0;
  std::uint64_t seconds_added = 0;  // after it was added
  std::uint64_t seconds_used = 0;   // after its first packet
};

// XFRM state. Keys are never copied out of the netlink buffer. Counters are those of the dump: no
// event tells that they move.
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
  XfrmMark mark;
  XfrmLifetime soft;
  XfrmLifetime hard;
  std::uint64_t bytes = 0;
  std::uint64_t packets = 0;
  std::uint64_t added = 0;              // Unix seconds
  std::uint64_t used = 0;               // of the first packet, 0 = none yet
  bool extended_sequence = false;       // 64 bits (RFC 4304), else the SA ends after 2^32 packets
  std::uint64_t sequence_sent = 0;      // the last that was sent
  std::uint64_t sequence_received = 0;  // the highest that came
  std::optional<std::uint32_t> cpu;     // of a per-CPU state (6.13)

  bool keyless = false;  // a key manager reserved the SPI, and negotiates

  // Asked for and not there: by the kernel (no SPI yet), or by a key manager that negotiates it.
  [[nodiscard]] bool larval() const { return spi == 0 || keyless; }
};

// What happens to a packet that no policy names (XFRM_MSG_GETDEFAULT, 5.14).
struct XfrmDefaults {
  bool known = false;
  bool block_in = false;
  bool block_out = false;
  bool block_forward = false;
};

// Everything, as one dump (or as kept current by events).
struct KernelFacts {
  std::vector<LinkFact> links;
  std::vector<AddressFact> addresses;
  std::vector<RouteFact> routes;
  std::vector<RuleFact> rules;  // in the kernel's order; none: not read, those that every Linux has
  std::vector<NeighbourFact> neighbours;
  std::vector<FdbFact> fdb;
  std::vector<XfrmPolicyFact> policies;
  std::vector<XfrmStateFact> states;
  XfrmDefaults xfrm_defaults;
  std::vector<int> redirecting;  // devices that hold addresses and send ICMP redirects (IPv4)
  bool xfrm_readable = false;    // false: no permission or no XFRM; policies and states unknown
  std::string xfrm_reason;       // why it is not readable; one line
};

}  // namespace espial
