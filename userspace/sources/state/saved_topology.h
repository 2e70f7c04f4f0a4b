// SPDX-License-Identifier: Apache-2.0
// SavedTopology: what was learnt, in STATE_DIR/topology.json, so that a policy that vanishes while
// the daemon is down is still missed.
//
// The file is JSON with schema_version. The peers' modes are not kept here (saved_modes.h).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/topology.h"

namespace espial {

// The JSON text of a topology and back. An unknown schema_version, a wrong type or a bad address is
// an Error that names the place.
std::string topology_to_json(const Topology& topology);
Result<Topology> topology_from_json(std::string_view text);

class SavedTopology {
 public:
  explicit SavedTopology(const std::string& state_dir);

  // No file: an empty topology. A corrupt file is an Error; it is kept aside as
  // topology.json.corrupt, so the next load is empty and the next save works.
  [[nodiscard]] Result<Topology> load() const;

  // Makes the folder (0700) if it is missing. On an error the old file is unchanged.
  [[nodiscard]] Status save(const Topology& topology) const;

  // Removes one peer from the file. false: the file has no such peer.
  [[nodiscard]] Result<bool> forget(std::string_view peer) const;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string folder_;
  std::string path_;
};

}  // namespace espial
