// SPDX-License-Identifier: Apache-2.0
#include "sources/proc/sysctls.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace espial {
namespace {

std::optional<int> read_number(const std::string& path) {
  std::ifstream file("/proc/sys/net/" + path);
  int value = 0;
  if (!(file >> value)) return std::nullopt;
  return value;
}

std::optional<bool> read_switch(const std::string& path) {
  const auto value = read_number(path);
  return value ? std::optional(*value != 0) : std::nullopt;
}

DeviceSysctls read_device(const std::string& name) {
  // A name has no slash (net/core/dev.c, dev_valid_name), so the path stays where it belongs.
  const std::string v4 = "ipv4/conf/" + name + "/";
  return {read_switch(v4 + "forwarding"), read_switch(v4 + "disable_xfrm"),
          read_switch(v4 + "disable_policy"), read_number(v4 + "rp_filter")};
}

}  // namespace

std::optional<std::uint64_t> netstat_counter(std::istream& netstat, const std::string& name) {
  std::string names;
  std::string values;
  while (std::getline(netstat, names) && std::getline(netstat, values)) {
    std::istringstream each_name(names);
    std::istringstream each_value(values);
    std::string head;
    std::string word;
    each_name >> head;
    each_value >> head;
    std::uint64_t value = 0;
    while (each_name >> word && each_value >> value)
      if (word == name) return value;
  }
  return std::nullopt;
}

SysctlFacts read_sysctls(const std::vector<LinkFact>& links) {
  SysctlFacts facts;
  facts.forwarding_v6 = read_switch("ipv6/conf/all/forwarding");
  facts.bridge_rules_v4 = read_switch("bridge/bridge-nf-call-iptables");
  facts.bridge_rules_v6 = read_switch("bridge/bridge-nf-call-ip6tables");
  facts.devices[kAllDevices] = read_device(kAllDevices);
  for (const auto& link : links) facts.devices[link.name] = read_device(link.name);
  std::ifstream netstat("/proc/thread-self/net/netstat");
  facts.reverse_path_drops = netstat_counter(netstat, "IPReversePathFilter");
  return facts;
}

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
