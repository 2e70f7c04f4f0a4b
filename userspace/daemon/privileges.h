// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

namespace espial {

// Gives up every capability but CAP_NET_ADMIN (XFRM dumps, netlink groups and clsact need it at
// each use), for good: no new privileges. Everything that needs more has been loaded by then.
Status drop_privileges();

}  // namespace espial
