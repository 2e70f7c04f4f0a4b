// SPDX-License-Identifier: Apache-2.0
#include "daemon/instance/world.h"

#include <filesystem>

#include "daemon/instance/now.h"
#include "kernel/pin_dir.h"
#include "model/learn/learn.h"
#include "sources/netlink/kernel_watch.h"
#include "sources/opensvc/opensvc_watch.h"
#include "sources/proc/sysctls.h"
#include "sources/state/saved_topology.h"

namespace espial {

Merged merge(const Config& config, const KernelFacts& facts, const Topology& saved,
             const OpensvcFacts& opensvc, PeerModeStore& modes) {
  Merged merged{merge_topology(config, facts, saved, opensvc), {}};
  merged.renamed = modes.follow_names(saved, merged.topology);
  modes.apply(config, merged.topology);
  return merged;
}

void merge(const Config& config, World& world) {
  world.topology = merge(config, world.facts, world.saved, world.opensvc, world.modes).topology;
}

Result<World> look_around(const Config& config) {
  World world(config);
  EP_ASSIGN(watch, KernelWatch::open());
  EP_ASSIGN(facts, watch.read());
  world.facts = std::move(facts);
  if (config.opensvc && config.discover)
    world.opensvc = read_opensvc({config.opensvc_conf, config.opensvc_socket});
  world.facts.redirecting = redirecting_bridges(world.facts);
  if (auto loaded = SavedTopology(config.state_dir).load(); loaded.ok())
    world.saved = std::move(*loaded);
  else
    world.saved_problem = loaded.error().message;
  world.modes.load();
  (void)world.modes.expire(this_moment());
  merge(config, world);
  return world;
}

Result<std::optional<Pins>> open_pins(const Config& config) {
  std::error_code error;
  const auto path = pinned_map_path(config.pin_dir, map_name(MapId::kPolicy));
  // An unreadable folder is not a missing one: opening the maps reports it.
  if (!std::filesystem::exists(path, error) && !error) return std::optional<Pins>();
  EP_ASSIGN(maps, Maps::open_pinned(config.pin_dir));
  EP_ASSIGN(identities, Identities::load(maps));
  return std::optional(Pins{std::move(maps), std::move(identities)});
}

}  // namespace espial
