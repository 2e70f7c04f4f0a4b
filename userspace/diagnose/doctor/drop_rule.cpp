// SPDX-License-Identifier: Apache-2.0
#include "diagnose/doctor/drop_rule.h"

#include <algorithm>

#include "base/protocols.h"
#include "diagnose/paths/link_paths.h"

namespace espial {
namespace {

// What the record says of the hook, in the words of a walk. Without a route and after it devices
// and bridges look like the hooks of IP next to them.
bool allowed(Hook hook, const WalkStep& step) {
  const bool ip = step.layer == Layer::kIp;
  const bool forward = ip && step.hook == PacketHook::kForward;
  const bool output = ip && step.hook == PacketHook::kOutput;
  const bool last = step.hook == PacketHook::kPostrouting || step.hook == PacketHook::kEgress ||
                    (!ip && step.hook == PacketHook::kOutput);
  switch (hook) {
    case Hook::UNKNOWN:
      return true;
    case Hook::PREROUTING:
      return step.hook == PacketHook::kPrerouting || step.hook == PacketHook::kIngress ||
             (!ip && step.hook == PacketHook::kInput);
    case Hook::INPUT:
      return ip && step.hook == PacketHook::kInput;
    case Hook::FORWARD:
      return forward;
    case Hook::OUTPUT:
      return output;
    case Hook::POSTROUTING:
      return last;
    case Hook::FORWARD_OR_POSTROUTING:
      return forward || last;
    case Hook::OUTPUT_OR_POSTROUTING:
      return output || last;
  }
  return false;
}

bool carries(PathKind kind, std::uint8_t protocol) {
  switch (kind) {
    case PathKind::kPods:
      return true;
    case PathKind::kEsp:
      return protocol == kProtocolEsp;
    case PathKind::kIke:
      return protocol == kProtocolUdp;
    case PathKind::kPathMtu:
    case PathKind::kNeighbours:
      return false;
  }
  return false;
}

std::optional<std::uint16_t> known_port(std::uint16_t port) {
  return port == 0 ? std::nullopt : std::optional(port);
}

Packet packet_of(const BackendPath& path, const DropRecord& drop, Tracking tracking) {
  Packet packet = path.packet;
  if (packet.protocol != drop.protocol) {
    packet.icmp_type.reset();
    packet.icmp_code.reset();
    packet.tcp_flags.reset();
  }
  packet.source = drop.source;
  packet.destination = drop.destination;
  packet.protocol = drop.protocol;
  packet.source_port = known_port(drop.source_port);
  packet.destination_port = known_port(drop.destination_port);
  packet.tracking = tracking;
  return packet;
}

}  // namespace

DropRules::DropRules(const Topology& topology, const KernelFacts& facts, const Ruleset& ruleset,
                     const MeshAudit& audit)
    : ruleset_(ruleset), routes_(facts), fib_(facts, routes_) {
  paths_ = backend_paths(topology, facts, routes_, &audit);
  const auto below = LinkPaths(topology, facts).below(paths_);
  paths_.insert(paths_.end(), below.begin(), below.end());
}

std::optional<DropRule> DropRules::walk(const BackendPath& path, const DropRecord& drop,
                                        Tracking tracking) const {
  const auto walk = walk_rules(ruleset_, packet_of(path, drop, tracking), path.steps, &fib_);
  if ((walk.fate != Fate::kDropped && walk.fate != Fate::kRejected) || walk.culprits.size() != 1)
    return std::nullopt;
  const auto& step = path.steps[std::min(walk.steps_done, path.steps.size()) - 1];
  if (!allowed(*drop.hook, step)) return std::nullopt;
  return DropRule{step, walk.culprits.front()};
}

std::optional<DropRule> DropRules::of(const DropRecord& drop) const {
  if (!drop.hook) return std::nullopt;
  for (const auto& path : paths_) {
    if (path.peer != drop.peer || path.direction != drop.direction ||
        !carries(path.kind, drop.protocol) || !path.from.contains(drop.source) ||
        !path.to.contains(drop.destination))
      continue;
    // Mostly a connection's first packet, which is then its last.
    for (const auto tracking : {Tracking::kNew, Tracking::kEstablished})
      if (auto rule = walk(path, drop, tracking)) return rule;
  }
  return std::nullopt;
}

}  // namespace espial
