// SPDX-License-Identifier: Apache-2.0
#include "exporter/documents/modes_document.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "base/time_text.h"
#include "exporter/documents/json_values.h"
#include "exporter/documents/status_document.h"

namespace espial {
namespace {

using nlohmann::json;

std::optional<Mode> mode_named(const std::string& text) {
  for (std::size_t i = 0; i < kModes; ++i)
    if (text == kModeLabels[i]) return static_cast<Mode>(i);
  return std::nullopt;
}

Cell cells_sum(const EnforcedCells& cells) {
  Cell sum;
  for (const auto& direction : cells)
    for (const auto& cell : direction) {
      sum.packets += cell.packets;
      sum.bytes += cell.bytes;
    }
  return sum;
}

json action_of(const PeerCounters& counters, Action action) {
  const auto sum = cells_sum(counters.enforced[at(action)]);
  return {{"packets", sum.packets},
          {"bytes", sum.bytes},
          {"last", time_of(counters.last_enforced[at(action)])}};
}

json confirm_of(const PeerMode* peer_mode, const Moment& now) {
  if (peer_mode == nullptr || !peer_mode->confirm) return nullptr;
  const auto& deadline = peer_mode->confirm->deadline;
  const auto left =
      same_boot(deadline, now) ? deadline.monotonic - now.monotonic : std::chrono::nanoseconds{0};
  return {{"deadline", rfc3339(deadline.wall)},
          {"seconds_left", std::max(std::chrono::duration<double>(left).count(), 0.0)},
          {"before", to_string(peer_mode->confirm->before)}};
}

json mode_peer_of(const PeerSnapshot& entry, const PeerMode* peer_mode,
                  const std::optional<Mode>& in_force, const Moment& now) {
  const Peer& peer = entry.peer;
  const bool spans = peer_mode != nullptr && peer_mode->span && peer_mode->span->mode == peer.mode;
  return {{"name", peer.name},
          {"state", to_string(peer.state)},
          {"mode", to_string(peer.mode)},
          {"mode_from", to_string(peer.mode_from)},
          {"file_mode", to_string(peer.by_file.mode)},
          {"in_force", in_force ? json(to_string(*in_force)) : json(nullptr)},
          {"since", spans ? json(rfc3339(peer_mode->span->since.wall)) : json(nullptr)},
          {"confirm", confirm_of(peer_mode, now)},
          {"would_drop", action_of(entry.counters, Action::kWouldDrop)},
          {"dropped", action_of(entry.counters, Action::kDrop)}};
}

const PeerMode* peer_mode_of(const PeerModes& modes, const std::string& peer) {
  const auto it = modes.find(peer);
  return it == modes.end() ? nullptr : &it->second;
}

// Throws when a member has another type.
ModeRequest read_request(const json& from) {
  ModeRequest request;
  const auto command = from.at("command").get<std::string>();
  if (command == "show") return request;
  if (command != "set" && command != "confirm")
    throw std::runtime_error("'" + command + "' is not a policy command");
  request.peer = from.at("peer").get<std::string>();
  request.kind = command == "set" ? ModeRequest::Kind::kSet : ModeRequest::Kind::kConfirm;
  if (command == "confirm") return request;
  const auto mode = from.at("mode").get<std::string>();
  request.mode = mode_named(mode);
  if (!request.mode && mode != "file") throw std::runtime_error("'" + mode + "' is not a mode");
  request.force = from.value("force", false);
  if (const auto seconds = from.value("confirm_within_seconds", std::int64_t{0}); seconds != 0) {
    if (seconds < 0 || seconds > kMaxConfirmWithin.count())
      throw std::runtime_error("confirm within 1 to " + std::to_string(kMaxConfirmWithin.count()) +
                               " seconds");
    request.confirm_within = std::chrono::seconds(seconds);
  }
  return request;
}

}  // namespace

Result<ModeRequest> mode_request(const json& request) {
  try {
    return read_request(request);
  } catch (const std::exception& cause) {
    return Error{std::string("policy: ") + cause.what(), Failure::kUsage};
  }
}

json modes_document(const ModesView& view) {
  json peers = json::array();
  for (std::size_t i = 0; i < view.snapshot.peers.size(); ++i) {
    const auto& peer = view.snapshot.peers[i];
    peers.push_back(mode_peer_of(peer, peer_mode_of(view.modes, peer.peer.name),
                                 view.in_force.at(i), view.now));
  }
  return {{"schema_version", kSchemaVersion},
          {"node", view.snapshot.node},
          {"time", rfc3339(view.now.wall)},
          {"daemon", {{"running", view.snapshot.daemon}}},
          {"audit_minutes", view.enforce.audit_minutes},
          {"limits",
           {{"cleartext_host", to_string(view.enforce.cleartext_host)},
            {"cleartext_transit", to_string(view.enforce.cleartext_transit)},
            {"esp_foreign", to_string(view.enforce.esp_foreign)}}},
          {"peers", std::move(peers)},
          {"findings", view.snapshot.findings}};
}

json mode_answer(const ModePlan& plan, const Topology& after, const Moment& now) {
  json changed = json::array();
  for (const auto& name : plan.changed) {
    const auto* peer = after.find(name);
    if (peer == nullptr) continue;
    changed.push_back({{"peer", name},
                       {"mode", to_string(peer->mode)},
                       {"mode_from", to_string(peer->mode_from)},
                       {"confirm", confirm_of(peer_mode_of(plan.modes, name), now)}});
  }
  json refused = json::array();
  for (const auto& refusal : plan.refused)
    refused.push_back({{"peer", refusal.peer},
                       {"reasons", refusal.reasons},
                       {"flows", flows_document(refusal.flows)["flows"]}});
  return {{"schema_version", kSchemaVersion},
          {"time", rfc3339(now.wall)},
          {"changed", std::move(changed)},
          {"refused", std::move(refused)},
          {"notes", plan.notes}};
}

json error_document(const Error& error) {
  return {{"error", error.message}, {"usage", error.failure == Failure::kUsage}};
}

}  // namespace espial
