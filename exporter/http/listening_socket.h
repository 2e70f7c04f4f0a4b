// SPDX-License-Identifier: Apache-2.0
// A listening TCP socket for a ListenAddress.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "exporter/http/listen_address.h"

namespace espial {

// Non-blocking. The error says "ADDRESS: listen: CAUSE (what to do)".
Result<UniqueFd> listen_on(const ListenAddress& listen);

// `listen` with the port that the kernel chose, if it was 0.
Result<ListenAddress> bound_address(int fd, const ListenAddress& listen);

}  // namespace espial
