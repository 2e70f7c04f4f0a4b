// SPDX-License-Identifier: Apache-2.0
// The network namespaces of this machine that hold addresses of given subnets: pods. Found in
// /run/netns, /run/docker/netns and /proc/PID/ns/net, entered by a thread of its own that ends
// (setns(2)). Needs CAP_SYS_ADMIN to enter and CAP_NET_RAW to open their sockets.
#pragma once

#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "sources/probe/echo.h"

namespace espial {

struct LocalPod {
  std::string path;                  // of the namespace, as it was entered
  std::vector<IpAddress> addresses;  // of the given subnets
  std::vector<IpAddress> connected;  // far ends of its TCP connections now, sorted, each once
  EchoSockets sockets;               // send from there
};

struct LocalPods {
  std::vector<LocalPod> pods;  // as few as have an address of every subnet that any pod is in
  std::string problem;         // why there may be more; one line
};

// Looks at no more than 4,096 namespaces. The caller's own is none.
LocalPods find_local_pods(const std::vector<Prefix>& subnets);

// The far ends in /proc/net/tcp or tcp6: what is malformed is left out. For tests.
std::vector<IpAddress> parse_connected(std::string_view text, Family family);

}  // namespace espial
