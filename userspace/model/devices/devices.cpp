// SPDX-License-Identifier: Apache-2.0
#include "model/devices/devices.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/contains.h"
#include "model/devices/device_graph.h"
#include "model/devices/device_kinds.h"

namespace espial {
namespace {

class DevicePlanner {
 public:
  DevicePlanner(const KernelFacts& facts, const Topology& topology, const Config& config,
                std::span<const int> remembered)
      : facts_(facts), config_(config), graph_(facts, topology), remembered_(remembered) {}

  DevicePlans run() {
    for (const auto& link : facts_.links) judge(link);
    claim_vlans();
    admit_bridge_vlans();
    for (const auto& link : facts_.links) judge_reentry(link);
    leave_reentry_to_macvlans();
    mark_expected();
    return assemble();
  }

 private:
  struct Draft {
    bool wire = false;
    bool reentry = false;
    bool expected = false;
    std::map<std::uint16_t, bool> vlans;  // vid -> ours
    std::string why;
  };

  [[nodiscard]] bool included(const LinkFact& link) const {
    return contains(config_.include_devices, link.name);
  }
  [[nodiscard]] bool excluded(const LinkFact& link) const {
    return contains(config_.exclude_devices, link.name);
  }
  [[nodiscard]] bool wire(int ifindex) const {
    const auto it = drafts_.find(ifindex);
    return it != drafts_.end() && it->second.wire;
  }

  // The master receives the frames of this slave and has the programs (bond, team, failover).
  [[nodiscard]] const LinkFact* aggregate(const LinkFact& link) const {
    const auto* master = graph_.master(link);
    return master != nullptr && !is_bridge(*master) && master->kind != "vrf" ? master : nullptr;
  }

  // A device that is an uplink whatever addresses it holds.
  [[nodiscard]] bool hardware_like(const LinkFact& link, int depth = 0) const {
    if (link.kind.empty()) return !is_ppp(link);
    if (link.kind == "bond" || link.kind == "team") return true;
    if (link.lower_elsewhere) return link.kind != "veth" && !is_tunnel(link);
    if (link.kind != "vlan") return false;
    const auto* lower = graph_.link(link.lower);
    return lower == nullptr || is_bridge(*lower) || (depth < 8 && hardware_like(*lower, depth + 1));
  }

  [[nodiscard]] bool routes_out(int ifindex) const {
    return graph_.routes_to_peer(ifindex) || graph_.routes_to_backend(ifindex) ||
           graph_.default_route(ifindex);
  }
  [[nodiscard]] bool speaks_outside(int ifindex) const {
    return graph_.has_uplink_address(ifindex) || routes_out(ifindex);
  }

  void judge(const LinkFact& link);
  void judge_free(const LinkFact& link);
  void judge_bridge(const LinkFact& bridge);
  void choose_ports(const LinkFact& bridge);
  void choose_port(const LinkFact& bridge, const LinkFact& port, bool peers_known, bool hardware);
  void make_wire(const LinkFact& link, std::string why);
  void claim_vlans();
  void admit_bridge_vlans();
  void judge_reentry(const LinkFact& link);
  void leave_reentry_to_macvlans();
  void mark_expected();
  DevicePlans assemble();
  bool accept_type(const LinkFact& link);
  void ignore(const LinkFact& link, std::string reason) {
    ignored_.try_emplace(link.ifindex, std::move(reason));
  }

