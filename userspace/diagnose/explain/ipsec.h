// SPDX-License-Identifier: Apache-2.0
// Ipsec: what the policies and SAs of this node make of a packet that it sends or forwards
// (xfrm_policy.c). A stage is true while the packet is on its way; the answer is
// PacketState::protect.
#pragma once

#include <optional>

#include "diagnose/explain/node_view.h"
#include "diagnose/explain/packet_state.h"

namespace espial {

class Ipsec {
 public:
  // Both outlive it.
  Ipsec(const NodeView& node, PacketState& state) : node_(node), state_(state) {}

  // ip_forward() asks whether the packet had to come through IPsec (__xfrm_policy_check()).
  bool forward_policy();
  // What IPsec does with it as it is now; by_interface: by the policies of the XFRM interface.
  bool protection(bool by_interface = false);
  // A policy, and no SA yet: it ends here.
  bool fails_closed();
  // The address of the device that the packet has there (inet_select_addr()): with IPsec the outer
  // route's. A preferred source of the route does not count.
  [[nodiscard]] std::optional<IpAddress> masquerade_address() const;

 private:
  [[nodiscard]] bool one_interface_id() const;
  bool no_policy();
  bool judged(bool by_interface);

  const NodeView& node_;
  PacketState& state_;
};

}  // namespace espial
