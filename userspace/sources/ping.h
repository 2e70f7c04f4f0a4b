// SPDX-License-Identifier: Apache-2.0
// Asks addresses for an echo (RFC 792, RFC 4443), all at once: one request each, a second one to
// those that were silent. Needs CAP_NET_RAW. Blocks for at most twice the given time; any thread.
#pragma once

#include <chrono>
#include <vector>

#include "base/ip.h"
#include "base/result.h"

namespace espial {

// Parallel to addresses: did it answer? Routing and source address are the kernel's choice.
Result<std::vector<bool>> ping(const std::vector<IpAddress>& addresses,
                               std::chrono::milliseconds wait = std::chrono::milliseconds{500});

}  // namespace espial
