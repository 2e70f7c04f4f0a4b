// SPDX-License-Identifier: Apache-2.0
#include "daemon/watch/drop_watch.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace espial {

void DropWatch::start(const Programs& programs) {
  drops_ = Drops::start(programs);
  if (drops_->running())
    spdlog::info("drops of the kernel are attributed to peers ({})", drops_->way());
  else
    spdlog::warn("drop attribution is not available: {}; everything else works", drops_->why());
}

void DropWatch::read(Snapshot& snapshot, const Identities& identities) {
  if (!drops_) return;
  std::uint64_t seen = 0;
  for (auto& peer : snapshot.peers) {
    auto counted = drops_->peer(identities.peer(peer.peer.name), peer.peer.name);
    if (!counted.ok()) {
      spdlog::error("{}", counted.error().message);
      continue;
    }
    for (const auto& [reason, packets] : counted->reasons) seen += packets;
    peer.counters.kernel = std::move(*counted);
  }
  snapshot.drops_seen = drops_->running();
  snapshot.kernel_drops = drops_->total();
  const auto missed = drops_->missed();
  snapshot.sources.push_back(
      {"drops", drops_->running(),
       drops_->running()
           ? (missed > 0 ? fmt::format("{} drops could not be examined", missed) : std::string())
           : fmt::format("drop attribution is not available: {}", drops_->why())});
  if (seen == seen_) return;
  seen_ = seen;
  auto flows = drops_->flows(identities);
  if (flows.ok())
    latest_->publish(std::move(*flows));
  else
    spdlog::error("{}", flows.error().message);
}

}  // namespace espial
