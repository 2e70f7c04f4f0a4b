// SPDX-License-Identifier: Apache-2.0
// IkeReach: does anybody answer IKE at an underlay address of a peer? Plain values.
#pragma once

#include <cstdint>

#include "base/ip.h"

namespace espial {

enum class IkeAnswer : std::uint8_t {
  kAnswered,  // an IKE daemon
  kRefused,   // port unreachable: nobody listens there
  kRejected,  // another ICMP error: a router or a firewall says no
  kSilent,
  kNotSent,  // this node could not send it
};

struct IkeReach {
  IpAddress address;
  std::uint16_t port = 0;  // 500 or 4500
  IkeAnswer answer = IkeAnswer::kSilent;
};

}  // namespace espial
