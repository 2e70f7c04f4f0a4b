// SPDX-License-Identifier: Apache-2.0
// What finds link-layer addresses: ARP (RFC 826) and neighbour discovery (RFC 4861), between this
// node and its pods, and between it and the next hop to each peer's underlay, as paths that a rule
// walk can follow. Without them nothing else leaves. Pure.
#pragma once

#include <vector>

#include "diagnose/paths/backend_paths.h"

namespace espial {

// kNeighbours, both ways; peer is empty for pods. Devices without link-layer addresses have none.
std::vector<BackendPath> neighbour_paths(const Topology& topology, const KernelFacts& facts,
                                         const RouteIndex& routes);

}  // namespace espial
