// SPDX-License-Identifier: Apache-2.0
// The daemon's log: spdlog's default logger, to the journal if stderr is connected to it.
#pragma once

#include <memory>

#include "daemon/alarms/journal.h"

namespace espial {

// Once, before anything is logged. With a journal each line has its priority and never waits for
// it; else stderr gets lines with time and level. Returns the journal; null: there is none.
std::shared_ptr<Journal> start_log();

}  // namespace espial
