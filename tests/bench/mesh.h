// SPDX-License-Identifier: Apache-2.0
// The mesh that the frames of cases.h belong to. With packet_path.cpp it is compiled against the
// sources of other revisions, too: it may use nothing but the table of userspace/kernel.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "kernel/table.h"

namespace espial::bench {

// Node n (from 1) has 10.64.0.0 + n and 100.64.0.0 + 256 n /24, fd00:45::n and fd00:101:n::/64.
inline constexpr std::uint32_t kUnderlayBase = 0x0a400000;
inline constexpr std::uint32_t kBackendBase = 0x64400000;
inline constexpr const char* kSelf4 = "10.63.0.1";
inline constexpr const char* kSelf6 = "fd00:44::1";

// A mesh of `peers` nodes, each with an underlay address and a backend subnet of both families.
TableSpec mesh(std::uint32_t peers);

// The SAs of such a mesh: destinations and SPIs. Each node uses frames::Esp's for all.
std::vector<std::pair<IpAddress, std::uint32_t>> mesh_sas(std::uint32_t peers);
// Gives them to programs, where a revision's programs compare SPIs.
template <typename Run>
Status give_sas(const Run& run, std::uint32_t peers) {
  if constexpr (requires { run.set_sas(mesh_sas(peers)); }) return run.set_sas(mesh_sas(peers));
  return Ok{};
}

// The subnet of one of its peers, and the host in it that the cases send from.
std::string backend_prefix(Family family, std::uint32_t peer);
std::string backend_host(Family family, std::uint32_t peer);

}  // namespace espial::bench
