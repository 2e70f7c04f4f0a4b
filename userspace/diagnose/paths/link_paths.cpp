// SPDX-License-Identifier: Apache-2.0
#include "diagnose/paths/link_paths.h"

#include "model/devices/device_kinds.h"

namespace espial {
namespace {

constexpr WalkStep kFirstDevice[] = {{Layer::kDevice, PacketHook::kIngress}};

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

}  // namespace

LinkPaths::LinkPaths(const Topology& topology, const KernelFacts& facts)
    : facts_(facts), graph_(facts, topology) {}

const LinkFact* LinkPaths::named(const std::optional<std::string>& name) const {
  if (!name || name->empty()) return nullptr;
  for (const auto& link : facts_.links)
    if (link.name == *name) return &link;
  return nullptr;
}

// The pod's own, else any that is not the way to the other nodes; and the other way round.
const LinkFact* LinkPaths::port(const LinkFact& bridge, const Far& far) const {
  if (far.pod)
    if (const auto* its = port_to(facts_, graph_, bridge, bridge, *far.pod)) return its;
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

LinkWay LinkPaths::way(const Far& far) const {
  return {graph_, [this, &far](const LinkFact& bridge) {
            const auto* its = port(bridge, far);
            return its == nullptr ? std::vector<const LinkFact*>{} : std::vector{its};
          }};
}

void LinkPaths::up(const LinkFact& device, const Far& far, std::vector<BackendPath>& out) const {
  for (const auto& hook : way(far).up(device)) {
    out.push_back(at_hooks(far.path, hook.steps));
    out.back().packet = hook.seen(far.path.packet);
  }
}

void LinkPaths::down(const LinkFact& device, const Far& far, std::vector<BackendPath>& out) const {
  for (const auto& hook : way(far).down(device)) {
    out.push_back(at_hooks(far.path, hook.steps));
    out.back().packet = hook.seen(far.path.packet);
    // Rules of IP may have set it on the way here.
    out.back().packet.mark.reset();
  }
}

void LinkPaths::pods_receive(const BackendPath& path, std::vector<BackendPath>& out) const {
  const auto* in = named(path.packet.iif);
  const auto* to = named(path.packet.oif);
  // In clear it comes from the wire; else its ESP does, which has a path of its own.
  if (in != nullptr && path.packet.ipsec_in == Tri::kNo)
    up(*in, {path, {}}, out);
  else if (in != nullptr)
    out.push_back(at_hooks(path, kFirstDevice));
  if (to != nullptr) down(*to, {path, path.packet.destination}, out);
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
      up(*in, {path, pods ? path.packet.source : std::nullopt}, out);
    const auto* to = named(path.packet.oif);
    // What IPsec takes leaves as ESP.
    if (to == nullptr || (path.kind == PathKind::kPods && path.packet.ipsec_out != Tri::kNo))
      continue;
    const bool from_pod = path.kind == PathKind::kPods;
    down(*to, {path, pods && !from_pod ? path.packet.destination : std::nullopt}, out);
  }
  return out;
}

}  // namespace espial
