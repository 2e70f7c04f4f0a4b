// SPDX-License-Identifier: Apache-2.0
#include "sources/state/saved_modes.h"

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace espial {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr int kModesSchema = 1;

Json moment_json(const Moment& moment) {
  return {
      {"wall_ms", std::chrono::duration_cast<milliseconds>(moment.wall.time_since_epoch()).count()},
      {"monotonic_ns",
       std::chrono::duration_cast<nanoseconds>(moment.monotonic.time_since_epoch()).count()},
      {"boot", moment.boot}};
}

Json peer_mode_json(const PeerMode& peer_mode) {
  Json out = Json::object();
  if (peer_mode.mode) out["mode"] = to_string(*peer_mode.mode);
  if (peer_mode.span)
    out["in_force"] = {{"mode", to_string(peer_mode.span->mode)},
                       {"since", moment_json(peer_mode.span->since)},
                       {"encrypted_packets", peer_mode.span->encrypted}};
  if (peer_mode.confirm)
    out["confirm"] = {{"deadline", moment_json(peer_mode.confirm->deadline)},
                      {"before", to_string(peer_mode.confirm->before)}};
  return out;
}

// The readers below throw; modes_from_json() turns that into an Error.
Mode read_mode(const Json& json) {
  const auto text = json.get<std::string>();
  for (std::size_t i = 0; i < kModes; ++i)
    if (text == kModeLabels[i]) return static_cast<Mode>(i);
  throw std::runtime_error("'" + text + "' is not a mode");
}

Moment read_moment(const Json& json) {
  return {WallTime(milliseconds(json.at("wall_ms").get<std::int64_t>())),
          MonoTime(nanoseconds(json.at("monotonic_ns").get<std::int64_t>())),
          json.at("boot").get<std::string>()};
}

PeerMode read_peer_mode(const Json& json) {
  PeerMode peer_mode;
  if (json.contains("mode")) peer_mode.mode = read_mode(json.at("mode"));
  if (json.contains("in_force")) {
    const auto& span = json.at("in_force");
    peer_mode.span = Span{read_mode(span.at("mode")), read_moment(span.at("since")),
                          span.at("encrypted_packets").get<std::uint64_t>()};
  }
  if (json.contains("confirm")) {
    const auto& confirm = json.at("confirm");
    peer_mode.confirm =
        Confirmation{read_moment(confirm.at("deadline")), read_mode(confirm.at("before"))};
  }
  return peer_mode;
}

PeerModes read_peer_modes(const Json& json) {
  const int version = json.at("schema_version").get<int>();
  if (version != kModesSchema)
    throw std::runtime_error("schema_version " + std::to_string(version) + ", this espial reads " +
                             std::to_string(kModesSchema));
  PeerModes modes;
  for (const auto& [name, peer_mode] : json.at("peers").items())
    modes.emplace(name, read_peer_mode(peer_mode));
  return modes;
}

}  // namespace

std::string modes_to_json(const PeerModes& modes) {
  Json peers = Json::object();
  for (const auto& [name, peer_mode] : modes) peers[name] = peer_mode_json(peer_mode);
  const Json json{{"schema_version", kModesSchema}, {"peers", std::move(peers)}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<PeerModes> modes_from_json(std::string_view text) {
  try {
    return read_peer_modes(Json::parse(text));
  } catch (const std::exception& cause) {
    return Error{std::string("saved modes: ") + cause.what(), Failure::kUnable};
  }
}

SavedModes::SavedModes(const std::string& state_dir) : file_(state_dir, "policy.json") {}

Result<std::optional<PeerModes>> SavedModes::load() const { return file_.load(modes_from_json); }

Error SavedModes::set_aside(Error error) const { return file_.set_aside(std::move(error)); }

Status SavedModes::save(const PeerModes& modes) const { return file_.save(modes_to_json(modes)); }

}  // namespace espial
