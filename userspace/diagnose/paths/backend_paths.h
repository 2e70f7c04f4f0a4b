// SPDX-License-Identifier: Apache-2.0
// The ways that a pair's packets take through this node, as packets that a rule walk can follow:
// pods' packets out and in through FORWARD, ESP and IKE between the underlays through INPUT and
// OUTPUT. Pure.
//
// net/xfrm: what will be encrypted crosses FORWARD and POSTROUTING as an inner packet, then its ESP
// crosses OUTPUT and POSTROUTING; what was decrypted enters PREROUTING again on the device that its
// ESP was delivered to.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "diagnose/lookup/route_index.h"
#include "diagnose/rules/rule_walk.h"
#include "model/facts/facts.h"
#include "model/mesh.h"
#include "model/topology.h"

namespace espial {

// kPathMtu: "too big" (RFC 1191, RFC 8201), from routers between the nodes or from this node to
// pods. kNeighbours: see neighbour_paths().
enum class PathKind : std::uint8_t { kPods, kEsp, kIke, kPathMtu, kNeighbours };

struct BackendPath {
  PathKind kind = PathKind::kPods;
  Direction direction = Direction::TRANSMIT;
  std::string peer;
  Prefix from;  // whose packets
  Prefix to;
  Packet packet;  // a representative one; see backend_paths()
  std::span<const WalkStep> steps;
};

// A pod's packet is an echo request and the beginning of a TCP connection to a port that is not
// known, from a pod that the neighbour table knows, else from the address that ends in 10.
// audit says whether IPsec takes it; null: unknown. Peers without a route are left out.
std::vector<BackendPath> backend_paths(const Topology& topology, const KernelFacts& facts,
                                       const RouteIndex& routes, const MeshAudit* audit);

// A pod of the subnet on the device: one that the neighbour table knows, else the sample.
IpAddress local_pod(const KernelFacts& facts, const LinkFact* device, const Prefix& subnet);

// The address that represents the pods of a subnet: the one that ends in 10.
IpAddress pod_sample(const Prefix& subnet);

// What finds link-layer addresses: ARP (RFC 826) and neighbour discovery (RFC 4861), between this
// node and its pods, and between it and the next hop to each peer's underlay, as paths that a rule
// walk can follow. Without them nothing else leaves. Pure.
// kNeighbours, both ways; peer is empty for pods. Devices without link-layer addresses have none.
std::vector<BackendPath> neighbour_paths(const Topology& topology, const KernelFacts& facts,
                                         const RouteIndex& routes);

}  // namespace espial
