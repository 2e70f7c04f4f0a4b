// SPDX-License-Identifier: Apache-2.0
// The daemon's log: spdlog's default logger, to the journal if stderr is connected to it.
#pragma once

#include <memory>

#include "daemon/alarms/journal.h"

namespace espial {

// Call once, before anything is logged. With a journal each line has its priority and logging never
// blocks; else lines with time and level go to stderr. Returns the journal; null: there is none.
std::shared_ptr<Journal> start_log();

}  // namespace espial
