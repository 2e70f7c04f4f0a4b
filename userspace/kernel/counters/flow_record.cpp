// SPDX-License-Identifier: Apache-2.0
#include "kernel/counters/flow_record.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

namespace espial {
namespace {

std::uint64_t monotonic_now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

PeerNames peer_names(const Identities& identities) {
  PeerNames names;
  for (const auto& [name, id] : identities.peers()) names[id] = name;
  return names;
}

std::optional<WallTime> wall_time(std::uint64_t monotonic_ns) {
  if (monotonic_ns == 0) return std::nullopt;
  const auto age = static_cast<std::int64_t>(monotonic_now_ns() - monotonic_ns);
  return std::chrono::system_clock::now() -
         std::chrono::nanoseconds(std::max<std::int64_t>(age, 0));
}

std::optional<FlowRecord> flow_record(const ep_flow& flow, const PeerNames& names) {
  const auto& key = flow.key;
  if (flow.packets == 0 || key.class_ >= kClasses || key.dir >= kDirections) return std::nullopt;
  const auto family = key.family == EP_FAMILY_IPV6 ? Family::kIpv6 : Family::kIpv4;
  const auto name = names.find(flow.peer);
  return FlowRecord{IpAddress(family, key.src),
                    IpAddress(family, key.dst),
                    ntohs(key.sport),
                    ntohs(key.dport),
                    key.proto,
                    static_cast<Direction>(key.dir),
                    static_cast<Class>(key.class_),
                    name == names.end() ? std::string() : name->second,
                    device_name(flow.ifindex),
                    flow.packets,
                    flow.bytes,
                    {flow.enforced[0], flow.enforced[1]},
                    wall_time(flow.first_ns).value_or(WallTime{}),
                    wall_time(flow.last_ns).value_or(WallTime{})};
}

std::string device_name(std::uint32_t ifindex) {
  std::array<char, IF_NAMESIZE> name{};
  return if_indextoname(ifindex, name.data()) ? name.data() : fmt::format("#{}", ifindex);
}

}  // namespace espial
