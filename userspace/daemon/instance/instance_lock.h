// SPDX-License-Identifier: Apache-2.0
// One daemon per instance: an advisory lock on STATE_DIR/lock, held while the process runs.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace espial {

// Makes the state folder (0700) if it is missing. Error if another espial holds the lock.
Result<UniqueFd> lock_instance(const std::string& state_dir);

}  // namespace espial
