// SPDX-License-Identifier: Apache-2.0
#include "kernel/peers/policy_map.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "wire.h"

namespace espial {
namespace {

// steady_clock is CLOCK_MONOTONIC, the programs' clock.
static_assert(std::chrono::steady_clock::period::den == 1'000'000'000);

Error policy_error(const char* operation, std::uint32_t peer) {
  return Error{fmt::format("map ep_policy: {} peer {}: {}", operation, peer, std::strerror(errno))};
}

}  // namespace

Result<Policy> read_policy(int map, std::uint32_t peer) {
  ep_policy_t word = 0;
  if (bpf_map_lookup_elem(map, &peer, &word) != 0) return policy_error("read", peer);
  Policy policy;
  // A mode that this build does not know is taken for the strictest that it knows.
  policy.mode = static_cast<Mode>(std::min<std::uint64_t>(EP_POLICY_MODE(word), kModes - 1));
  if (const auto deadline = EP_POLICY_DEADLINE(word); deadline != 0)
    policy.deadline = MonoTime(std::chrono::nanoseconds(deadline));
  return policy;
}

Status write_policy(int map, std::uint32_t peer, const Policy& policy) {
  ep_policy_t word = 0;
  if (policy.deadline) {
    const auto ns = policy.deadline->time_since_epoch().count();
    // A deadline that has passed already must not look like none.
    word = EP_POLICY_DEADLINE(
        static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 1 << EP_MODE_BITS)));
  }
  word |= static_cast<std::uint64_t>(policy.mode);
  if (bpf_map_update_elem(map, &peer, &word, BPF_ANY) != 0) return policy_error("write", peer);
  return Ok{};
}

}  // namespace espial
