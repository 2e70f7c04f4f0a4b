// SPDX-License-Identifier: Apache-2.0
// World: the current state of this node, for commands that do not ask the daemon; and the pins.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/instance/peer_mode_store.h"
#include "kernel/maps.h"
#include "kernel/peers/identities.h"
#include "model/config.h"
#include "model/facts/facts.h"
#include "model/facts/opensvc.h"
#include "model/topology.h"

namespace espial {

struct World {
  explicit World(const Config& config) : modes(config.state_dir) {}

  KernelFacts facts;
  OpensvcFacts opensvc;
  Topology saved;
  Topology topology;  // with the modes of commands
  PeerModeStore modes;
  std::string saved_problem;
};

// Merges facts, file, OpenSVC and what was learnt, with the modes that commands set. Renamed peers
// keep their modes: one line each, to be logged; not saved.
struct Merged {
  Topology topology;
  std::vector<std::string> renamed;
};
Merged merge(const Config& config, const KernelFacts& facts, const Topology& saved,
             const OpensvcFacts& opensvc, PeerModeStore& modes);

// Reads everything; takes about ten milliseconds.
Result<World> look_around(const Config& config);
// Merges the topology again, after modes changed.
void merge(const Config& config, World& world);

struct Pins {
  Maps maps;
  Identities identities;
};
// Nothing when there are no pins.
Result<std::optional<Pins>> open_pins(const Config& config);

}  // namespace espial
