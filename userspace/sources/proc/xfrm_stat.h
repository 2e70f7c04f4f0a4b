// SPDX-License-Identifier: Apache-2.0
// The kernel's own count of what XFRM refused: /proc/net/xfrm_stat (net/xfrm/xfrm_proc.c).
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/facts/facts.h"

namespace espial {

// The lines of the file, in its order; lines of another shape are left out.
std::vector<XfrmError> parse_xfrm_stat(std::string_view text);

// Of the network namespace of the calling thread. Error: this kernel keeps no such statistics
// (CONFIG_XFRM_STATISTICS), or /proc is not that of the network namespace.
Result<std::vector<XfrmError>> read_xfrm_stat();

}  // namespace espial
