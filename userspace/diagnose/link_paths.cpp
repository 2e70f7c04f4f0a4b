// SPDX-License-Identifier: Apache-2.0
#include "diagnose/link_paths.h"

#include <algorithm>

#include "model/device_kinds.h"

namespace espial {
namespace {

constexpr int kDepthMax = 6;  // devices on devices
constexpr WalkStep kDeviceIn[] = {{Layer::kDevice, PacketHook::kIngress}};
constexpr WalkStep kDeviceOut[] = {{Layer::kDevice, PacketHook::kEgress}};
constexpr WalkStep kBridgeIn[] = {{Layer::kBridge, PacketHook::kPrerouting},
                                  {Layer::kBridge, PacketHook::kInput}};
constexpr WalkStep kBridgeOut[] = {{Layer::kBridge, PacketHook::kOutput},
                                   {Layer::kBridge, PacketHook::kPostrouting}};

// Is it a pod that sends it, or gets it, and not another node?
bool of_pods(const BackendPath& path) {
  switch (path.kind) {
    case PathKind::kPods:
      return true;
    case PathKind::kEsp:
    case PathKind::kIke:
      return false;
    case PathKind::kPathMtu:
      return path.direction == Direction::TRANSMIT;
    case PathKind::kNeighbours:
      return path.peer.empty();
  }
  return false;
}

BackendPath at_hooks(const BackendPath& path, std::span<const WalkStep> steps) {
  BackendPath out = path;
  out.steps = steps;
  return out;
}

void name_device(std::optional<std::string>& name, std::optional<std::uint16_t>& type,
                 const LinkFact* device) {
  name.reset();
  type.reset();
  if (device == nullptr) return;
  name = device->name;
  type = device->arphrd;
}

}  // namespace

LinkPaths::LinkPaths(const Topology& topology, const KernelFacts& facts)
    : facts_(facts), graph_(facts, topology) {}

const LinkFact* LinkPaths::named(const std::optional<std::string>& name) const {
  if (!name || name->empty()) return nullptr;
  for (const auto& link : facts_.links)
    if (link.name == *name) return &link;
  return nullptr;
}

const LinkFact* LinkPaths::port_of_pod(const LinkFact& bridge, const IpAddress& pod) const {
  for (const auto& neighbour : facts_.neighbours) {
    if (neighbour.ifindex != bridge.ifindex || neighbour.address != pod) continue;
    for (const auto& entry : facts_.fdb)
      if (entry.bridge == bridge.ifindex && entry.mac == neighbour.mac && !entry.local)
        return graph_.link(entry.port);
  }
  return nullptr;
}

// The pod's own, else any that is not the way to the other nodes; and the other way round.
const LinkFact* LinkPaths::port(const LinkFact& bridge, const Far& far) const {
  if (far.pod)
    if (const auto* its = port_of_pod(bridge, *far.pod)) return its;
  const auto& ports = graph_.ports(bridge.ifindex);
  const LinkFact* other = nullptr;
  std::size_t others = 0;
  for (const auto* one : ports) {
    if (far.pod ? graph_.leads_to_pod(one->ifindex) : graph_.leads_to_peer(one->ifindex))
      return one;
    if (far.pod ? graph_.leads_to_peer(one->ifindex) : graph_.leads_to_pod(one->ifindex)) continue;
    other = one;
    ++others;
  }
  return others == 1 ? other : nullptr;
}

void LinkPaths::up(const LinkFact& device, const Far& far, int depth,
                   std::vector<BackendPath>& out) const {
  if (depth > kDepthMax) return;
  if (is_bridge(device)) {
    const auto* from = port(device, far);
    if (from != nullptr) up(*from, far, depth + 1, out);
    auto frame = at_hooks(far.path, kBridgeIn);
    name_device(frame.packet.iif, frame.packet.iif_type, from);
    frame.packet.bridge = device.name;
    frame.packet.oif.reset();
    out.push_back(std::move(frame));
  } else if (const auto* lower = device.lower_elsewhere ? nullptr : graph_.link(device.lower);
             device.kind == "vlan" && lower != nullptr) {
    up(*lower, far, depth + 1, out);
  } else if (device.kind == "bond" || device.kind == "team") {
    for (const auto* slave : graph_.ports(device.ifindex)) up(*slave, far, depth + 1, out);
  }
  auto whole = at_hooks(far.path, kDeviceIn);
  name_device(whole.packet.iif, whole.packet.iif_type, &device);
  out.push_back(std::move(whole));
}

void LinkPaths::down(const LinkFact& device, const Far& far, int depth,
                     std::vector<BackendPath>& out) const {
  if (depth > kDepthMax) return;
  auto whole = at_hooks(far.path, kDeviceOut);
  name_device(whole.packet.oif, whole.packet.oif_type, &device);
  // Rules of IP may have set it on the way here.
  whole.packet.mark.reset();
  whole.packet.iif = "";
  out.push_back(whole);
  if (is_bridge(device)) {
    const auto* to = port(device, far);
    auto frame = at_hooks(whole, kBridgeOut);
    name_device(frame.packet.oif, frame.packet.oif_type, to);
    frame.packet.bridge = device.name;
    out.push_back(std::move(frame));
    if (to != nullptr) down(*to, far, depth + 1, out);
  } else if (const auto* lower = device.lower_elsewhere ? nullptr : graph_.link(device.lower);
             device.kind == "vlan" && lower != nullptr) {
    down(*lower, far, depth + 1, out);
  } else if (device.kind == "bond" || device.kind == "team") {
    for (const auto* slave : graph_.ports(device.ifindex)) down(*slave, far, depth + 1, out);
  }
}

void LinkPaths::pods_receive(const BackendPath& path, std::vector<BackendPath>& out) const {
  const auto* in = named(path.packet.iif);
  const auto* to = named(path.packet.oif);
  // In clear it comes from the wire; else its ESP does, which has a path of its own.
  if (in != nullptr && path.packet.ipsec_in == Tri::kNo)
    up(*in, {path, {}}, 0, out);
  else if (in != nullptr)
    out.push_back(at_hooks(path, kDeviceIn));
  if (to != nullptr) down(*to, {path, path.packet.destination}, 0, out);
}

std::vector<BackendPath> LinkPaths::below(const std::vector<BackendPath>& paths) const {
  std::vector<BackendPath> out;
  for (const auto& path : paths) {
    if (path.kind == PathKind::kPods && path.direction == Direction::RECEIVE) {
      pods_receive(path, out);
      continue;
    }
    const bool pods = of_pods(path);
    if (const auto* in = named(path.packet.iif))
      up(*in, {path, pods ? path.packet.source : std::nullopt}, 0, out);
    const auto* to = named(path.packet.oif);
    // What IPsec takes leaves as ESP.
    if (to == nullptr || (path.kind == PathKind::kPods && path.packet.ipsec_out != Tri::kNo))
      continue;
    const bool from_pod = path.kind == PathKind::kPods;
    down(*to, {path, pods && !from_pod ? path.packet.destination : std::nullopt}, 0, out);
  }
  return out;
}

}  // namespace espial
