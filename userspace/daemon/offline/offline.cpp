// SPDX-License-Identifier: Apache-2.0
#include "daemon/offline/offline.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <thread>

#include "daemon/instance/backstop.h"
#include "daemon/instance/instance_lock.h"
#include "daemon/instance/now.h"
#include "daemon/instance/peer_mode_store.h"
#include "daemon/instance/world.h"
#include "exporter/documents/alarms_document.h"
#include "exporter/documents/audit_document.h"
#include "exporter/documents/modes_document.h"
#include "exporter/documents/status_document.h"
#include "kernel/attach/attachments.h"
#include "kernel/counters/counters.h"
#include "kernel/maps.h"
#include "kernel/peers/identities.h"
#include "kernel/pin_dir.h"
#include "model/devices/devices.h"
#include "model/evaluate/evaluate.h"
#include "sources/firewall/firewall_source.h"
#include "sources/opensvc/opensvc_watch.h"
#include "sources/state/saved_alarms.h"
#include "sources/state/saved_topology.h"
#include "sources/vici/vici_client.h"

namespace espial {
namespace {

constexpr std::chrono::seconds kLook{1};  // between the two looks that give a rate

BackstopSnapshot follow_backstop(const Config& config, const World& world, const Moment& now,
                                 Follow follow) {
  return follow_plan(
      config, plan_backstop(config.enforce, world.topology, world.facts, world.modes.get(), now),
      now, follow);
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
  return snapshot_now({.maps = maps, .identities = identities, .reader = reader},
                      {.topology = world.topology,
                       .instance = config.instance,
                       .daemon = false,
                       .devices = devices_of(config, world),
                       .backstop = follow_backstop(config, world, this_moment(), Follow::kLook),
                       .mesh = std::make_shared<const MeshAudit>(
                           audit_now(world.topology, world.facts, {}, world.opensvc, nullptr)),
                       .sources = {{"file", true, ""},
                                   {"policy", world.modes.problem().empty(), world.modes.problem()},
                                   {"routes", true, ""},
                                   {"saved", world.saved_problem.empty(), world.saved_problem},
                                   {"xfrm", world.facts.xfrm_readable, world.facts.xfrm_reason}}});
}

// Every peer of the topology, with its counters where there are any.
Result<std::vector<PeerSnapshot>> peers_of(const World& world, const std::optional<Pins>& pins) {
  CounterReader reader;
  if (pins)
    return peers_now({.maps = pins->maps, .identities = pins->identities, .reader = reader},
                     world.topology);
  std::vector<PeerSnapshot> peers;
  for (const auto& peer : world.topology.peers) peers.push_back({peer, {}});
  return peers;
}

Result<nlohmann::json> show_modes(const Config& config, const World& world,
                                  const std::optional<Pins>& pins, const Moment& now) {
  Snapshot snapshot;
  EP_ASSIGN(peers, peers_of(world, pins));
  snapshot.node = world.topology.node;
  snapshot.findings = world.topology.findings;
  snapshot.peers = std::move(peers);
  std::vector<std::optional<Mode>> in_force(snapshot.peers.size());
  if (pins) in_force = modes_in_force(pins->maps, pins->identities, snapshot.peers, now);
  return modes_document({.snapshot = snapshot,
                         .modes = world.modes.get(),
                         .enforce = config.enforce,
                         .in_force = std::move(in_force),
                         .now = now});
}

Result<nlohmann::json> change_modes(const Config& config, const ModeRequest& request, World& world,
                                    const std::optional<Pins>& pins, const Moment& now) {
  EP_ASSIGN(peers, peers_of(world, pins));
  std::vector<FlowRecord> flows;
  if (pins) {
    EP_ASSIGN(seen, CounterReader().flows(pins->maps, pins->identities));
    flows = std::move(seen);
  }
  const auto mesh = audit_now(world.topology, world.facts, {}, world.opensvc, nullptr);
  EP_ASSIGN(plan, plan_modes(request, world.modes.get(), {peers, flows, &mesh}, now,
                             std::chrono::minutes(config.enforce.audit_minutes)));
  if (plan.refused.empty()) {
    if (auto saved = world.modes.take(plan, lowers(request)); !saved.ok()) {
      if (!lowers(request)) return std::move(saved).error();
      plan.notes.push_back("not saved, so it is lost at a restart: " + saved.error().message);
    }
    merge(config, world);
    if (pins)
      EP_TRY(world.modes.write(pins->maps, pins->identities, world.topology, now));
    else
      plan.notes.emplace_back(
          "saved, but no programs are attached; it takes effect at the next start");
    // Without programs nothing begins, but what is no longer wanted must not stay.
    const auto block = follow_backstop(config, world, now, pins ? Follow::kWhole : Follow::kRemove);
    if (!block.why.empty()) plan.notes.push_back("backstop: " + block.why);
    // A span begins now, not when somebody next looks.
    EP_ASSIGN(after, peers_of(world, pins));
    world.modes.follow(after, now);
  }
  return mode_answer(plan, world.topology, now);
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

Result<nlohmann::json> offline_alarms(const Config& config) {
  const SavedAlarms file(config.state_dir);
  EP_ASSIGN(record, file.load());
  if (!record) return Error{file.path() + ": no daemon has saved alarms there"};
  const auto now = this_moment();
  AlarmEngine engine;
  engine.restore(record->memory, std::chrono::nanoseconds{0}, now.monotonic);
  std::vector<std::string> peers;
  // An alarm's own peer is known without this.
  if (const auto saved = SavedTopology(config.state_dir).load(); saved.ok())
    for (const auto& peer : saved->peers) peers.push_back(peer.name);
  for (const auto& peer : config.peers) peers.push_back(peer.name);
  std::sort(peers.begin(), peers.end());
  peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  return alarms_document({.node = config.node,
                          .instance = config.instance,
                          .time = now.wall,
                          .saved = record->saved.wall,
                          .peers = std::move(peers),
                          .engine = engine,
                          .messages = AlarmMessageCounts{}});
}

Result<nlohmann::json> offline_audit(const Config& config) {
  EP_ASSIGN(world, look_around(config));
  CharonFacts charon;
  if (const auto socket = find_vici_socket(config.vici)) charon = read_charon(*socket);
  PodNat nat(read_ip_firewall());
  return audit_document(audit_now(world.topology, world.facts, charon, world.opensvc, &nat),
                        world.topology.node, std::chrono::system_clock::now());
}

Result<nlohmann::json> offline_modes(const Config& config, const nlohmann::json& line) {
  EP_ASSIGN(request, mode_request(line));
  UniqueFd lock;
  if (request.kind != ModeRequest::Kind::kShow) {
    EP_ASSIGN(taken, lock_instance(config.state_dir));
    lock = std::move(taken);
  }
  EP_ASSIGN(world, look_around(config));
  EP_ASSIGN(pins, open_pins(config));
  const auto now = this_moment();
  if (request.kind == ModeRequest::Kind::kShow) return show_modes(config, world, pins, now);
  // Programs of the former layout may be attached still, and obey maps of theirs.
  if (!former_map_dirs(config.pin_dir).empty())
    return Error{config.pin_dir + ": an upgrade was interrupted (start espial to complete it)"};
  if (!world.modes.problem().empty())
    return Error{world.modes.problem() + " (start espial; it keeps what is enforced)"};
  if (world.modes.lost() && pins) {
    world.modes.recover(pins->maps, pins->identities, config, now);
    merge(config, world);
  }
  return change_modes(config, request, world, pins, now);
}

Result<Topology> effective_topology(const Config& config) {
  EP_ASSIGN(world, look_around(config));
  return std::move(world.topology);
}

Result<std::string> forget_saved_peer(const Config& config, const std::string& peer) {
  EP_ASSIGN(forgotten, SavedTopology(config.state_dir).forget(peer));
  if (!forgotten)
    return Error{
        fmt::format("{}: no such learnt peer in {} (remove peers of espial.yaml in that file)",
                    peer, SavedTopology(config.state_dir).path()),
        Failure::kUsage};
  return fmt::format(
      "{} is forgotten; a running daemon applies this at its next reload (SIGHUP), and learns the "
      "peer again if the kernel still names it",
      peer);
}

Result<std::string> detach_instance(const Config& config) {
  EP_ASSIGN(lock, lock_instance(config.state_dir));
  EP_ASSIGN(policies, remove_backstop(config.instance));
  EP_ASSIGN(removed, detach_all(config.pin_dir, config.state_dir));
  if (policies == 0) return removed;
  return fmt::format("{}, and {} XFRM policies", removed, policies);
}

}  // namespace espial
