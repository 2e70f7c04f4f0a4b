// SPDX-License-Identifier: Apache-2.0
#include "model/facts/opensvc.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <unordered_set>

#include "base/printable.h"

namespace espial {
namespace {

constexpr std::size_t kMaxProblems = 50;
constexpr std::uint64_t kIpsPerNode = 1024;  // the agent's default

// Digits only, and nothing behind them.
std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The length of a node's subnet; nothing: the section says something impossible.
std::optional<unsigned> length_per_node(const OpensvcNetworkText& text, unsigned bits) {
  if (!text.mask_per_node.empty()) {
    const auto mask = number(text.mask_per_node);
    if (!mask || *mask > bits) return std::nullopt;
    if (*mask > 0) return static_cast<unsigned>(*mask);
  }
  const auto ips = text.ips_per_node.empty() ? kIpsPerNode : number(text.ips_per_node);
  if (!ips || *ips == 0) return std::nullopt;
  // A number that is no power of two is rounded up to one.
  const auto host_bits = static_cast<unsigned>(std::bit_width(*ips - 1));
  if (host_bits > bits) return std::nullopt;
  return bits - host_bits;
}

// The index-th piece of that length; nothing: it would lie outside of the network.
std::optional<Prefix> piece(const Prefix& network, std::size_t index, unsigned length) {
  if (length < network.length()) return std::nullopt;
  const unsigned room = length - network.length();
  if (room < 64 && (std::uint64_t{index} >> room) != 0) return std::nullopt;
  auto bytes = network.address().bytes();
  for (unsigned bit = 0; bit < 64 && bit < length; ++bit) {
    if (((std::uint64_t{index} >> bit) & 1) == 0) continue;
    const unsigned position = length - 1 - bit;
    bytes[position / 8] |= static_cast<std::uint8_t>(0x80u >> (position % 8));
  }
  return Prefix(IpAddress(network.family(), bytes.data()), length);
}

std::optional<OpensvcTunnel> tunnel_named(std::string_view text) {
  if (text.empty()) return OpensvcTunnel::kAuto;
  for (const auto tunnel : {OpensvcTunnel::kAuto, OpensvcTunnel::kAlways, OpensvcTunnel::kNever})
    if (text == to_string(tunnel)) return tunnel;
  return std::nullopt;
}

bool host_name(std::string_view text) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), good);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// What the configuration names; a subnet of the other family, or none at all, is a problem.
void take_assigned(const OpensvcNetworkText& text, OpensvcNetwork& network, OpensvcFacts& facts) {
  for (const auto& member : text.members) {
    OpensvcMember out{member.node, {}, false, member.addr.empty() ? member.node : member.addr, {}};
    if (!member.subnet.empty()) {
      out.subnet = Prefix::parse(member.subnet, true);
      out.assigned = out.subnet.has_value();
      if (!out.subnet || out.subnet->family() != network.prefix.family())
        add_problem(facts, "network " + network.name + ": subnet " + in_quotes(member.subnet) +
                               " of " + member.node + " is not a subnet of its family");
      else if (!network.prefix.contains(*out.subnet))
        add_problem(facts, "network " + network.name + ": subnet " + out.subnet->text() + " of " +
                               member.node + " lies outside of " + network.prefix.text());
      if (out.subnet && out.subnet->family() != network.prefix.family()) out.subnet.reset();
    }
    network.members.push_back(std::move(out));
  }
}

// The agent's rule for nodes without a subnet. Older agents follow it for each node, newer ones
// only while no node has one: then the node has none until somebody assigns it.
void take_computed(const OpensvcNetworkText& text, OpensvcNetwork& network, OpensvcFacts& facts) {
  const bool some = std::any_of(network.members.begin(), network.members.end(),
                                [](const auto& m) { return m.assigned; });
  const auto length = length_per_node(text, network.prefix.address().bits());
  for (std::size_t i = 0; i < network.members.size(); ++i) {
    auto& member = network.members[i];
    if (member.subnet || !text.members[i].subnet.empty()) continue;
    const auto subnet = length ? piece(network.prefix, i, *length) : std::nullopt;
    const bool taken =
        subnet && std::any_of(network.members.begin(), network.members.end(), [&](const auto& m) {
          return m.assigned && m.subnet && m.subnet->overlaps(*subnet);
        });
    if (subnet && !taken) member.subnet = subnet;
    if (!subnet || taken)
      add_problem(facts, "network " + network.name + ": no room for a subnet of " + member.node +
                             " (set subnet@" + member.node + ")");
    else if (some)
      add_problem(facts, "network " + network.name + ": " + member.node + " has no subnet, " +
                             subnet->text() + " would be its own (set subnet@" + member.node + ")");
  }
}

