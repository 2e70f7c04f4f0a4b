// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

namespace espial {

// Gives up every capability but CAP_NET_ADMIN (XFRM dumps, netlink groups and clsact need it at
// each use) and CAP_NET_RAW (not in effect, see below), for good: no new privileges. Everything
// that needs more has been loaded by then.
Status drop_privileges();

// Programs that the calling thread starts from now on get CAP_NET_ADMIN and CAP_NET_RAW, as far as
// the thread has them, and nothing else: iptables-legacy-save and ebtables-legacy ask netfilter
// through a raw socket.
Status lend_network_privileges();

// The calling thread, and programs that it starts, keep no capability at all.
Status drop_every_privilege();

// While it exists, the calling thread may open raw sockets, if CAP_NET_RAW was kept; otherwise
// opening one fails.
class NetRawInUse {
 public:
  NetRawInUse();
  ~NetRawInUse();
  NetRawInUse(const NetRawInUse&) = delete;
  NetRawInUse& operator=(const NetRawInUse&) = delete;

 private:
  bool raised_ = false;
};

}  // namespace espial
