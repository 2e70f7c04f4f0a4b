// SPDX-License-Identifier: Apache-2.0
// What this node is set to, and what it can do about IPsec. Plain values; nothing = it could not be
// read.
//
// SysctlFacts: switches under /proc/sys/net that decide whether a node forwards, what it accepts,
// and whether IPsec is asked at all.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace espial {

// net.ipv4.conf.DEV, as they are set. Of the last three "all" counts for every device, too
// (include/linux/inetdevice.h: IN_DEV_ORCONF, IN_DEV_MAXCONF).
struct DeviceSysctls {
  std::optional<bool> forwarding_v4;         // forwarding: of packets that arrive there
  std::optional<bool> disable_xfrm_v4;       // no encryption for routes out of this device
  std::optional<bool> disable_policy_v4{};   // no policy is asked about what arrives there
  std::optional<int> reverse_path_filter{};  // rp_filter: 0 off, 1 strict, 2 loose
  bool operator==(const DeviceSysctls&) const = default;
};

inline constexpr const char* kAllDevices = "all";

struct SysctlFacts {
  std::optional<bool> forwarding_v6;  // conf.all.forwarding; the devices' own do not decide
  std::map<std::string, DeviceSysctls> devices;  // and kAllDevices
  // net.bridge.bridge-nf-call-{iptables,ip6tables}: rules are asked about bridged packets, too.
  // Nothing where the kernel has no br_netfilter.
  std::optional<bool> bridge_rules_v4{};
  std::optional<bool> bridge_rules_v6{};
  std::optional<std::uint64_t> reverse_path_drops{};  // IPReversePathFilter of /proc/net/netstat
};

// HostFacts: what this node can do about IPsec at all.
struct HostFacts {
  std::optional<bool> ike_listens;  // a socket of this namespace has UDP port 500 or 4500
  std::optional<bool> esp;          // the kernel has ESP, or a module for it
};

}  // namespace espial
