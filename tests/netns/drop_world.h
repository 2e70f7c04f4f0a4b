// SPDX-License-Identifier: Apache-2.0
// A node between a pod and a peer, in network namespaces of this process: what drops.
//
//   pod (10.101.1.10, fd00:101:1::10) -- pod0 node up0 -- far (10.45.0.12; 10.101.2.10 behind it)
//
// The calling thread is the node. Everything goes when the thread's namespaces do.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace espial::drop_world {

inline bool run(const std::string& command) {
  const bool good = std::system(("exec >/dev/null 2>&1; " + command).c_str()) == 0;
  return good;
}

inline std::string output_of(const std::string& command) {
  std::string text;
  std::FILE* pipe = popen(command.c_str(), "re");
  if (pipe == nullptr) return text;
  std::array<char, 512> part{};
  while (std::fgets(part.data(), part.size(), pipe) != nullptr) text += part.data();
  pclose(pipe);
  return text;
}

// The sum of what all rules with a counter have counted.
inline std::uint64_t nft_packets() {
  const auto text = output_of(
      "nft list ruleset | sed -n 's/.*counter packets \\([0-9]*\\).*/\\1/p' | "
      "awk '{ n += $1 } END { print n + 0 }'");
  return std::strtoull(text.c_str(), nullptr, 10);
}

inline void set_up() {
  ASSERT_EQ(unshare(CLONE_NEWNET | CLONE_NEWNS), 0) << "needs root";
  ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  ASSERT_EQ(mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr), 0);
  mkdir("/run/netns", 0755);  // may exist: only this thread sees what is mounted there
  ASSERT_EQ(mount("tmpfs", "/run/netns", "tmpfs", 0, nullptr), 0);
  ASSERT_TRUE(run(R"(set -e
    ip netns add pod; ip netns add far
    ip link set lo up
    ip link add pod0 type veth peer name eth0 netns pod
    ip link add up0 type veth peer name eth0 netns far
    sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0
    sysctl -qw net.ipv4.conf.up0.rp_filter=0 net.ipv4.conf.pod0.rp_filter=0
    ip addr add 10.101.1.1/24 dev pod0; ip -6 addr add fd00:101:1::1/64 dev pod0 nodad
    ip addr add 10.45.0.11/24 dev up0; ip -6 addr add fd00:45::11/64 dev up0 nodad
    ip link set pod0 up; ip link set up0 up
    ip -n pod addr add 10.101.1.10/24 dev eth0; ip -n pod -6 addr add fd00:101:1::10/64 dev eth0 nodad
    ip -n far addr add 10.45.0.12/24 dev eth0; ip -n far -6 addr add fd00:45::12/64 dev eth0 nodad
    ip -n far addr add 10.101.2.10/32 dev lo; ip -n far -6 addr add fd00:101:2::10/128 dev lo nodad
    for n in pod far; do ip -n $n link set lo up; ip -n $n link set eth0 up; done
    ip route add 10.101.2.0/24 via 10.45.0.12
    ip -6 route add fd00:101:2::/64 via fd00:45::12
    ip -n pod route add default via 10.101.1.1; ip -n pod -6 route add default via fd00:101:1::1
    ip -n far route add 10.101.1.0/24 via 10.45.0.11
    ip -n far -6 route add fd00:101:1::/64 via fd00:45::11
    ip netns exec pod ping -c 1 -W 3 10.101.2.10
    ip netns exec pod ping -c 3 -W 3 fd00:101:2::10
  )"));
}

// `count` echo requests; where: "" = the node, else a namespace.
inline bool ping(const std::string& where, const std::string& options, int count) {
  return run((where.empty() ? "" : "ip netns exec " + where + " ") + "ping -q -i 0.002 -W 0.1 -c " +
             std::to_string(count) + " " + options);
}

}  // namespace espial::drop_world
