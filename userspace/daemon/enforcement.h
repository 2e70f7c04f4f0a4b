// SPDX-License-Identifier: Apache-2.0
// Enforcement: the mode of each peer, from the file and from commands, and its deadline; writes
// them to the kernel: to the pinned map of modes, and as the backstop (XFRM policies behind the
// programs).
//
// Owned by Node; used by the event loop's thread in its network namespace. The kernel keeps
// enforcing without it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/data_plane.h"
#include "daemon/instance/backstop.h"
#include "daemon/instance/peer_mode_store.h"
#include "daemon/node_facts.h"
#include "model/config.h"
#include "model/modes/mode_plan.h"
#include "model/modes/peer_modes.h"
#include "model/snapshot.h"
#include "model/topology.h"

namespace espial {

class Enforcement {
 public:
  explicit Enforcement(const std::string& state_dir) : modes_(state_dir) {}

  // Reads the saved modes; if they are lost, those of the map. strict: an unusable file is an
  // error.
  Status begin(const DataPlane& data_plane, const Config& config, bool strict);

  // The topology that results from the facts, with the modes of commands. Renamed peers keep their
  // modes.
  Topology merged(const Config& config, const NodeFacts& facts);
  // True: deadlines have passed, and the topology must be updated.
  bool end_deadlines(const Moment& now);
  // Writes the modes of a merged topology into the map.
  Status write(const DataPlane& data_plane, const Topology& topology) const;
  void follow_backstop(const Config& config, const Topology& topology, const KernelFacts& facts);
  // XFRM policies have changed: the next follow_backstop() reads ours again.
  void distrust_backstop() { backstop_.distrust(); }
  // Records since when modes are in force.
  void follow(const std::vector<PeerSnapshot>& peers, const Moment& now);

  // Plans a command. Unless something is refused the plan is saved, and the topology must be
  // updated.
  Result<ModePlan> command(const ModeRequest& request, const ModeContext& context,
                           const ConfigEnforce& enforce, const Moment& now);

  [[nodiscard]] const PeerModes& modes() const { return modes_.get(); }
  [[nodiscard]] const BackstopSnapshot& backstop() const { return backstop_.snapshot(); }
  // "policy": the file of commands.
  [[nodiscard]] SourceStatus source() const;

 private:
  PeerModeStore modes_;
  Backstop backstop_;
};

}  // namespace espial
