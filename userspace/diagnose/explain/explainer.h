// SPDX-License-Identifier: Apache-2.0
// Explainer: one packet on its way through this node (explain.h). explain.cpp has the hooks and
// routes in the kernel's order, explain_ipsec.cpp what IPsec and tunnel devices make of what
// leaves, explain_arrival.cpp what comes from other nodes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diagnose/explain/explain.h"
#include "diagnose/lookup/fib.h"
#include "diagnose/lookup/flow_policy.h"
#include "diagnose/lookup/outer_flow.h"
#include "diagnose/lookup/policy_index.h"
#include "diagnose/lookup/route_index.h"
#include "diagnose/lookup/state_index.h"
#include "diagnose/paths/link_way.h"
#include "diagnose/rules/rule_walk.h"
#include "model/devices/device_graph.h"
#include "model/topology.h"

namespace espial {

// The first packet of a ping.
Packet ping_packet(const IpAddress& source, const IpAddress& destination);
// A packet that a node makes around another one.
Packet packet_around(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol);
// The protocol number of a state's packets on the wire: with encapsulation UDP or TCP.
std::uint8_t wire_protocol(const XfrmStateFact& state);

class Explainer {
 public:
  Explainer(const ExplainInput& input, const IpAddress& source, const IpAddress& destination);
  // Every stage is true while the packet is on its way.
  Explanation run();

 private:
  [[nodiscard]] const AddressFact* address_fact(const IpAddress& address, bool subnet) const;
  bool origin();
  // ip_rcv(), until it is known that the packet is to be forwarded.
  bool arrive();
  bool forwards();
  // From another node, to this one or a pod of it: as ESP if the policies ask for it.
  void receive();
  // The policy that what arrives is held against; false: it ends here.
  bool expected();
  // The ESP up to its decryption (xfrm_input()); false: it ends there.
  bool decrypt();
  // What was decrypted, or came in clear, to a socket of this node or to its pod.
  void deliver();
  // From the question where it goes to the last hook before its device. The policy is looked up
  // with the route, before FORWARD and OUTPUT see the packet.
  bool send();
  // On a shared bridge what pods send to other nodes comes in and leaves by the same device.
  [[nodiscard]] bool on_link() const;
  bool route();
  // ip_forward() asks whether the packet had to come through IPsec (__xfrm_policy_check()).
  bool forward_policy();
  // What IPsec does with it as it is now; by_interface: by the policies of the XFRM interface.
  bool protection(bool by_interface = false);
  [[nodiscard]] bool one_interface_id() const;
  bool no_policy();
  bool judged(bool by_interface);
  bool fails_closed();
  // NAT and marks of OUTPUT: the route is asked again (ip_route_me_harder()).
  bool output();
  // NAT of POSTROUTING: the policy is asked again (nf_xfrm_me_harder()).
  bool postrouting();
  // The address of the device that the packet has there (inet_select_addr()): with IPsec the outer
  // route's. A preferred source of the route does not count.
  [[nodiscard]] std::optional<IpAddress> masquerade_address() const;
  // Walks one hook and keeps what it made of the packet.
  bool hook(const WalkStep& step);
  bool walked(const Walk& walk, const std::string& name);
  // The hooks below IP: from the wire or the pod up to the device, or down from it.
  bool link_hooks(const std::vector<LinkHook>& hooks);
  // neighbour: who sends it to the device, or gets it from there.
  [[nodiscard]] LinkWay link_way(const LinkFact& device, const IpAddress& neighbour) const;
  // From the device to the neighbour that the route names.
  bool down();
  bool unknown_rules(const Walk& walk, const std::string& name);
  // With IPsec the packet's route is the outer one's (xfrm_bundle_create()).
  void place_devices(const WalkStep& step);
  // Routes and policies are followed for a mark of 0.
  bool mark_is_harmless(PacketHook at, const std::string& name);
  void leave();
  // ip_tunnel_xmit(): what the device makes is a packet of this node.
  void tunnel(const OuterFlow& flow);
  // xfrm_output(): OUTPUT and POSTROUTING see what was made.
  void outer();
  void say(std::string where, std::string what, std::vector<std::string> details = {});
  bool end(FlowEnd end, std::string conclusion);
  bool unknown(const std::string& why);
  // What espial itself does with what is in clear.
  void enforce();
  // What was not read could still drop or rewrite the packet; what drops it does so anyway.
  Explanation finish();

  const ExplainInput& in_;
  RouteIndex routes_;
  Fib fib_;
  Topology none_;
  DeviceGraph graph_;  // its links and ports
  PolicyIndex out_;
  PolicyIndex in_policies_;
  PolicyIndex forward_;
  StateIndex states_;
  Packet packet_;                     // as it is now
  const LinkFact* from_ = nullptr;    // where it came in; null: this node's own
  const RouteFact* route_ = nullptr;  // of the newest question
  const LinkFact* device_ = nullptr;
  FlowPolicy protect_;
  int tunnels_ = 0;
  bool from_afar_ = false;    // another node sends it
  std::string arrived_ = "";  // "as ESP SPI 0x00000001 by eth0"
  std::vector<std::string> missing_;
  Explanation told_;
};

}  // namespace espial
