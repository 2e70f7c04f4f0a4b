// SPDX-License-Identifier: Apache-2.0
#include "diagnose/audit/tunnel_setting.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "model/prefix_map.h"

namespace espial {
namespace {

struct Kernel {
  explicit Kernel(const KernelFacts& facts) : addresses(facts.addresses) {
    for (const auto& route : facts.routes) {
      if (route.table != kMainTable) continue;
      auto& slot = routes[route.destination];
      if (slot == nullptr || route.metric < slot->metric) slot = &route;
    }
    for (const auto& link : facts.links) links[link.ifindex] = &link;
  }
  [[nodiscard]] const LinkFact* device_to(const Prefix& destination) const {
    const auto route = routes.find(destination);
    if (route == routes.end()) return nullptr;
    const auto link = links.find(route->second->oif);
    return link == links.end() ? nullptr : link->second;
  }
  [[nodiscard]] bool on_link(const IpAddress& address) const {
    return std::any_of(addresses.begin(), addresses.end(), [&](const AddressFact& fact) {
      return fact.address.family() == address.family() &&
             Prefix(fact.address, fact.prefix_length).contains(address);
    });
  }

  const std::vector<AddressFact>& addresses;
  std::unordered_map<Prefix, const RouteFact*, PrefixHash> routes;
  std::unordered_map<int, const LinkFact*> links;
};

// "ipip" of a network with IPv6 addresses is ip6ip6.
bool fits_mode(const LinkFact& link, const std::string& mode, Family underlay) {
  if (mode == "gre") return link.kind == "gre" || link.kind == "ip6gre";
  if (underlay == Family::kIpv6 || mode == "ip6ip6") return link.kind == "ip6tnl";
  return mode != "ipip" || link.kind == "ipip";
}

bool tunnels(const LinkFact& link) {
  return link.tunnel.has_value() || link.kind == "vxlan" || link.kind == "geneve" ||
         link.kind == "wireguard";
}

// The contradiction as text; empty: none.
std::string contradiction(const OpensvcNetwork& network, const OpensvcMember& member,
                          const LinkFact& link, const Kernel& kernel) {
  const bool on_link = kernel.on_link(*member.address);
  const bool wanted = network.tunnel == OpensvcTunnel::kAlways ||
                      (network.tunnel == OpensvcTunnel::kAuto && !on_link);
  const std::string says =
      "network " + network.name + " has tunnel = " + std::string(to_string(network.tunnel));
  const std::string route = ", and the route to " + member.subnet->text() + " goes ";
  const std::string why = network.tunnel != OpensvcTunnel::kAuto ? ""
                          : on_link ? ", " + member.address->text() + " is on a local link"
                                    : ", " + member.address->text() + " is on no local link";
  if (wanted && !tunnels(link)) return says + why + route + "through no tunnel (" + link.name + ")";
  if (!wanted && tunnels(link))
    return says + why + route + "into the tunnel " + link.name + " (" + link.kind + ")";
  if (wanted && !fits_mode(link, network.tunnel_mode, member.address->family()))
    return says + " and tunnel_mode = " + network.tunnel_mode + route + "into " + link.name +
           ", which is " + link.kind;
  return {};
}

struct PairOf {
  PeerAudit* peer;
  PairAudit* pair;
};
using PairsBySubnet = std::unordered_map<Prefix, std::vector<PairOf>, PrefixHash>;

PairsBySubnet by_subnet(MeshAudit& audit) {
  PairsBySubnet out;
  for (auto& peer : audit.peers)
    for (auto& pair : peer.pairs)
      if (pair.verdict != PairVerdict::kUserSpace) out[pair.theirs].push_back({&peer, &pair});
  return out;
}

void add(const PairFinding& finding, PairOf where) {
  auto& [peer, pair] = where;
  const auto verdict = verdict_of(finding.problem);
  const auto after =
      std::find_if(pair->findings.begin(), pair->findings.end(),
                   [&](const PairFinding& other) { return verdict_of(other.problem) > verdict; });
  pair->findings.insert(after, finding);
  pair->verdict = std::min(pair->verdict, verdict);
  peer->verdict = std::min(peer->verdict, verdict);
}

}  // namespace

void judge_tunnel_settings(const OpensvcFacts& opensvc, const KernelFacts& facts,
                           MeshAudit& audit) {
  if (!opensvc.readable()) return;
  const Kernel kernel(facts);
  const auto pairs = by_subnet(audit);
  for (const auto& network : opensvc.networks)
    for (const auto& member : network.members) {
      if (!member.subnet || !member.address) continue;
      const auto concerned = pairs.find(*member.subnet);
      const auto* link = kernel.device_to(*member.subnet);
      if (concerned == pairs.end() || link == nullptr) continue;
      const auto evidence = contradiction(network, member, *link, kernel);
      if (evidence.empty()) continue;
      for (const auto& pair : concerned->second)
        add({PairProblem::TUNNEL_SETTING, Direction::TRANSMIT, evidence,
             "tunnel and tunnel_mode of [network#" + network.name +
                 "] in cluster.conf, or let the agent set its routes anew"},
            pair);
    }
}

}  // namespace espial
