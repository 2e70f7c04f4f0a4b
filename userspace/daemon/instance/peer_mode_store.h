// SPDX-License-Identifier: Apache-2.0
// PeerModeStore: the modes that commands set for the peers of an instance; keeps the state file,
// the topology and the pinned map consistent. The daemon has one; without a daemon, commands have
// one under the instance's lock.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "kernel/maps.h"
#include "kernel/peers/identities.h"
#include "model/config.h"
#include "model/modes/mode_plan.h"
#include "sources/state/saved_modes.h"

namespace espial {

class PeerModeStore {
 public:
  explicit PeerModeStore(const std::string& state_dir) : file_(state_dir) {}

  // Reads the file. lost(): there was none, or problem() says why it cannot be used.
  void load();
  [[nodiscard]] bool lost() const { return lost_; }
  // Takes the modes in the pinned map as if commands had set them: what is enforced stays enforced
  // even if the file is lost. An unusable file is renamed.
  void recover(const Maps& maps, const Identities& identities, const Config& config,
               const Moment& now);
  // The counters were reset: all spans begin anew.
  void forget_spans();

  [[nodiscard]] const PeerModes& get() const { return modes_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }  // of the file; one line

  // Ends modes whose deadline has passed; one line each, to be logged. Not saved.
  std::vector<std::string> expire(const Moment& now);
  // Moves the modes of renamed peers; one line each, to be logged. Not saved.
  std::vector<std::string> follow_names(const Topology& before, const Topology& now);
  void apply(const Config& config, Topology& topology) const;
  // Records since when modes are in force, and saves changes.
  void follow(const std::vector<PeerSnapshot>& peers, const Moment& now);

  // Puts a plan into force by saving it. On an error nothing has changed; with `must` the plan is
  // in force, and only the file is unchanged.
  Status take(const ModePlan& plan, bool must);

  // Writes the modes of a topology that apply() has seen, deadlines included.
  Status write(const Maps& maps, const Identities& identities, const Topology& topology,
               const Moment& now) const;

  void save();  // an error is in problem()

 private:
  SavedModes file_;
  PeerModes modes_;
  std::string problem_;
  bool lost_ = false;
};

// The modes that the programs apply, parallel to peers, with deadlines taken into account.
std::vector<std::optional<Mode>> modes_in_force(const Maps& maps, const Identities& identities,
                                                const std::vector<PeerSnapshot>& peers,
                                                const Moment& now);

}  // namespace espial
