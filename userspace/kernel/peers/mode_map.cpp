// SPDX-License-Identifier: Apache-2.0
#include "kernel/peers/mode_map.h"

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

Error mode_map_error(const char* operation, std::uint32_t peer) {
  return Error{fmt::format("map ep_policy: {} peer {}: {}", operation, peer, std::strerror(errno))};
}

}  // namespace

const ModeEntry& stricter(const ModeEntry& a, const ModeEntry& b) {
  if (a.mode != b.mode) return a.mode > b.mode ? a : b;
  if (!a.deadline || !b.deadline) return a.deadline ? b : a;
  return *a.deadline >= *b.deadline ? a : b;
}

Result<ModeEntry> read_mode_entry(int map, std::uint32_t peer) {
  ep_policy_t word = 0;
  if (bpf_map_lookup_elem(map, &peer, &word) != 0) return mode_map_error("read", peer);
  ModeEntry entry;
  // A mode that this build does not know is taken for the strictest that it knows.
  entry.mode = static_cast<Mode>(std::min<std::uint64_t>(EP_POLICY_MODE(word), kModes - 1));
  if (const auto deadline = EP_POLICY_DEADLINE(word); deadline != 0)
    entry.deadline = MonoTime(std::chrono::nanoseconds(deadline));
  return entry;
}

Status write_mode_entry(int map, std::uint32_t peer, const ModeEntry& entry) {
  ep_policy_t word = 0;
  if (entry.deadline) {
    const auto ns = entry.deadline->time_since_epoch().count();
    // A deadline that has passed already must not look like none.
    word = EP_POLICY_DEADLINE(
        static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 1 << EP_MODE_BITS)));
  }
  word |= static_cast<std::uint64_t>(entry.mode);
  if (bpf_map_update_elem(map, &peer, &word, BPF_ANY) != 0) return mode_map_error("write", peer);
  return Ok{};
}

}  // namespace espial
