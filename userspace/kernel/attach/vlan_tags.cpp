// SPDX-License-Identifier: Apache-2.0
#include "kernel/attach/vlan_tags.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace espial {
namespace {

// The kernel's names of the features: net/ethtool/common.c, netdev_features_strings.
constexpr std::array<std::string_view, 2> kStrips{"rx-vlan-hw-parse", "rx-vlan-stag-hw-parse"};

// An ethtool request with room behind its header: the structures end in flexible arrays.
class Request {
 public:
  Request(std::size_t header, std::size_t room)
      : words_((header + room + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t)) {}
  template <typename T>
  T* as() {
    return reinterpret_cast<T*>(words_.data());
  }
  bool send(int sock, ifreq& target) {
    target.ifr_data = reinterpret_cast<char*>(words_.data());
    return ioctl(sock, SIOCETHTOOL, &target) == 0;
  }

 private:
  std::vector<std::uint64_t> words_;  // aligned for all of them
};

std::uint32_t feature_count(int sock, ifreq& target) {
  Request request(sizeof(ethtool_sset_info), sizeof(std::uint32_t));
  auto* info = request.as<ethtool_sset_info>();
  info->cmd = ETHTOOL_GSSET_INFO;
  info->sset_mask = 1ULL << ETH_SS_FEATURES;
  return request.send(sock, target) && info->sset_mask != 0 ? info->data[0] : 0;
}

// Are tags taken off, by which of kStrips? -1: by none.
int strips(int sock, ifreq& target) {
  const std::uint32_t count = feature_count(sock, target);
  Request names(sizeof(ethtool_gstrings), static_cast<std::size_t>(count) * ETH_GSTRING_LEN);
  auto* strings = names.as<ethtool_gstrings>();
  strings->cmd = ETHTOOL_GSTRINGS;
  strings->string_set = ETH_SS_FEATURES;
  strings->len = count;
  const std::uint32_t blocks = (count + 31) / 32;
  Request values(sizeof(ethtool_gfeatures), blocks * sizeof(ethtool_get_features_block));
  auto* features = values.as<ethtool_gfeatures>();
  features->cmd = ETHTOOL_GFEATURES;
  features->size = blocks;
  if (count == 0 || !names.send(sock, target) || !values.send(sock, target)) return -1;
  for (std::uint32_t i = 0; i < count; ++i) {
    const char* text = reinterpret_cast<const char*>(strings->data) + i * ETH_GSTRING_LEN;
    const std::string_view name(text, strnlen(text, ETH_GSTRING_LEN));
    for (std::size_t which = 0; which < kStrips.size(); ++which)
      if (name == kStrips[which] && (features->features[i / 32].active >> i % 32 & 1U) != 0)
        return static_cast<int>(which);
  }
  return -1;
}

}  // namespace

std::string vlan_tags_hidden(int ifindex) {
  const UniqueFd sock(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!sock.valid())
    return std::string("VLAN offload cannot be read: socket: ") + std::strerror(errno);
  ifreq target{};
  if (if_indextoname(static_cast<unsigned>(ifindex), target.ifr_name) == nullptr) return {};
  const int which = strips(sock.get(), target);
  if (which < 0) return {};
  const std::string feature(kStrips[static_cast<std::size_t>(which)]);
  return "VLAN tags are stripped before XDP, which would drop packets of other VLANs: ethtool -K " +
         std::string(target.ifr_name) + " " + feature + " off";
}

}  // namespace espial
