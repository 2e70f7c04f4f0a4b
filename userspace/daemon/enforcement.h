// SPDX-License-Identifier: Apache-2.0
// Enforcement: under which mode each peer is, by the file and by commands, until when, and that the
// kernel obeys: the pinned policy map, and the XFRM policies behind the programs (xfrm_block).
//
// Owned by Node; the event loop's thread, its network namespace. What is in the kernel outlives it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/data_plane.h"
#include "daemon/instance/backstop.h"
#include "daemon/instance/peer_policies.h"
#include "daemon/node_facts.h"
#include "model/config.h"
#include "model/policy/policy.h"
#include "model/policy/policy_plan.h"
#include "model/snapshot.h"
#include "model/topology.h"

namespace espial {

class Enforcement {
 public:
  explicit Enforcement(const std::string& state_dir) : policies_(state_dir) {}

  // What was saved; where that is lost, what the map says. strict: a file that cannot be used is an
  // error.
  Status begin(const DataPlane& data_plane, const Config& config, bool strict);

  // The topology that the facts come to, with the modes of commands. Commands follow peers that got
  // another name.
  Topology merged(const Config& config, const NodeFacts& facts);
  // True: deadlines have passed, the topology has to follow.
  bool end_deadlines(const Moment& now);
  // Writes the modes of a merged topology into the map.
  Status write(const DataPlane& data_plane, const Topology& topology) const;
  void follow_backstop(const Config& config, const Topology& topology, const KernelFacts& facts);
  // Somebody changed XFRM policies: look at ours at the next follow_backstop().
  void distrust_backstop() { backstop_.distrust(); }
  // Notes since when modes are in force.
  void follow(const std::vector<PeerSnapshot>& peers, const Moment& now);

  // What a command comes to. Unless something is refused it is saved, and the topology has to
  // follow.
  Result<PolicyPlan> command(const PolicyRequest& request, const PolicySight& sight,
                             const ConfigEnforce& enforce, const Moment& now);

  [[nodiscard]] const Policies& policies() const { return policies_.get(); }
  [[nodiscard]] const XfrmBlockSnapshot& backstop() const { return backstop_.snapshot(); }
  // "policy": the file of commands.
  [[nodiscard]] SourceStatus source() const;

 private:
  PeerPolicies policies_;
  Backstop backstop_;
};

}  // namespace espial
