// SPDX-License-Identifier: Apache-2.0
// Why packets of a peer are in clear: what the wire counted, joined with what policies, SAs and
// routes say (model/mesh.h). Pure, but for LeakWatch, which remembers when networks grew.
#pragma once

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/alarms/alarms.h"
#include "model/snapshot.h"
#include "model/traffic/window.h"

namespace espial {

// In which networks of a peer cleartext was counted within the last minute.
struct LeakingNetworks {
  std::array<std::vector<std::string>, kDirections> of;
};

// Snapshots in time order. Not thread-safe.
class LeakWatch {
 public:
  static constexpr std::chrono::seconds kLength{60};

  // By peer.
  std::unordered_map<std::string, LeakingNetworks> advance(const Snapshot& snapshot);

 private:
  struct Seen {
    std::uint64_t count = 0;
    std::optional<MonoTime> grew;
  };
  std::unordered_map<std::string, std::array<Seen, kDirections>> networks_;
};

// What the counters of one peer and the audit say together. audit: null, policies were not read.
struct LeakView {
  const std::string& peer;
  const PeerWindow& window;
  const PeerAudit* audit = nullptr;
  const LeakingNetworks* networks = nullptr;
};

// One line, for each direction that has such packets; empty: there are none, or nothing is known.
std::string cause_of_cleartext(const LeakView& view);  // between backend subnets
std::string cause_of_host(const LeakView& view);       // from or to an address of a node
std::string cause_of_transit(const LeakView& view);    // from a foreign source
// Those of the three that have packets, the most severe first.
std::string cause_of_leak(const LeakView& view);

// Adds the cause to the evidence if the alarm is one about cleartext of this peer, or about what
// enforcement drops of it before a device could encrypt it.
void name_cause(const LeakView& view, AlarmCondition& condition);

}  // namespace espial
