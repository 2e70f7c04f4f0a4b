// SPDX-License-Identifier: Apache-2.0
// Which devices send ICMP redirects: net.ipv4.conf.{all,DEVICE}.send_redirects, of which one is
// enough (include/linux/inetdevice.h, IN_DEV_TX_REDIRECTS).
#pragma once

#include <vector>

#include "model/facts/facts.h"

namespace espial {

// Of the bridges that hold an address: ifindexes, sorted. In the network namespace of the calling
// thread; what cannot be read is taken for off.
std::vector<int> redirecting_bridges(const KernelFacts& facts);

}  // namespace espial
