// SPDX-License-Identifier: Apache-2.0
// DeviceGraph: the links of a network namespace with what plan_devices asks about them: who is a
// port of whom, who holds which addresses, and where the routes to the peers' underlays lead.
//
// Refers to the facts and the topology it was built from; both must outlive it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/facts/facts.h"
#include "model/topology.h"

namespace espial {

class DeviceGraph {
 public:
  DeviceGraph(const KernelFacts& facts, const Topology& topology);

  [[nodiscard]] const LinkFact* link(int ifindex) const;  // null: not in this namespace
  [[nodiscard]] const std::vector<const LinkFact*>& ports(int master) const;
  [[nodiscard]] const std::vector<const LinkFact*>& vlans_over(int lower) const;
  [[nodiscard]] const LinkFact* master(const LinkFact& link) const;
  // The bridge right below a VLAN device, or null.
  [[nodiscard]] const LinkFact* bridge_below(const LinkFact& link) const;

  // An address of the device that is one of the node's underlays.
  [[nodiscard]] std::optional<IpAddress> self_underlay(int ifindex) const;
  [[nodiscard]] bool has_address(int ifindex) const;  // link-local ones count
  // A global address outside of the node's own backend subnets.
  [[nodiscard]] bool has_uplink_address(int ifindex) const;
  // Holds global addresses, and all of them are inside the node's own backend subnets.
  [[nodiscard]] bool pod_addresses_only(int ifindex) const;
  // Some underlay of the node sits on a device that no frame arrives on (lo, dummy).
  [[nodiscard]] bool underlay_on_loopback() const { return underlay_on_loopback_; }

  // The longest-prefix route to some peer's underlay names the device.
  [[nodiscard]] bool routes_to_peer(int ifindex) const { return expected_.count(ifindex) != 0; }
  // A route to a peer's backend subnet, or to a part of it, names the device.
  [[nodiscard]] bool routes_to_backend(int ifindex) const {
    return backend_routes_.count(ifindex) != 0;
  }
  [[nodiscard]] bool default_route(int ifindex) const {
    return default_routes_.count(ifindex) != 0;
  }

  // Bridge ports behind which the forwarding table holds the MAC of a peer (or of the router to
  // it), and of something in an own backend subnet.
  [[nodiscard]] bool leads_to_peer(int port) const { return peer_ports_.count(port) != 0; }
  [[nodiscard]] bool leads_to_pod(int port) const { return pod_ports_.count(port) != 0; }

 private:
  void index_links(const KernelFacts& facts);
  void index_addresses(const KernelFacts& facts, const Topology& topology);
  void index_routes(const KernelFacts& facts, const Topology& topology);
  void index_bridge_ports(const KernelFacts& facts, const Topology& topology);

  struct Addresses {
    bool any = false;
    bool inside_backend = false;
    bool outside_backend = false;
    std::optional<IpAddress> underlay;
  };
  std::map<int, const LinkFact*> links_;
  std::map<int, std::vector<const LinkFact*>> ports_;
  std::map<int, std::vector<const LinkFact*>> vlans_;
  std::map<int, Addresses> addresses_;
  std::set<int> expected_;
  std::set<int> default_routes_;
  std::set<int> backend_routes_;
  std::set<std::pair<int, IpAddress>> next_hops_;  // towards peers: device, address
  std::set<int> peer_ports_;
  std::set<int> pod_ports_;
  bool underlay_on_loopback_ = false;
};

}  // namespace espial
