// SPDX-License-Identifier: Apache-2.0
#include "sources/state/saved_policy.h"

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace espial {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr int kPolicySchema = 1;

Json moment_json(const Moment& moment) {
  return {
      {"wall_ms", std::chrono::duration_cast<milliseconds>(moment.wall.time_since_epoch()).count()},
      {"monotonic_ns",
       std::chrono::duration_cast<nanoseconds>(moment.monotonic.time_since_epoch()).count()},
      {"boot", moment.boot}};
}

Json policy_json(const PeerPolicy& policy) {
  Json out = Json::object();
  if (policy.mode) out["mode"] = to_string(*policy.mode);
  if (policy.span)
    out["in_force"] = {{"mode", to_string(policy.span->mode)},
                       {"since", moment_json(policy.span->since)},
                       {"encrypted_packets", policy.span->encrypted}};
  if (policy.confirm)
    out["confirm"] = {{"deadline", moment_json(policy.confirm->deadline)},
                      {"before", to_string(policy.confirm->before)}};
  return out;
}

// The readers below throw; policies_from_json() turns that into an Error.
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

PeerPolicy read_policy(const Json& json) {
  PeerPolicy policy;
  if (json.contains("mode")) policy.mode = read_mode(json.at("mode"));
  if (json.contains("in_force")) {
    const auto& span = json.at("in_force");
    policy.span = Span{read_mode(span.at("mode")), read_moment(span.at("since")),
                       span.at("encrypted_packets").get<std::uint64_t>()};
  }
  if (json.contains("confirm")) {
    const auto& confirm = json.at("confirm");
    policy.confirm =
        Confirmation{read_moment(confirm.at("deadline")), read_mode(confirm.at("before"))};
  }
  return policy;
}

Policies read_policies(const Json& json) {
  const int version = json.at("schema_version").get<int>();
  if (version != kPolicySchema)
    throw std::runtime_error("schema_version " + std::to_string(version) + ", this espial reads " +
                             std::to_string(kPolicySchema));
  Policies policies;
  for (const auto& [name, policy] : json.at("peers").items())
    policies.emplace(name, read_policy(policy));
  return policies;
}

}  // namespace

std::string policies_to_json(const Policies& policies) {
  Json peers = Json::object();
  for (const auto& [name, policy] : policies) peers[name] = policy_json(policy);
  const Json json{{"schema_version", kPolicySchema}, {"peers", std::move(peers)}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Policies> policies_from_json(std::string_view text) {
  try {
    return read_policies(Json::parse(text));
  } catch (const std::exception& cause) {
    return Error{std::string("saved policy: ") + cause.what(), Failure::kUnable};
  }
}

SavedPolicy::SavedPolicy(const std::string& state_dir) : file_(state_dir, "policy.json") {}

Result<std::optional<Policies>> SavedPolicy::load() const { return file_.load(policies_from_json); }

Error SavedPolicy::set_aside(Error error) const { return file_.set_aside(std::move(error)); }

Status SavedPolicy::save(const Policies& policies) const {
  return file_.save(policies_to_json(policies));
}

}  // namespace espial