bool names_a_node(const IpAddress& address) {
  const auto text = address.text();
  return text != "127.0.0.1" && text != "127.0.1.1" && text != "::1" &&
         !(address.family() == Family::kIpv6 && address.link_local());
}

}  // namespace

std::string_view to_string(OpensvcTunnel tunnel) {
  switch (tunnel) {
    case OpensvcTunnel::kAuto:
      return "auto";
    case OpensvcTunnel::kAlways:
      return "always";
    case OpensvcTunnel::kNever:
      return "never";
  }
  return "?";
}

bool OpensvcFacts::has_node(std::string_view name) const {
  return std::find(nodes.begin(), nodes.end(), lower(name)) != nodes.end();
}

void add_problem(OpensvcFacts& facts, std::string line) {
  if (facts.problems.size() < kMaxProblems) facts.problems.push_back(std::move(line));
}

std::vector<std::string> node_list(std::string_view text, OpensvcFacts& facts) {
  std::vector<std::string> nodes;
  std::unordered_set<std::string> seen;
  constexpr std::string_view kSpaces = " \t\r\n\f";
  while (true) {
    const auto begin = text.find_first_not_of(kSpaces);
    if (begin == std::string_view::npos) return nodes;
    const auto end = std::min(text.find_first_of(kSpaces, begin), text.size());
    auto word = lower(text.substr(begin, end - begin));
    text.remove_prefix(end);
    if (!host_name(word)) {
      add_problem(facts, "cluster.nodes: " + in_quotes(word) + " is not a node name");
    } else if (nodes.size() == kMaxOpensvcNodes) {
      add_problem(facts, "cluster.nodes: more than " + std::to_string(kMaxOpensvcNodes) +
                             " nodes: the rest is left out");
      return nodes;
    } else if (seen.insert(word).second) {
      nodes.push_back(std::move(word));
    }
  }
}

void add_network(const OpensvcNetworkText& text, OpensvcFacts& facts) {
  OpensvcNetwork network;
  network.name = printable(text.name);
  const auto prefix = Prefix::parse(text.network, true);
  if (!prefix || text.network.find('/') == std::string::npos) {
    add_problem(facts, "network " + network.name + ": network " + in_quotes(text.network) +
                           " is not a prefix: the network is left out");
    return;
  }
  if (facts.networks.size() == kMaxOpensvcNetworks) {
    add_problem(facts, "network " + network.name + ": more than " +
                           std::to_string(kMaxOpensvcNetworks) + " networks: it is left out");
    return;
  }
  network.prefix = *prefix;
  if (const auto tunnel = tunnel_named(text.tunnel))
    network.tunnel = *tunnel;
  else
    add_problem(facts, "network " + network.name + ": tunnel " + in_quotes(text.tunnel) +
                           " is not auto, always or never: taken for auto");
  if (!text.tunnel_mode.empty()) network.tunnel_mode = printable(text.tunnel_mode);
  network.device = text.dev.empty() ? "obr_" + network.name : printable(text.dev);
  take_assigned(text, network, facts);
  take_computed(text, network, facts);
  facts.networks.push_back(std::move(network));
}

void resolve_members(OpensvcFacts& facts, const HostLookup& lookup) {
  for (auto& network : facts.networks) {
    const auto family = network.prefix.family();
    for (auto& member : network.members) {
      member.address = IpAddress::parse(member.host);
      if (member.address) continue;
      const auto found = lookup(member.host, family);
      const auto first = std::find_if(found.begin(), found.end(), [&](const IpAddress& address) {
        return address.family() == family && names_a_node(address);
      });
      if (first != found.end())
        member.address = *first;
      else
        add_problem(facts, "network " + network.name + ": " + in_quotes(member.host) + " has no " +
                               std::string(to_string(family)) + " address (set addr@" +
                               member.node + ")");
    }
  }
}

}  // namespace espial
