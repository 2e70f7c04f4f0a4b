// SPDX-License-Identifier: Apache-2.0
// Departure: the packet from the question where it goes to the wire or the pod: routes, FORWARD or
// OUTPUT, POSTROUTING, and what IPsec and tunnel devices make of what leaves (ip_output.c,
// ip_forward.c, xfrm_output.c). A stage is true while the packet is on its way.
#pragma once

#include "diagnose/explain/hook_walk.h"
#include "diagnose/explain/ipsec.h"
#include "diagnose/explain/node_view.h"
#include "diagnose/explain/packet_state.h"
#include "diagnose/lookup/outer_flow.h"

namespace espial {

class Departure {
 public:
  // All outlive it.
  Departure(const NodeView& node, PacketState& state, HookWalk& hooks, Ipsec& ipsec)
      : node_(node), state_(state), hooks_(hooks), ipsec_(ipsec) {}

  // From the question where it goes to the last hook before its device. The policy is looked up
  // with the route, before FORWARD and OUTPUT see the packet.
  bool send();
  // Behind the last hook: to its end.
  void leave();

  // The same for what arrived, a step at a time.
  bool route();
  // NAT of POSTROUTING: the policy is asked again (nf_xfrm_me_harder()).
  bool postrouting();
  // From the device to the neighbour that the route names.
  bool down();

 private:
  // On a shared bridge what pods send to other nodes comes in and leaves by the same device.
  [[nodiscard]] bool on_link() const;
  // NAT and marks of OUTPUT: the route is asked again (ip_route_me_harder()).
  bool output();
  // ip_tunnel_xmit(): what the device makes is a packet of this node.
  void tunnel(const OuterFlow& flow);
  // xfrm_output(): OUTPUT and POSTROUTING see what was made.
  void outer();

  const NodeView& node_;
  PacketState& state_;
  HookWalk& hooks_;
  Ipsec& ipsec_;
};

}  // namespace espial
