// SPDX-License-Identifier: Apache-2.0
// VLAN offload of a device in a test: what `ethtool -K DEVICE FEATURE on|off` does.
#pragma once

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/unique_fd.h"

namespace espial {

// Switches a feature by the kernel's name of it. False when there is none of that name.
inline bool set_feature(const char* device, std::string_view feature, bool on) {
  constexpr std::size_t kMost = 256;  // more than any kernel has
  const UniqueFd sock(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq target{};
  std::copy_n(device, std::min(std::strlen(device), sizeof(target.ifr_name) - 1), target.ifr_name);
  struct {
    std::uint32_t cmd = ETHTOOL_GSSET_INFO, reserved = 0;
    std::uint64_t sets = 1ULL << ETH_SS_FEATURES;
    std::uint32_t count = 0, padding = 0;
  } size;
  target.ifr_data = reinterpret_cast<char*>(&size);
  if (ioctl(sock.get(), SIOCETHTOOL, &target) != 0 || size.count > kMost) return false;
  // Linux 6.18 tells no names when their number is not exact.
  struct {
    std::uint32_t cmd = ETHTOOL_GSTRINGS, set = ETH_SS_FEATURES, count = 0;
    std::array<std::array<char, ETH_GSTRING_LEN>, kMost> names{};
  } strings;
  strings.count = size.count;
  target.ifr_data = reinterpret_cast<char*>(&strings);
  if (ioctl(sock.get(), SIOCETHTOOL, &target) != 0) return false;
  struct {
    std::uint32_t cmd = ETHTOOL_SFEATURES, blocks = 0;
    std::array<ethtool_set_features_block, kMost / 32> values{};
  } change;
  change.blocks = (strings.count + 31) / 32;
  for (std::size_t i = 0; i < strings.count; ++i) {
    if (feature != strings.names[i].data()) continue;
    change.values[i / 32] = {1U << i % 32, static_cast<std::uint32_t>(on) << i % 32};
    target.ifr_data = reinterpret_cast<char*>(&change);
    return ioctl(sock.get(), SIOCETHTOOL, &target) >= 0;
  }
  return false;
}

// A device that shows VLAN tags to XDP, as those have to that get it.
inline bool show_vlan_tags(const char* device) {
  return set_feature(device, "rx-vlan-hw-parse", false) &&
         set_feature(device, "rx-vlan-stag-hw-parse", false);
}

}  // namespace espial
