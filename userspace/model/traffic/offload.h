// SPDX-License-Identifier: Apache-2.0
// SAs in packet offload (XFRM_OFFLOAD_PACKET): the device encrypts after tc, which sees these
// packets leave in clear. Counters then prove neither a leak nor protection, and enforce would drop
// what is healthy. Pure, but for OffloadWatch, which remembers counters.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/mesh.h"
#include "model/snapshot.h"

namespace espial {

// What sends for this pair is in packet offload.
bool sends_offloaded(const PairAudit& pair);
std::size_t offloaded_pairs(const PeerAudit& audit);  // of those

// Why enforce must not begin for this peer; empty: nothing is offloaded.
std::string offload_objection(const PeerAudit& audit);

// One line for a peer in enforce, whose packets are dropped before a device could encrypt them.
std::string offload_finding(const PeerAudit& audit);

// What can be done about it; for evidence lines.
std::string offload_remedies(const std::string& peer);

// Says which packets that left in clear a device may have encrypted: cleartext between backends, of
// networks whose SAs were in packet offload when it was counted, while no policy of the peer let
// packets out in clear. What is received, what the node itself sends and foreign sources stay what
// they are. Snapshots in time order, one a second or more. Not thread-safe.
class OffloadWatch {
 public:
  // How much of what each peer was sent in clear, parallel to the peers; grows as counters do.
  // Takes last_unprotected back where only such packets were sent, and adds a finding for each
  // enforced peer that loses them.
  std::vector<Cell> advance(Snapshot& snapshot);

 private:
  struct Seen {
    Cell clear;                      // that may be offloaded
    Cell other;                      // unprotected, and cannot be
    Cell explained;                  // of clear, in all
    std::set<std::string> networks;  // offloaded at the last look
    std::unordered_map<std::string, std::uint64_t> by_network;
    std::optional<WallTime> last;  // that is evidence
    bool looked = false;
  };
  static void look_at(PeerCounters& counters, const PeerAudit* audit, Seen& seen,
                      std::unordered_map<std::string, std::uint64_t> by_network);

  std::unordered_map<std::string, Seen> peers_;
};

}  // namespace espial
