// SPDX-License-Identifier: Apache-2.0
#include "sources/sysctls.h"

#include <fstream>

namespace espial {
namespace {

std::optional<bool> read_switch(const std::string& path) {
  std::ifstream file("/proc/sys/net/" + path);
  int value = 0;
  if (!(file >> value)) return std::nullopt;
  return value != 0;
}

}  // namespace

SysctlFacts read_sysctls(const std::vector<LinkFact>& links) {
  SysctlFacts facts;
  facts.forwarding_v6 = read_switch("ipv6/conf/all/forwarding");
  for (const auto& link : links) {
    // A name has no slash (net/core/dev.c, dev_valid_name), so the path stays where it belongs.
    const std::string v4 = "ipv4/conf/" + link.name + "/";
    auto& device = facts.devices[link.name];
    device.forwarding_v4 = read_switch(v4 + "forwarding");
    device.disable_xfrm_v4 = read_switch(v4 + "disable_xfrm");
  }
  return facts;
}

}  // namespace espial
