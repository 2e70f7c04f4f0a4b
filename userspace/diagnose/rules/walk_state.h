// SPDX-License-Identifier: Apache-2.0
// What a stretch of rules may do with a packet: the values that the rule walk combines.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "diagnose/rules/rule_walk.h"

namespace espial {

// Did NAT rewrite one end of the packet, and by which rules?
struct Translation {
  Tri done = Tri::kNo;
  std::vector<NatEvidence> by;
  bool operator==(const Translation&) const = default;
};

// The packet, and what happened to it, at one point of the walk.
struct WalkState {
  Packet packet;
  Translation source;
  Translation destination;
  bool operator==(const WalkState&) const = default;
};

WalkState join(const WalkState& one, const WalkState& other);

using MaybeState = std::optional<WalkState>;
// Adds a way to get to state: nothing = no way so far.
void join_into(MaybeState& state, const MaybeState& other);

// An end that the packet may find: dropped, queued..., kUnknown for what is not understood.
struct Ending {
  Fate fate = Fate::kDropped;
  RuleEvidence by;
};

// The result of a walk through a stretch of rules. A state is absent if the packet cannot get
// there.
struct WalkResult {
  MaybeState on;        // goes on with the next rule
  MaybeState returned;  // left the chain
  MaybeState accepted;  // left the base chain
  std::vector<Ending> endings;
  std::vector<RuleEvidence> accepted_by;

  // Adds the other's ends, but not where it goes on.
  void add_ends(WalkResult&& other);
  void add_ending(Fate fate, const RuleEvidence& by);
};

}  // namespace espial
