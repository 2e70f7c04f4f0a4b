// SPDX-License-Identifier: Apache-2.0
// SavedModes: the modes that commands set, in STATE_DIR/policy.json, so that they outlive the
// daemon and the machine. A file like that of saved_topology.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/modes/peer_modes.h"
#include "sources/state/state_file.h"

namespace espial {

// The JSON text of modes and back. An unknown schema_version or mode, or a wrong type, is an
// Error.
std::string modes_to_json(const PeerModes& modes);
Result<PeerModes> modes_from_json(std::string_view text);

class SavedModes {
 public:
  explicit SavedModes(const std::string& state_dir);

  // Nothing: there is no file. A corrupt file is an Error and stays: its content must not be
  // ignored.
  [[nodiscard]] Result<std::optional<PeerModes>> load() const;

  // Renames a corrupt file to policy.json.corrupt; the error of load() with what became of the
  // file.
  [[nodiscard]] Error set_aside(Error error) const;

  // Makes the folder (0700) if it is missing. On an error the old file is unchanged.
  [[nodiscard]] Status save(const PeerModes& modes) const;

  [[nodiscard]] const std::string& path() const { return file_.path(); }

 private:
  StateFile file_;
};

}  // namespace espial
