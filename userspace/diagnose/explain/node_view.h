// SPDX-License-Identifier: Apache-2.0
// NodeView: what a packet's way depends on, searched as the kernel searches it: routes, policies,
// SAs, devices. Made once for one packet; read only.
#pragma once

#include "diagnose/explain/explain.h"
#include "diagnose/lookup/fib.h"
#include "diagnose/lookup/policy_index.h"
#include "diagnose/lookup/route_index.h"
#include "diagnose/lookup/state_index.h"
#include "model/devices/device_graph.h"
#include "model/topology.h"

namespace espial {

struct NodeView {
  // The input must outlive it.
  explicit NodeView(const ExplainInput& from);
  NodeView(const NodeView&) = delete;
  NodeView& operator=(const NodeView&) = delete;

  // This node's address; subnet: one whose subnet contains it. Null: none.
  [[nodiscard]] const AddressFact* address_fact(const IpAddress& address, bool subnet) const;

  const ExplainInput& input;
  RouteIndex routes;
  Fib fib;
  Topology none;
  DeviceGraph graph;  // its links and ports
  PolicyIndex out;
  PolicyIndex in;
  PolicyIndex forward;
  StateIndex states;
};

}  // namespace espial
