// SPDX-License-Identifier: Apache-2.0
// BackstopSocket: writes, reads and removes the XFRM policies that an instance places (those of
// model/modes/backstop_plan.h), and no others. include/uapi/linux/xfrm.h, net/xfrm/xfrm_policy.c.
//
// Ours are recognized by two things. The priority is the last, or the one before it for what
// passes. The selector's `user` field carries a tag of the instance: the kernel compares it when a
// policy is inserted or deleted and never when a packet is matched, so no policy of an IKE daemon,
// of an administrator or of another instance is replaced by one of ours, or takes ours along.
#pragma once

#include <linux/xfrm.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/modes/backstop_plan.h"
#include "sources/netlink/netlink_socket.h"

namespace espial {

std::uint32_t backstop_tag(std::string_view instance);

// Placed by an espial, of whatever instance.
bool is_backstop(const xfrm_userpolicy_info& info);

// A policy of ours as the kernel has it.
struct PlacedBackstop {
  BackstopSelector selector;
  std::optional<std::chrono::seconds> expires;  // since the epoch, by the wall clock
};

// The body of XFRM_MSG_UPDPOLICY. left: after which the kernel removes it; at least a second.
xfrm_userpolicy_info backstop_message(const BackstopSelector& selector, std::uint32_t tag,
                                      std::optional<std::chrono::seconds> left);

// Of XFRM_MSG_NEWPOLICY; nothing: not of this tag, or not of a shape that we place.
std::optional<PlacedBackstop> parse_backstop(Bytes message, std::uint32_t tag);

class BackstopSocket {
 public:
  // Of the current network namespace.
  static Result<BackstopSocket> open(std::string_view instance);

  Result<std::vector<PlacedBackstop>> read();
  // Places it, or gives the one that is there another lifetime, atomically.
  Status put(const BackstopSelector& selector, std::optional<std::chrono::seconds> left);
  // That it is gone already is no error.
  Status remove(const BackstopSelector& selector);

 private:
  BackstopSocket(NetlinkSocket socket, std::uint32_t tag) : socket_(std::move(socket)), tag_(tag) {}

  NetlinkSocket socket_;
  std::uint32_t tag_;
};

}  // namespace espial
