// SPDX-License-Identifier: Apache-2.0
#include "sources/proc/redirects.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <string>

namespace espial {
namespace {

bool redirects(const std::string& device) {
  // A name has no slash (net/core/dev.c, dev_valid_name), so the path stays where it belongs.
  std::ifstream file("/proc/sys/net/ipv4/conf/" + device + "/send_redirects");
  int value = 0;
  return file >> value && value != 0;
}

}  // namespace

std::vector<int> redirecting_bridges(const KernelFacts& facts) {
  std::set<int> addressed;
  for (const auto& fact : facts.addresses)
    if (fact.address.family() == Family::kIpv4) addressed.insert(fact.ifindex);
  const bool all = redirects("all");
  std::vector<int> found;
  for (const auto& link : facts.links)
    if (link.kind == "bridge" && addressed.count(link.ifindex) != 0 &&
        (all || redirects(link.name)))
      found.push_back(link.ifindex);
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace espial
