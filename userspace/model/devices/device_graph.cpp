// SPDX-License-Identifier: Apache-2.0
#include "model/devices/device_graph.h"

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include "model/devices/device_kinds.h"
#include "model/prefix_map.h"

namespace espial {
namespace {

bool inside(const std::vector<BackendSubnet>& subnets, const IpAddress& address) {
  return std::any_of(subnets.begin(), subnets.end(),
                     [&](const BackendSubnet& subnet) { return subnet.prefix.contains(address); });
}

// Of several routes to one prefix: main before other tables, then the lower metric; equal ones are
// the next hops of one multipath route and all count.
struct BestRoutes {
  std::tuple<bool, unsigned, unsigned> rank{};
  std::vector<const RouteFact*> routes;

  void add(const RouteFact& route) {
    const std::tuple<bool, unsigned, unsigned> its(route.table != kMainTable, route.metric,
                                                   route.table);
    if (!routes.empty() && rank < its) return;
    if (routes.empty() || its < rank) routes.clear();
    rank = its;
    routes.push_back(&route);
  }
};

}  // namespace

DeviceGraph::DeviceGraph(const KernelFacts& facts, const Topology& topology) {
  index_links(facts);
  index_addresses(facts, topology);
  index_routes(facts, topology);
  index_bridge_ports(facts, topology);
}

void DeviceGraph::index_links(const KernelFacts& facts) {
  for (const auto& link : facts.links) links_.emplace(link.ifindex, &link);
  for (const auto& [ifindex, link] : links_) {
    if (link->master != 0) ports_[link->master].push_back(link);
    if (link->kind == "vlan" && link->lower != 0 && !link->lower_elsewhere)
      vlans_[link->lower].push_back(link);
  }
}

void DeviceGraph::index_addresses(const KernelFacts& facts, const Topology& topology) {
  std::unordered_set<IpAddress, AddressHash> underlays;
  for (const auto& underlay : topology.self_underlays) underlays.insert(underlay.address);
  for (const auto& fact : facts.addresses) {
    auto& held = addresses_[fact.ifindex];
    held.any = true;
    if (underlays.count(fact.address) != 0) {
      if (!held.underlay) held.underlay = fact.address;
      const auto* holder = link(fact.ifindex);
      if (holder != nullptr && (is_loopback(*holder) || holder->kind == "dummy"))
        underlay_on_loopback_ = true;
    }
    if (fact.address.link_local() || fact.address.loopback()) continue;
    (inside(topology.self_backends, fact.address) ? held.inside_backend : held.outside_backend) =
        true;
  }
}

void DeviceGraph::index_routes(const KernelFacts& facts, const Topology& topology) {
  PrefixMap<BestRoutes> table;
  for (const auto& route : facts.routes) {
    if (route.oif == 0) continue;
    table[route.destination].add(route);
    if (route.destination.length() == 0) default_routes_.insert(route.oif);
  }
  PrefixMap<bool> backends;
  for (const auto& peer : topology.peers)
    for (const auto& backend : peer.backends) {
      backends[backend.prefix] = true;
      if (const auto* best = table.find(backend.prefix))
        for (const auto* route : best->routes) backend_routes_.insert(route->oif);
    }
  for (const auto& route : facts.routes)
    if (route.oif != 0 && backends.find(route.destination) != nullptr)
      backend_routes_.insert(route.oif);
  for (const auto& peer : topology.peers) {
    for (const auto& underlay : peer.underlays) {
      const auto* best = table.find(underlay.address);
      if (best == nullptr) continue;
      for (const auto* route : best->routes) {
        expected_.insert(route->oif);
        next_hops_.emplace(route->oif, route->gateway.value_or(underlay.address));
      }
    }
  }
}

void DeviceGraph::index_bridge_ports(const KernelFacts& facts, const Topology& topology) {
  std::unordered_set<IpAddress, AddressHash> peers;
  for (const auto& peer : topology.peers)
    for (const auto& underlay : peer.underlays) peers.insert(underlay.address);

  std::set<std::pair<int, Mac>> peer_macs;  // bridge, MAC
  std::set<std::pair<int, Mac>> pod_macs;
  for (const auto& neighbour : facts.neighbours) {
    const auto* device = link(neighbour.ifindex);
    if (device == nullptr) continue;
    const auto* bridge = is_bridge(*device) ? device : bridge_below(*device);
    if (bridge == nullptr) continue;
    if (peers.count(neighbour.address) != 0 ||
        next_hops_.count({neighbour.ifindex, neighbour.address}) != 0) {
      peer_macs.emplace(bridge->ifindex, neighbour.mac);
    } else if (inside(topology.self_backends, neighbour.address)) {
      pod_macs.emplace(bridge->ifindex, neighbour.mac);
    }
  }
  for (const auto& entry : facts.fdb) {
    if (entry.local) continue;
    if (peer_macs.count({entry.bridge, entry.mac}) != 0) peer_ports_.insert(entry.port);
    if (pod_macs.count({entry.bridge, entry.mac}) != 0) pod_ports_.insert(entry.port);
  }
}

const LinkFact* DeviceGraph::link(int ifindex) const {
  const auto it = links_.find(ifindex);
  return it == links_.end() ? nullptr : it->second;
}

const std::vector<const LinkFact*>& DeviceGraph::ports(int master) const {
  static const std::vector<const LinkFact*> kNone;
  const auto it = ports_.find(master);
  return it == ports_.end() ? kNone : it->second;
}

const std::vector<const LinkFact*>& DeviceGraph::vlans_over(int lower) const {
  static const std::vector<const LinkFact*> kNone;
  const auto it = vlans_.find(lower);
  return it == vlans_.end() ? kNone : it->second;
}

const LinkFact* DeviceGraph::master(const LinkFact& of) const {
  return of.master == 0 ? nullptr : link(of.master);
}

const LinkFact* DeviceGraph::bridge_below(const LinkFact& of) const {
  if (of.kind != "vlan" || of.lower_elsewhere) return nullptr;
  const auto* lower = link(of.lower);
  return lower != nullptr && is_bridge(*lower) ? lower : nullptr;
}

std::optional<IpAddress> DeviceGraph::self_underlay(int ifindex) const {
  const auto it = addresses_.find(ifindex);
  return it == addresses_.end() ? std::nullopt : it->second.underlay;
}

bool DeviceGraph::has_address(int ifindex) const {
  const auto it = addresses_.find(ifindex);
  return it != addresses_.end() && it->second.any;
}

bool DeviceGraph::has_uplink_address(int ifindex) const {
  const auto it = addresses_.find(ifindex);
  return it != addresses_.end() && it->second.outside_backend;
}

bool DeviceGraph::pod_addresses_only(int ifindex) const {
  const auto it = addresses_.find(ifindex);
  return it != addresses_.end() && it->second.inside_backend && !it->second.outside_backend;
}

}  // namespace espial
