// SPDX-License-Identifier: Apache-2.0
// World: what this node is now, as commands see it that ask no daemon; and what is pinned.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/instance/peer_policies.h"
#include "kernel/maps.h"
#include "kernel/peers/identities.h"
#include "model/config.h"
#include "model/facts/facts.h"
#include "model/facts/opensvc.h"
#include "model/topology.h"

namespace espial {

struct World {
  explicit World(const Config& config) : policies(config.state_dir) {}

  KernelFacts facts;
  OpensvcFacts cluster;
  Topology saved;
  Topology topology;  // with the modes of commands
  PeerPolicies policies;
  std::string saved_problem;
};

// Facts, file, OpenSVC and what was learnt, merged, with the modes that the policies give. What
// they keep by name follows peers that were renamed: one line each, to be logged; not saved.
struct Merged {
  Topology topology;
  std::vector<std::string> renamed;
};
Merged merge(const Config& config, const KernelFacts& facts, const Topology& saved,
             const OpensvcFacts& cluster, PeerPolicies& policies);

// Reads everything; takes some ten milliseconds.
Result<World> look_around(const Config& config);
// The topology anew, after the policies changed.
void merge(const Config& config, World& world);

struct Pins {
  Maps maps;
  Identities identities;
};
// Nothing when there are no pins.
Result<std::optional<Pins>> open_pins(const Config& config);

}  // namespace espial
