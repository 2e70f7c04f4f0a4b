// SPDX-License-Identifier: Apache-2.0
// Reads sysctls of this network namespace. Reads only; any thread.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "model/facts/facts.h"
#include "model/facts/host.h"

namespace espial {

SysctlFacts read_sysctls(const std::vector<LinkFact>& links);

// A counter of /proc/net/netstat: lines of names, each before its line of values. For tests.
std::optional<std::uint64_t> netstat_counter(std::istream& netstat, const std::string& name);

// Which devices send ICMP redirects: net.ipv4.conf.{all,DEVICE}.send_redirects, of which one is
// enough (include/linux/inetdevice.h, IN_DEV_TX_REDIRECTS).
// Of the bridges that hold an address: ifindexes, sorted. In the network namespace of the calling
// thread; what cannot be read is taken for off.
std::vector<int> redirecting_bridges(const KernelFacts& facts);

}  // namespace espial
