// SPDX-License-Identifier: Apache-2.0
// The modes of peers as the programs read them: one word per peer index (ep_policy_t). Writing
// one is atomic for the programs and needs neither a daemon nor a capability once the map is open.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "model/snapshot.h"

namespace espial {

struct ModeEntry {
  Mode mode = Mode::MONITOR;
  // From then on enforce is no more than audit.
  std::optional<MonoTime> deadline;
  bool operator==(const ModeEntry&) const = default;
};

// The one that drops more: a deadline that comes later, or none, is stricter than one that comes
// sooner.
const ModeEntry& stricter(const ModeEntry& a, const ModeEntry& b);

// `map`: a descriptor of ep_policy. Peer 0 has the strictest entry of all peers: it applies to what
// belongs to nobody.
Result<ModeEntry> read_mode_entry(int map, std::uint32_t peer);
Status write_mode_entry(int map, std::uint32_t peer, const ModeEntry& entry);

}  // namespace espial
