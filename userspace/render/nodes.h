// SPDX-License-Identifier: Apache-2.0
// The nodes of a mesh as rendering wants them: this node and its peers alike, and for every pair
// the addresses that their tunnels run between.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/topology.h"

namespace espial {

struct MeshNode {
  std::string name;     // its identity
  std::string section;  // the same, fit to be the name of a section
  std::vector<IpAddress> underlays;
  std::vector<Prefix> backends;  // sorted
};

struct MeshNodes {
  std::vector<MeshNode> nodes;     // by name
  std::vector<std::string> notes;  // what was left out, one line each
};

// A usage error says everything that is missing, one line each.
Result<MeshNodes> mesh_nodes(const Topology& topology);

// The family of a pair's tunnels: IPv4 if both have it. Nothing: they share none.
std::optional<Family> outer_family(const MeshNode& one, const MeshNode& two);

}  // namespace espial
