// SPDX-License-Identifier: Apache-2.0
// SysctlFacts: switches under /proc/sys/net that decide whether a node forwards, and whether IPsec
// is asked at all. Plain values; nothing = it could not be read.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace espial {

struct DeviceSysctls {
  std::optional<bool> forwarding_v4;    // conf.DEV.forwarding: of packets that arrive there
  std::optional<bool> disable_xfrm_v4;  // no encryption for routes out of this device
  bool operator==(const DeviceSysctls&) const = default;
};

struct SysctlFacts {
  std::optional<bool> forwarding_v6;  // conf.all.forwarding; the devices' own do not decide
  std::map<std::string, DeviceSysctls> devices;
};

}  // namespace espial
