// SPDX-License-Identifier: Apache-2.0
// UnknownSpiWatch: received ESP that no SA took, by peer.
//
// The kernel counts such packets of all peers together (XfrmInNoStates). Whose they were follows
// from ESP that came from a peer and did not come back decrypted; without the kernel's count moving
// nothing is held against anybody, so a packet that is late, a rekey or a fragment is no unknown
// SPI. With ESP GRO only ESP that is not decrypted is seen at all. Snapshots in time order. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/snapshot.h"

namespace espial {

class UnknownSpiWatch {
 public:
  // Packets by peer since the first look, parallel to Snapshot::peers.
  std::vector<std::uint64_t> advance(const Snapshot& snapshot);

 private:
  struct Seen {
    std::uint64_t esp = 0;
    std::uint64_t decrypted = 0;
    std::uint64_t unmatched = 0;  // of the last look: the kernel's count may come a look later
    std::uint64_t total = 0;
    std::optional<std::uint64_t> look{};  // the last that saw this peer
  };
  std::unordered_map<std::string, Seen> peers_;
  std::uint64_t refused_ = 0;    // XfrmInNoStates at the last look
  std::uint64_t unmatched_ = 0;  // of it, not yet held against a peer
  std::uint64_t looks_ = 0;
};

}  // namespace espial
