// SPDX-License-Identifier: Apache-2.0
#include "daemon/offline.h"

#include <fmt/format.h>

#include <thread>

#include "daemon/instance_lock.h"
#include "exporter/status_document.h"
#include "kernel/attachments.h"
#include "kernel/counters.h"
#include "kernel/identities.h"
#include "kernel/maps.h"
#include "model/devices.h"
#include "model/evaluate.h"
#include "model/learn.h"
#include "sources/kernel_watch.h"
#include "sources/saved_topology.h"

namespace espial {
namespace {

constexpr std::chrono::seconds kLook{1};  // between the two looks that give a rate

struct World {
  KernelFacts facts;
  Topology topology;
  std::string saved_problem;
};

Result<World> look_around(const Config& config) {
  World world;
  EP_ASSIGN(watch, KernelWatch::open());
  EP_ASSIGN(facts, watch.read());
  world.facts = std::move(facts);
  Topology saved;
  if (auto loaded = SavedTopology(config.state_dir).load(); loaded.ok())
    saved = std::move(*loaded);
  else
    world.saved_problem = loaded.error().message;
  world.topology = merge_topology(config, world.facts, saved);
  return world;
}

// Devices with our programs, with the words that a plan made now has for them.
std::vector<DeviceSnapshot> devices_of(const Config& config, const World& world) {
  const auto plans = plan_devices(world.facts, world.topology, config);
  auto devices = find_attached(config.pin_dir, config.state_dir);
  for (auto& device : devices) {
    const auto* plan = plans.find(device.ifindex);
    if (plan == nullptr) continue;
    device.role = plan->role;
    device.expected = plan->expected;
    device.why = plan->why;
  }
  return devices;
}

Result<Snapshot> take_snapshot(const Config& config, const World& world, const Maps& maps,
                               const Identities& identities, CounterReader& reader) {
  Snapshot snapshot;
  snapshot.time = std::chrono::system_clock::now();
  snapshot.monotonic = std::chrono::steady_clock::now();
  snapshot.node = world.topology.node;
  snapshot.instance = config.instance;
  for (const auto& [name, id] : identities.peers()) {
    EP_ASSIGN(counters, reader.peer(maps, id));
    const auto* known = world.topology.find(name);
    PeerSnapshot entry{known ? *known : Peer{}, counters};
    entry.peer.name = name;
    snapshot.peers.push_back(std::move(entry));
  }
  EP_ASSIGN(no_peer, reader.peer(maps, 0));
  snapshot.no_peer = no_peer;
  EP_ASSIGN(networks, reader.networks(maps, identities));
  snapshot.networks = std::move(networks);
  EP_TRY(reader.node(maps, snapshot));
  snapshot.devices = devices_of(config, world);
  snapshot.sources = {{"file", true, ""},
                      {"routes", true, ""},
                      {"saved", world.saved_problem.empty(), world.saved_problem},
                      {"xfrm", world.facts.xfrm_readable, world.facts.xfrm_reason}};
  return snapshot;
}

}  // namespace

Result<nlohmann::json> offline_status(const Config& config) {
  EP_ASSIGN(maps, Maps::open_pinned(config.pin_dir));
  EP_ASSIGN(identities, Identities::load(maps));
  EP_ASSIGN(world, look_around(config));
  CounterReader reader;
  Evaluator evaluator;
  EP_ASSIGN(first, take_snapshot(config, world, maps, identities, reader));
  (void)evaluator.evaluate(std::move(first));
  std::this_thread::sleep_for(kLook);
  EP_ASSIGN(second, take_snapshot(config, world, maps, identities, reader));
  return status_document(evaluator.evaluate(std::move(second)).report);
}

Result<nlohmann::json> offline_flows(const Config& config) {
  EP_ASSIGN(maps, Maps::open_pinned(config.pin_dir));
  EP_ASSIGN(identities, Identities::load(maps));
  CounterReader reader;
  EP_ASSIGN(flows, reader.flows(maps, identities));
  return flows_document(flows);
}

Result<Topology> effective_topology(const Config& config) {
  EP_ASSIGN(world, look_around(config));
  return std::move(world.topology);
}

Result<std::string> forget_saved_peer(const Config& config, const std::string& peer) {
  EP_ASSIGN(forgotten, SavedTopology(config.state_dir).forget(peer));
  if (!forgotten)
    return Error{
        fmt::format("{}: no such learnt peer in {} (a peer of espial.yaml is removed there)", peer,
                    SavedTopology(config.state_dir).path()),
        Failure::kUsage};
  return fmt::format(
      "{} is forgotten; a running espial follows at its next reload (SIGHUP), and "
      "learns it again if the kernel still names it",
      peer);
}

Result<std::string> detach_instance(const Config& config) {
  EP_ASSIGN(lock, lock_instance(config.state_dir));
  return detach_all(config.pin_dir, config.state_dir);
}

}  // namespace espial
