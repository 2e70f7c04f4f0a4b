// SPDX-License-Identifier: Apache-2.0
// Arrival: the packet from the wire or the pod until it is delivered or handed to Departure. What
// another node sends (xfrm_input.c, ip_input.c, ip_forward.c) comes as the policies say that it has
// to. A stage is true while the packet is on its way.
#pragma once

#include "diagnose/explain/departure.h"
#include "diagnose/explain/hook_walk.h"
#include "diagnose/explain/ipsec.h"
#include "diagnose/explain/node_view.h"
#include "diagnose/explain/packet_state.h"

namespace espial {

class Arrival {
 public:
  // All outlive it.
  Arrival(const NodeView& node, PacketState& state, HookWalk& hooks, Ipsec& ipsec,
          Departure& departure)
      : node_(node), state_(state), hooks_(hooks), ipsec_(ipsec), departure_(departure) {}

  // From a pod: ip_rcv(), until it is known that the packet is to be forwarded.
  bool arrive();
  // From another node, to this one or a pod of it: as ESP if the policies ask for it. To its end.
  void receive();

 private:
  bool forwards();
  // The policy that what arrives is held against; false: it ends here.
  bool expected();
  // The ESP up to its decryption (xfrm_input()); false: it ends there.
  bool decrypt();
  // What was decrypted, or came in clear, to a socket of this node or to its pod.
  void deliver();

  const NodeView& node_;
  PacketState& state_;
  HookWalk& hooks_;
  Ipsec& ipsec_;
  Departure& departure_;
};

}  // namespace espial
