// SPDX-License-Identifier: Apache-2.0
// What OpenSVC wants, as plain values: the nodes of the cluster, its networks, and which subnet and
// address each node has in each of them.
//
// Follows the agent's own rules (om3: drivers/networkroutedbridge, core/network): only networks of
// type routed_bridge cross nodes; a node's subnet is what subnet@NODE says, else the n-th piece of
// the network, n being the node's place in cluster.nodes; its address is addr@NODE, else what the
// node's name resolves to in the family of the network.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"

namespace espial {

enum class OpensvcState : std::uint8_t {
  kOff,         // the configuration wants none of it
  kAbsent,      // this node has no agent: neither a file nor a socket
  kUnreadable,  // there is an agent, and it cannot be asked; the reason says why
  kReadable,
};

// Whether traffic between nodes goes through an ipip, ip6ip6 or gre device. auto: when the peer is
// not on a local link.
enum class OpensvcTunnel : std::uint8_t { kAuto, kAlways, kNever };
std::string_view to_string(OpensvcTunnel tunnel);

// A node in a network.
struct OpensvcMember {
  std::string node;
  std::optional<Prefix> subnet;
  bool assigned = false;  // the configuration names the subnet; else the agent's rule gives it
  std::string host;       // what the agent uses to reach it: an address or a name
  std::optional<IpAddress> address;  // of host, once resolved
  bool operator==(const OpensvcMember&) const = default;
};

// One network of type routed_bridge; it is of one family.
struct OpensvcNetwork {
  std::string name;
  Prefix prefix;
  OpensvcTunnel tunnel = OpensvcTunnel::kAuto;
  std::string tunnel_mode = "ipip";  // "ipip", "gre", "ip6ip6"; ipip is ip6ip6 with IPv6 addresses
  std::string device;                // the pod bridge
  std::vector<OpensvcMember> members;  // in the order of the nodes
  bool operator==(const OpensvcNetwork&) const = default;
};

struct OpensvcFacts {
  OpensvcState state = OpensvcState::kOff;
  std::string reason;              // why it is not readable; one line
  std::string source;              // path of the file or socket that told
  std::vector<std::string> nodes;  // cluster.nodes, in their order, lower case
  std::vector<OpensvcNetwork> networks;
  std::vector<std::string> problems;  // what the configuration says and nobody could follow
  bool operator==(const OpensvcFacts&) const = default;

  [[nodiscard]] bool readable() const { return state == OpensvcState::kReadable; }
  [[nodiscard]] bool has_node(std::string_view name) const;
};

// A network section as text, evaluated for each node; empty text is unset.
struct OpensvcMemberText {
  std::string node;
  std::string subnet;
  std::string addr;
};
struct OpensvcNetworkText {
  std::string name;
  std::string network;
  std::string tunnel;
  std::string tunnel_mode;
  std::string dev;
  std::string ips_per_node;
  std::string mask_per_node;
  std::vector<OpensvcMemberText> members;  // in the order of the nodes
};

inline constexpr std::size_t kMaxOpensvcNodes = 10'000;
inline constexpr std::size_t kMaxOpensvcNetworks = 256;

// Adds the network to facts. What cannot be followed becomes a problem: without a valid prefix
// there is no network, without a valid subnet the member has none.
void add_network(const OpensvcNetworkText& text, OpensvcFacts& facts);
void add_problem(OpensvcFacts& facts, std::string line);  // a bounded number of them

// The words of a list keyword, lower case, each once; what is no host name becomes a problem.
std::vector<std::string> node_list(std::string_view text, OpensvcFacts& facts);

// Fills in the members' addresses: host as an address, else the first address that lookup finds and
// that can be another node's (the agent skips 127.0.0.1, 127.0.1.1, ::1 and link-local ones).
using HostLookup = std::function<std::vector<IpAddress>(const std::string& host, Family family)>;
void resolve_members(OpensvcFacts& facts, const HostLookup& lookup);

}  // namespace espial
