// SPDX-License-Identifier: Apache-2.0
// SavedAlarms: what the alarm engine knows, in STATE_DIR/alarms.json, so that a restart raises
// nothing anew. A file like that of saved_topology.h.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/alarms/alarm_engine.h"
#include "model/modes/peer_modes.h"
#include "sources/state/state_file.h"

namespace espial {

struct AlarmRecord {
  Moment saved;
  AlarmMemory memory;
};

// How long ago a record was saved: by the monotonic clock within a boot, else by the wall clock,
// and never negative.
std::chrono::nanoseconds gap_between(const Moment& saved, const Moment& now);

// The JSON text of a record and back. An unknown schema_version, a wrong type, or a time or age
// that cannot be, is an Error.
std::string alarms_to_json(const AlarmRecord& record);
Result<AlarmRecord> alarms_from_json(std::string_view text);

class SavedAlarms {
 public:
  explicit SavedAlarms(const std::string& state_dir);

  // Nothing: there is no file. A corrupt file is an Error and stays.
  [[nodiscard]] Result<std::optional<AlarmRecord>> load() const;
  // Renames a corrupt file to alarms.json.corrupt; the error with what became of the file.
  [[nodiscard]] Error set_aside(Error error) const;
  // Makes the folder (0700) if it is missing. On an error the old file is unchanged.
  [[nodiscard]] Status save(const AlarmRecord& record) const;

  [[nodiscard]] const std::string& path() const { return file_.path(); }

 private:
  StateFile file_;
};

}  // namespace espial
