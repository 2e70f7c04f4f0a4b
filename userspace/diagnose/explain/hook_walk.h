// SPDX-License-Identifier: Apache-2.0
// HookWalk: one packet at a hook of netfilter, of IP or below it: what the rules there make of it.
// A stage is true while the packet is on its way; what it met is told.
#pragma once

#include <string>
#include <vector>

#include "diagnose/explain/node_view.h"
#include "diagnose/explain/packet_state.h"
#include "diagnose/paths/link_way.h"
#include "diagnose/rules/rule_walk.h"

namespace espial {

class HookWalk {
 public:
  // Both outlive it.
  HookWalk(const NodeView& node, PacketState& state) : node_(node), state_(state) {}

  // Walks one hook of IP and keeps what it made of the packet.
  bool hook(const WalkStep& step);
  // The hooks below IP: from the wire or the pod up to the device, or down from it.
  bool link_hooks(const std::vector<LinkHook>& hooks);
  // neighbour: who sends it to the device, or gets it from there.
  [[nodiscard]] LinkWay link_way(const LinkFact& device, const IpAddress& neighbour) const;

 private:
  bool walked(const Walk& walk, const std::string& name);
  bool unknown_rules(const Walk& walk, const std::string& name);
  // With IPsec the packet's route is the outer one's (xfrm_bundle_create()).
  void place_devices(const WalkStep& step);
  // Routes and policies are followed for a mark of 0.
  bool mark_is_harmless(PacketHook at, const std::string& name);

  const NodeView& node_;
  PacketState& state_;
};

}  // namespace espial
