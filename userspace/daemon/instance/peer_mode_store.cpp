// SPDX-License-Identifier: Apache-2.0
#include "daemon/instance/peer_mode_store.h"

#include "kernel/peers/mode_map.h"

namespace espial {

void PeerModeStore::load() {
  auto loaded = file_.load();
  lost_ = !loaded.ok() || !*loaded;
  if (!loaded.ok())
    problem_ = loaded.error().message;
  else if (*loaded)
    modes_ = std::move(**loaded);
}

void PeerModeStore::recover(const Maps& maps, const Identities& identities, const Config& config,
                            const Moment& now) {
  if (!problem_.empty()) problem_ = file_.set_aside({problem_}).message;
  for (const auto& [name, id] : identities.peers()) {
    const auto entry = read_mode_entry(maps.fd(MapId::kPolicy), id);
    if (!entry.ok() || entry->mode == Mode::MONITOR) continue;
    if (entry->mode == configured_mode(config, name) && !entry->deadline) continue;
    auto& recovered = modes_[name];
    recovered.mode = entry->mode;
    if (entry->deadline)
      recovered.confirm = Confirmation{{now.wall + std::chrono::duration_cast<WallTime::duration>(
                                                       *entry->deadline - now.monotonic),
                                        *entry->deadline, now.boot},
                                       Mode::AUDIT};
  }
}

void PeerModeStore::forget_spans() {
  for (auto& [name, peer_mode] : modes_) peer_mode.span.reset();
}

std::vector<std::string> PeerModeStore::expire(const Moment& now) {
  return espial::expire(modes_, now);
}

std::vector<std::string> PeerModeStore::follow_names(const Topology& before, const Topology& now) {
  return espial::follow_names(modes_, before, now);
}

void PeerModeStore::apply(const Config& config, Topology& topology) const {
  espial::apply(modes_, config.mode.has_value(), topology);
}

void PeerModeStore::follow(const std::vector<PeerSnapshot>& peers, const Moment& now) {
  if (espial::follow(modes_, peers, now)) save();
}

Status PeerModeStore::take(const ModePlan& plan, bool must) {
  auto status = file_.save(plan.modes);
  problem_ = status.ok() ? "" : status.error().message;
  if (status.ok() || must) modes_ = plan.modes;
  return status;
}

Status PeerModeStore::write(const Maps& maps, const Identities& identities,
                            const Topology& topology, const Moment& now) const {
  ModeEntry strictest;
  for (const auto& peer : topology.peers) {
    const auto id = identities.peer(peer.name);
    if (id == 0) continue;
    const ModeEntry entry{peer.mode, deadline_of(modes_, peer.name, now)};
    strictest = stricter(strictest, entry);
    EP_TRY(write_mode_entry(maps.fd(MapId::kPolicy), id, entry));
  }
  return write_mode_entry(maps.fd(MapId::kPolicy), 0, strictest);
}

void PeerModeStore::save() {
  const auto status = file_.save(modes_);
  problem_ = status.ok() ? "" : status.error().message;
}

std::vector<std::optional<Mode>> modes_in_force(const Maps& maps, const Identities& identities,
                                                const std::vector<PeerSnapshot>& peers,
                                                const Moment& now) {
  std::vector<std::optional<Mode>> modes;
  for (const auto& peer : peers) {
    const auto id = identities.peer(peer.peer.name);
    const auto entry =
        id == 0 ? Result<ModeEntry>(Error{}) : read_mode_entry(maps.fd(MapId::kPolicy), id);
    if (!entry.ok()) {
      modes.emplace_back();
      continue;
    }
    const bool passed = entry->deadline && now.monotonic >= *entry->deadline;
    modes.emplace_back(entry->mode == Mode::ENFORCE && passed ? Mode::AUDIT : entry->mode);
  }
  return modes;
}

}  // namespace espial