  const KernelFacts& facts_;
  const Config& config_;
  DeviceGraph graph_;
  std::span<const int> remembered_;
  std::map<int, Draft> drafts_;
  std::map<int, std::string> refused_;
  std::map<int, std::string> ignored_;
  std::map<int, std::vector<int>> stands_for_;  // bridge or VLAN over one -> its wire ports
  std::set<int> peer_ports_;
  std::set<int> chosen_;  // bridges whose ports are chosen: ends loops
};

void DevicePlanner::judge(const LinkFact& link) {
  if (is_loopback(link)) return ignore(link, "loopback");
  if (excluded(link)) {
    refused_.try_emplace(link.ifindex, "excluded by the configuration (exclude_devices)");
    return;
  }
  if (is_bridge(link)) return judge_bridge(link);
  if (included(link)) return make_wire(link, "included by the configuration");
  if (const auto* master = aggregate(link))
    return ignore(link, "slave of " + master->name + ", which is watched instead");
  const auto* master = graph_.master(link);
  if (master == nullptr || !is_bridge(*master)) judge_free(link);
}

// A device that is no port of a bridge and no slave.
void DevicePlanner::judge_free(const LinkFact& link) {
  if (is_tunnel(link)) {
    if (graph_.routes_to_peer(link.ifindex))
      return make_wire(link, "the route to a peer goes through this device (" + link.kind + ")");
    return ignore(link, "tunnel or virtual device (" + link.kind + "), no peer behind it");
  }
  if (shares_lower(link)) {
    const auto* lower = graph_.link(link.lower);
    // What this one sends and receives is seen there, whatever addresses the lower one has.
    if (lower != nullptr && !is_bridge(*lower) && !excluded(*lower) && !wire(lower->ifindex) &&
        speaks_outside(link.ifindex))
      make_wire(*lower, "uplink of " + link.name + ", a " + link.kind + " over it");
    return ignore(link, link.kind + " over " + (lower ? lower->name : "another device") +
                            ", which is watched instead");
  }
  if (graph_.bridge_below(link) != nullptr && !speaks_outside(link.ifindex))
    return ignore(link, "VLAN over a bridge, without an address of the underlay");
  if (hardware_like(link)) return make_wire(link, "uplink");
  if (graph_.has_uplink_address(link.ifindex))
    return make_wire(link, "uplink: holds an address outside of the node's backend subnets");
  if (routes_out(link.ifindex))
    return make_wire(link, "uplink: the default route or a peer is behind it");
  ignore(link, "pod port: no uplink address, no route to a peer");
}

void DevicePlanner::judge_bridge(const LinkFact& bridge) {
  bool uplink = included(bridge) || graph_.self_underlay(bridge.ifindex).has_value() ||
                routes_out(bridge.ifindex);
  for (const auto* vlan : graph_.vlans_over(bridge.ifindex))
    uplink = uplink || graph_.self_underlay(vlan->ifindex) || routes_out(vlan->ifindex);
  const auto& ports = graph_.ports(bridge.ifindex);
  const bool hardware =
      std::any_of(ports.begin(), ports.end(), [&](auto* port) { return hardware_like(*port); });
  const bool pods = graph_.pod_addresses_only(bridge.ifindex);
  if (uplink || hardware) {
    choose_ports(bridge);
  } else {
    for (const auto* port : ports)
      if (!included(*port)) ignore(*port, "port of " + bridge.name + ", a bridge without uplink");
  }
  ignore(bridge, pods && !uplink ? "pod bridge" : uplink ? "bridge" : "bridge without uplink");
}

void DevicePlanner::choose_ports(const LinkFact& bridge) {
  if (!chosen_.insert(bridge.ifindex).second) return;
  const auto& ports = graph_.ports(bridge.ifindex);
  std::set<int> known;
  bool hardware = false;
  for (const auto* port : ports) {
    hardware = hardware || hardware_like(*port);
    if (graph_.leads_to_peer(port->ifindex)) known.insert(port->ifindex);
  }
  if (known.empty())
    for (const auto* port : ports)
      if (contains(remembered_, port->ifindex)) known.insert(port->ifindex);
  peer_ports_.insert(known.begin(), known.end());
  for (const auto* port : ports) choose_port(bridge, *port, !known.empty(), hardware);
}

// hardware: the bridge has a port that is an uplink for certain.
void DevicePlanner::choose_port(const LinkFact& bridge, const LinkFact& port, bool peers_known,
                                bool hardware) {
  if (excluded(port)) return;
  const std::string prefix = "port of " + bridge.name + ": ";
  if (peer_ports_.count(port.ifindex) != 0) {
    make_wire(port, prefix + "a peer's underlay is behind it");
  } else if (hardware_like(port)) {
    make_wire(port, prefix + "uplink");
  } else if (!peers_known && !hardware && !is_tunnel(port) && !graph_.leads_to_pod(port.ifindex)) {
    make_wire(port, prefix + "it is not known yet which port leads to the peers");
  } else if (included(port)) {
    make_wire(port, "included by the configuration");
  } else {
    return ignore(port, prefix + "no peer behind it");
  }
  // A port that is itself a VLAN over another bridge stands for that bridge's ports.
  auto behind = stands_for_[port.ifindex];
  if (wire(port.ifindex)) behind.push_back(port.ifindex);
  auto& wires = stands_for_[bridge.ifindex];
  wires.insert(wires.end(), behind.begin(), behind.end());
}

// A VLAN over a bridge is watched on the ports of that bridge: the bridge itself also shows pods.
void DevicePlanner::make_wire(const LinkFact& link, std::string why) {
  if (const auto* bridge = graph_.bridge_below(link)) {
    choose_ports(*bridge);
    const auto ports = stands_for_[bridge->ifindex];
    for (const int port : ports)
      drafts_[port].vlans.try_emplace(static_cast<std::uint16_t>(link.vlan_id), true);
    stands_for_[link.ifindex] = ports;
    return ignore(link, "VLAN over " + bridge->name + ", watched on that bridge's ports");
  }
  if (!accept_type(link)) return;
  auto& draft = drafts_[link.ifindex];
  if (!draft.wire) draft.why = std::move(why);
  draft.wire = true;
}

bool DevicePlanner::accept_type(const LinkFact& link) {
  if (supported_type(link)) return true;
  refused_.try_emplace(link.ifindex, "link type " + std::to_string(link.arphrd) +
                                         " is not supported: its packets are not seen");
  return false;
}

void DevicePlanner::claim_vlans() {
  for (const auto& link : facts_.links) {
    if (link.kind != "vlan" || link.lower_elsewhere || !wire(link.ifindex)) continue;
    const auto lower = drafts_.find(link.lower);
    if (lower != drafts_.end())
      lower->second.vlans[static_cast<std::uint16_t>(link.vlan_id)] = false;
  }
}

// On the wire of a bridge that filters VLANs, frames of the mesh may carry a tag that nobody above
// sees. Ours are the VLANs by which a frame gets from there to this node's stack (the bridge's own
// membership) or to a pod's port.
void DevicePlanner::admit_bridge_vlans() {
  for (const auto& bridge : facts_.links) {
    if (!is_bridge(bridge) || !bridge.vlan_filtering) continue;
    const auto& ports = graph_.ports(bridge.ifindex);
    std::set<std::uint16_t> inside(bridge.bridge_vlans.begin(), bridge.bridge_vlans.end());
    for (const auto* port : ports)
      if (!wire(port->ifindex)) inside.insert(port->bridge_vlans.begin(), port->bridge_vlans.end());
    for (const auto* port : ports) {
      if (!wire(port->ifindex)) continue;
      for (const auto vid : port->bridge_vlans)
        if (inside.count(vid) != 0) drafts_[port->ifindex].vlans.try_emplace(vid, true);
    }
  }
}

void DevicePlanner::judge_reentry(const LinkFact& link) {
  if (excluded(link) || is_loopback(link)) return;
  std::string why;
  if (is_bridge(link) || shares_lower(link) || graph_.bridge_below(link) != nullptr) {
    if (const auto underlay = graph_.self_underlay(link.ifindex)) {
      why = "ESP is delivered here: holds underlay " + underlay->text();
    } else if (graph_.underlay_on_loopback() && graph_.routes_to_peer(link.ifindex)) {
      why = "ESP is delivered here: the peers are routed through it";
    }
  } else if (decrypts(link)) {
    why = "decrypted packets come out of this " + link.kind + " device";
  } else if (link.kind == "vrf") {
    const auto& slaves = graph_.ports(link.ifindex);
    if (std::any_of(slaves.begin(), slaves.end(), [&](auto* s) { return wire(s->ifindex); }))
      why = "decrypted packets of its uplinks come out of this vrf";
  } else if (wire(link.ifindex)) {
    const auto* master = graph_.master(link);
    const bool layer3 = master == nullptr || master->kind == "vrf";
    if (layer3 && (graph_.has_address(link.ifindex) || graph_.underlay_on_loopback()))
      drafts_[link.ifindex].reentry = true;
    return;
  }
  if (why.empty() || !accept_type(link)) return;
  auto& draft = drafts_[link.ifindex];
  if (!draft.wire) draft.why = std::move(why);
  draft.reentry = true;
}

// With ESP GRO a packet decrypted on the lower device is seen again on the macvlan that holds the
// underlay: only the device that holds it counts.
void DevicePlanner::leave_reentry_to_macvlans() {
  for (const auto& link : facts_.links) {
    if (!shares_lower(link)) continue;
    const auto upper = drafts_.find(link.ifindex);
    const auto lower = drafts_.find(link.lower);
    if (upper == drafts_.end() || !upper->second.reentry || lower == drafts_.end()) continue;
    if (!graph_.self_underlay(link.lower)) lower->second.reentry = false;
  }
}

void DevicePlanner::mark_expected() {
  for (const auto& link : facts_.links) {
    if (!graph_.routes_to_peer(link.ifindex)) continue;
    const auto ports = stands_for_.find(link.ifindex);
    if (ports == stands_for_.end() || ports->second.empty()) {
      const int device = shares_lower(link) ? link.lower : link.ifindex;
      if (wire(device)) drafts_[device].expected = true;
      continue;
    }
    const auto& all = ports->second;
    const bool known =
        std::any_of(all.begin(), all.end(), [&](int p) { return peer_ports_.count(p) != 0; });
    for (const int port : all)
      if (!known || peer_ports_.count(port) != 0) drafts_[port].expected = true;
  }
}

DevicePlans DevicePlanner::assemble() {
  DevicePlans plans;
  for (const auto& [ifindex, draft] : drafts_) {
    const auto* link = graph_.link(ifindex);
    if (link == nullptr || (!draft.wire && !draft.reentry)) continue;
    DevicePlan plan;
    plan.ifindex = ifindex;
    plan.name = link->name;
    plan.role = !draft.reentry ? DeviceRole::kWire
                : draft.wire   ? DeviceRole::kWireAndReentry
                               : DeviceRole::kReentry;
    plan.ethernet = has_ethernet_header(*link);
    plan.expected = draft.expected;
    for (const auto& [vid, ours] : draft.vlans) plan.vlans.push_back({vid, ours});
    plan.why = draft.why;
    plans.devices.push_back(std::move(plan));
  }
  const auto list = [&](const std::map<int, std::string>& from, std::vector<PassedDevice>& to) {
    for (const auto& [ifindex, reason] : from)
      if (plans.find(ifindex) == nullptr)
        to.push_back({ifindex, graph_.link(ifindex)->name, reason});
  };
  list(refused_, plans.refused);
  list(ignored_, plans.ignored);
  plans.peer_ports.assign(peer_ports_.begin(), peer_ports_.end());
  return plans;
}

}  // namespace

const DevicePlan* DevicePlans::find(int ifindex) const {
  const auto it = std::find_if(devices.begin(), devices.end(),
                               [&](const DevicePlan& plan) { return plan.ifindex == ifindex; });
  return it == devices.end() ? nullptr : &*it;
}

DevicePlans plan_devices(const KernelFacts& facts, const Topology& topology, const Config& config,
                         std::span<const int> remembered) {
  return DevicePlanner(facts, topology, config, remembered).run();
}

}  // namespace espial
