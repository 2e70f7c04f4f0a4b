// SPDX-License-Identifier: Apache-2.0
// How large a packet may be on its way to an address, found by echo requests. A way where a router
// says "too big" (RFC 1191, RFC 8201) is no black hole: the kernel learns, and sends fragments.
#pragma once

#include <atomic>
#include <optional>
#include <vector>

#include "sources/probe/echo.h"

namespace espial {

// targets: of the size that the route or device that leads there may carry. The largest whole
// packet that each answers, in bytes, where packets of that size vanish unanswered though smaller
// ones do not; nothing: no such loss, or nothing is answered. Takes a third of a second for each
// where all is well, and some seconds where it is not: all at once. Blocks; once *stop is true it
// ends within a third of a second and has found nothing.
std::vector<std::optional<unsigned>> find_black_holes(EchoSockets& sockets,
                                                      const std::vector<EchoTarget>& targets,
                                                      const std::atomic<bool>* stop = nullptr);

}  // namespace espial
