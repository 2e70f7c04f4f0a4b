// SPDX-License-Identifier: Apache-2.0
// PeerPolicies: the policies of an instance between their file, the topology and the pinned map.
// The daemon has one; without a daemon, commands have one under the instance's lock.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/maps.h"
#include "kernel/peers/identities.h"
#include "model/config.h"
#include "model/policy/policy_plan.h"
#include "sources/state/saved_policy.h"

namespace espial {

class PeerPolicies {
 public:
  explicit PeerPolicies(const std::string& state_dir) : file_(state_dir) {}

  // Reads the file. lost(): there was none, or problem() says why it cannot be used.
  void load();
  [[nodiscard]] bool lost() const { return lost_; }
  // Takes what the pinned map says for commands: what is enforced stays enforced, whatever became
  // of the file. A file that cannot be used is set aside.
  void recover(const Maps& maps, const Identities& identities, const Config& config,
               const Moment& now);
  // The counters are not those of the spans: they begin anew.
  void forget_spans();

  [[nodiscard]] const Policies& get() const { return policies_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }  // of the file; one line

  // Deadlines that have passed; one line each, to be logged. Not saved.
  std::vector<std::string> expire(const Moment& now);
  // Peers that got another name; one line each, to be logged. Not saved.
  std::vector<std::string> follow_names(const Topology& before, const Topology& now);
  void apply(const Config& config, Topology& topology) const;
  // Notes since when modes are in force, and saves what changed.
  void follow(const std::vector<PeerSnapshot>& peers, const Moment& now);

  // Puts a plan into force: saves it. On an error nothing has changed, unless `must`: then only the
  // file has not.
  Status take(const PolicyPlan& plan, bool must);

  // Writes the modes of a topology that apply() has seen, deadlines included.
  Status write(const Maps& maps, const Identities& identities, const Topology& topology,
               const Moment& now) const;

  void save();  // problem() tells

 private:
  SavedPolicy file_;
  Policies policies_;
  std::string problem_;
  bool lost_ = false;
};

// What the programs obey, parallel to peers, with deadlines taken into account.
std::vector<std::optional<Mode>> modes_in_force(const Maps& maps, const Identities& identities,
                                                const std::vector<PeerSnapshot>& peers,
                                                const Moment& now);

}  // namespace espial
