// SPDX-License-Identifier: Apache-2.0
#include "diagnose/paths/link_way.h"

#include "model/devices/device_kinds.h"

namespace espial {
namespace {

constexpr int kLinkDepthMax = 6;  // devices on devices
constexpr WalkStep kDeviceIn[] = {{Layer::kDevice, PacketHook::kIngress}};
constexpr WalkStep kDeviceOut[] = {{Layer::kDevice, PacketHook::kEgress}};
constexpr WalkStep kBridgeIn[] = {{Layer::kBridge, PacketHook::kPrerouting},
                                  {Layer::kBridge, PacketHook::kInput}};
constexpr WalkStep kBridgeOut[] = {{Layer::kBridge, PacketHook::kOutput},
                                   {Layer::kBridge, PacketHook::kPostrouting}};

const LinkFact* only(const std::vector<const LinkFact*>& devices) {
  return devices.size() == 1 ? devices.front() : nullptr;
}

}  // namespace

const LinkFact* port_to(const KernelFacts& facts, const DeviceGraph& graph, const LinkFact& bridge,
                        const LinkFact& device, const IpAddress& neighbour) {
  for (const auto& one : facts.neighbours) {
    if (one.ifindex != device.ifindex || one.address != neighbour) continue;
    for (const auto& entry : facts.fdb)
      if (entry.bridge == bridge.ifindex && entry.mac == one.mac && !entry.local)
        return graph.link(entry.port);
  }
  return nullptr;
}

Packet LinkHook::seen(const Packet& packet) const {
  Packet out = packet;
  auto& name = incoming ? out.iif : out.oif;
  auto& type = incoming ? out.iif_type : out.oif_type;
  name.reset();
  type.reset();
  if (device != nullptr) {
    name = device->name;
    type = device->arphrd;
  }
  if (!incoming) out.iif = "";
  if (bridge == nullptr) return out;
  out.bridge = bridge->name;
  if (incoming) out.oif.reset();
  return out;
}

std::vector<const LinkFact*> LinkWay::below(const LinkFact& device) const {
  if (is_bridge(device)) return ports_(device);
  if (device.kind == "bond" || device.kind == "team") return graph_.ports(device.ifindex);
  if (device.kind != "vlan" || device.lower_elsewhere) return {};
  const auto* lower = graph_.link(device.lower);
  if (lower == nullptr) return {};
  return {lower};
}

void LinkWay::up(const LinkFact& device, Place place, std::vector<LinkHook>& out) const {
  if (place.depth > kLinkDepthMax) return;
  const auto lower = below(device);
  for (const auto* one : lower) up(*one, {place.depth + 1, place.maybe || lower.size() > 1}, out);
  if (is_bridge(device)) out.push_back({kBridgeIn, only(lower), &device, true, place.maybe});
  out.push_back({kDeviceIn, &device, nullptr, true, place.maybe});
}

void LinkWay::down(const LinkFact& device, Place place, std::vector<LinkHook>& out) const {
  if (place.depth > kLinkDepthMax) return;
  const auto lower = below(device);
  out.push_back({kDeviceOut, &device, nullptr, false, place.maybe});
  if (is_bridge(device)) out.push_back({kBridgeOut, only(lower), &device, false, place.maybe});
  for (const auto* one : lower) down(*one, {place.depth + 1, place.maybe || lower.size() > 1}, out);
}

std::vector<LinkHook> LinkWay::up(const LinkFact& device) const {
  std::vector<LinkHook> out;
  up(device, {}, out);
  return out;
}

std::vector<LinkHook> LinkWay::down(const LinkFact& device) const {
  std::vector<LinkHook> out;
  down(device, {}, out);
  return out;
}

}  // namespace espial
