// SPDX-License-Identifier: Apache-2.0
// The current snapshot: the counters in the maps, and what the caller knows besides. Used by the
// daemon and by commands that read the pins themselves.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/counters.h"
#include "kernel/identities.h"
#include "kernel/maps.h"
#include "model/snapshot.h"
#include "model/topology.h"

namespace espial {

// Where it is read; all of it outlives the call.
struct CounterSource {
  const Maps& maps;
  const Identities& identities;
  CounterReader& reader;
};

// Whose snapshot it is, and what is not in the maps.
struct SnapshotOf {
  const Topology& topology;
  const std::string& instance;
  // True: include all peers of the topology. False: only those with counters, as without a daemon
  // maps and topology may differ.
  bool daemon = false;
  std::vector<DeviceSnapshot> devices{};
  BackstopSnapshot backstop{};
  std::shared_ptr<const MeshAudit> mesh{};
  std::vector<SourceStatus> sources{};
};

// An error if a counter cannot be read. Fields that only a daemon knows keep their defaults.
Result<Snapshot> snapshot_now(const CounterSource& from, SnapshotOf of);

// Zeros if the peer has no counters.
Result<PeerCounters> counters_now(const CounterSource& from, const std::string& peer);

// Every peer of the topology.
Result<std::vector<PeerSnapshot>> peers_now(const CounterSource& from, const Topology& topology);

}  // namespace espial
