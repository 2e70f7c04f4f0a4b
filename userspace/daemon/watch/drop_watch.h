// SPDX-License-Identifier: Apache-2.0
// DropWatch: the daemon's drop attribution: started once, read at every snapshot; its latest
// flows are shared with the HTTP thread.
#pragma once

#include <memory>
#include <optional>

#include "daemon/watch/latest_records.h"
#include "kernel/counters/drops.h"
#include "model/snapshot.h"

namespace espial {

class DropWatch {
 public:
  // Needs the capabilities to load programs. Logs once if drops cannot be attributed.
  void start(const Programs& programs);

  // Adds drops to every peer of the snapshot, and to its sources how completely drops are seen.
  void read(Snapshot& snapshot, const Identities& identities);

  [[nodiscard]] std::shared_ptr<const LatestDrops> latest() const { return latest_; }

 private:
  std::optional<Drops> drops_;
  std::uint64_t seen_ = 0;  // packets, when the flows were read last
  std::shared_ptr<LatestDrops> latest_ = std::make_shared<LatestDrops>();
};

}  // namespace espial
