// SPDX-License-Identifier: Apache-2.0
// LinkWay: the hooks below IP between a device of this node and the wire, or a pod: ingress and
// egress of devices, and of a bridge the hooks between its port and itself. Pure.
//
// net/bridge/br_input.c: what a port gives to its bridge crosses PREROUTING and INPUT as a frame of
// the port, then ingress of the bridge as its own; br_device.c: what the bridge sends crosses its
// egress, then OUTPUT, POSTROUTING and egress of the port.
#pragma once

#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "diagnose/lookup/packet.h"
#include "diagnose/rules/rule_walk.h"
#include "model/devices/device_graph.h"
#include "model/facts/facts.h"

namespace espial {

// The port of the bridge behind which the forwarding table has the MAC of a neighbour of the device
// (the bridge itself, or a VLAN of it); null: not known.
const LinkFact* port_to(const KernelFacts& facts, const DeviceGraph& graph, const LinkFact& bridge,
                        const LinkFact& device, const IpAddress& neighbour);

struct LinkHook {
  std::span<const WalkStep> steps;
  const LinkFact* device = nullptr;  // whose hook; of a bridge's the port, null: not known
  const LinkFact* bridge = nullptr;  // of a bridge's
  bool incoming = false;
  bool maybe = false;  // one of several devices, of which the frame takes one

  // The packet as rules of this hook see it.
  [[nodiscard]] Packet seen(const Packet& packet) const;
};

class LinkWay {
 public:
  // The port of a bridge that the frame takes: one, or those that it may take.
  using PortsOf = std::function<std::vector<const LinkFact*>(const LinkFact& bridge)>;

  // graph must outlive it.
  LinkWay(const DeviceGraph& graph, PortsOf ports) : graph_(graph), ports_(std::move(ports)) {}

  // In the order of the frame, which ends or begins at the device.
  [[nodiscard]] std::vector<LinkHook> up(const LinkFact& device) const;
  [[nodiscard]] std::vector<LinkHook> down(const LinkFact& device) const;

 private:
  struct Place {
    int depth = 0;
    bool maybe = false;
  };
  void up(const LinkFact& device, Place place, std::vector<LinkHook>& out) const;
  void down(const LinkFact& device, Place place, std::vector<LinkHook>& out) const;
  // What a frame takes one of: ports of a bridge, slaves, the device that a VLAN is on.
  [[nodiscard]] std::vector<const LinkFact*> below(const LinkFact& device) const;

  const DeviceGraph& graph_;
  PortsOf ports_;
};

}  // namespace espial
