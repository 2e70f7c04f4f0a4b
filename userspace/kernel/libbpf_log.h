// SPDX-License-Identifier: Apache-2.0
// What libbpf would print goes into a bounded buffer, so that an error can quote its last lines.
#pragma once

#include <string>

namespace espial {

// Directs libbpf's messages of this process into the buffer. Idempotent; any thread.
void capture_libbpf_log();

// Returns the last few relevant lines, joined by " | ", and clears the buffer. Empty when there are
// none.
std::string libbpf_log_tail();

}  // namespace espial
