// SPDX-License-Identifier: Apache-2.0
// Reads the counters: per-CPU values summed, indexes turned into names. One reader, one thread.
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "kernel/maps.h"
#include "kernel/peers/identities.h"
#include "model/snapshot.h"

namespace espial {

class CounterReader {
 public:
  CounterReader();

  // Counters of one index of ep_peer_stat; 0: of what belongs to no peer.
  Result<PeerCounters> peer(const Maps& maps, std::uint32_t index);
  // Cleartext packets by (peer, network), networks of several subnets summed.
  Result<std::vector<NetworkCounters>> networks(const Maps& maps, const Identities& identities);
  // Outcomes and losses of the packet path.
  Status node(const Maps& maps, Snapshot& snapshot);
  // The flows remembered now, latest first; slots of several CPUs are summed.
  Result<std::vector<FlowRecord>> flows(const Maps& maps, const Identities& identities);
  // How full the bounded maps are.
  static std::vector<MapUsage> usage(const Maps& maps, const Identities& identities,
                                     std::size_t table_entries, std::size_t table_slots);

 private:
  template <typename Value>
  // A value per CPU, and then what `base` says about former maps (zeros when nothing).
  Result<const Value*> read(const Maps& maps, MapId id, std::uint32_t index,
                            std::optional<MapId> base = std::nullopt);

  std::size_t cpus_;
  std::vector<std::uint64_t> buffer_;  // one value of every CPU, and of the base
};

}  // namespace espial
