// SPDX-License-Identifier: Apache-2.0
// What is now: both clocks, the audit, the snapshot.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "diagnose/audit/pod_nat.h"
#include "kernel/counters/counters.h"
#include "kernel/maps.h"
#include "kernel/peers/identities.h"
#include "model/facts/charon.h"
#include "model/modes/peer_modes.h"
#include "model/snapshot.h"
#include "model/topology.h"

namespace espial {

// Both clocks and the kernel's name of this boot (/proc/sys/kernel/random/boot_id), which is empty
// when it cannot be read.
Moment this_moment();

// The audit of the current state, with charon's explanation if it gives one, and with the
// firewall's rules. nat null: the firewall has not been read (yet).
MeshAudit audit_now(const Topology& topology, const KernelFacts& facts, const CharonFacts& charon,
                    const OpensvcFacts& opensvc, PodNat* nat);

// The snapshot of this moment: what the maps have counted, and what their reader knows besides. The
// same for the daemon and for commands that read the pins themselves.

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
