// SPDX-License-Identifier: Apache-2.0
// StateIndex: the SAs that a policy's template would take, and those with a peer. Refers to the
// states that it was built from.
#pragma once

#include <unordered_map>
#include <vector>

#include "model/facts/facts.h"
#include "model/mesh.h"
#include "model/prefix_map.h"
#include "model/topology.h"

namespace espial {

struct MatchingStates {
  std::vector<const XfrmStateFact*> installed;
  // Of them those that the kernel would send with: the newest of each processor. After a rekey the
  // former SA only receives until it is deleted (xfrm_state_look_at()).
  std::vector<const XfrmStateFact*> in_use;
  bool larval = false;  // the kernel asked for one
};

class StateIndex {
 public:
  explicit StateIndex(const std::vector<XfrmStateFact>& states);

  // By protocol, addresses, mode, reqid and interface id, as xfrm_state_look_at() does. Of a
  // template without addresses (transport mode) any.
  [[nodiscard]] MatchingStates of_template(const XfrmPolicyFact& policy) const;

  // Everything with this peer's underlays at one end.
  [[nodiscard]] PeerSas of_peer(const Peer& peer) const;

 private:
  using ByAddress = std::unordered_map<IpAddress, std::vector<const XfrmStateFact*>, AddressHash>;
  ByAddress to_;
  ByAddress from_;
};

// Share of an SA's sequence numbers that is used up; extended ones never run out.
double sequence_share(const XfrmStateFact& state);
// When the SA ends by time, Unix seconds; nothing: never.
std::optional<std::uint64_t> expiry_of(const XfrmStateFact& state);

}  // namespace espial
