// SPDX-License-Identifier: Apache-2.0
#include "daemon/instance/peer_policies.h"

#include "kernel/peers/policy_map.h"

namespace espial {

void PeerPolicies::load() {
  auto loaded = file_.load();
  lost_ = !loaded.ok() || !*loaded;
  if (!loaded.ok())
    problem_ = loaded.error().message;
  else if (*loaded)
    policies_ = std::move(**loaded);
}

void PeerPolicies::recover(const Maps& maps, const Identities& identities, const Config& config,
                           const Moment& now) {
  if (!problem_.empty()) problem_ = file_.set_aside({problem_}).message;
  for (const auto& [name, id] : identities.peers()) {
    const auto policy = read_policy(maps.fd(MapId::kPolicy), id);
    if (!policy.ok() || policy->mode == Mode::MONITOR) continue;
    if (policy->mode == configured_mode(config, name) && !policy->deadline) continue;
    auto& recovered = policies_[name];
    recovered.mode = policy->mode;
    if (policy->deadline)
      recovered.confirm = Confirmation{{now.wall + std::chrono::duration_cast<WallTime::duration>(
                                                       *policy->deadline - now.monotonic),
                                        *policy->deadline, now.boot},
                                       Mode::AUDIT};
  }
}

void PeerPolicies::forget_spans() {
  for (auto& [name, policy] : policies_) policy.span.reset();
}

std::vector<std::string> PeerPolicies::expire(const Moment& now) {
  return espial::expire(policies_, now);
}

std::vector<std::string> PeerPolicies::follow_names(const Topology& before, const Topology& now) {
  return espial::follow_names(policies_, before, now);
}

void PeerPolicies::apply(const Config& config, Topology& topology) const {
  espial::apply(policies_, config.mode.has_value(), topology);
}

void PeerPolicies::follow(const std::vector<PeerSnapshot>& peers, const Moment& now) {
  if (espial::follow(policies_, peers, now)) save();
}

Status PeerPolicies::take(const PolicyPlan& plan, bool must) {
  auto status = file_.save(plan.policies);
  problem_ = status.ok() ? "" : status.error().message;
  if (status.ok() || must) policies_ = plan.policies;
  return status;
}

Status PeerPolicies::write(const Maps& maps, const Identities& identities, const Topology& topology,
                           const Moment& now) const {
  for (const auto& peer : topology.peers) {
    const auto id = identities.peer(peer.name);
    if (id == 0) continue;
    EP_TRY(write_policy(maps.fd(MapId::kPolicy), id,
                        {peer.mode, deadline_of(policies_, peer.name, now)}));
  }
  return Ok{};
}

void PeerPolicies::save() {
  const auto status = file_.save(policies_);
  problem_ = status.ok() ? "" : status.error().message;
}

std::vector<std::optional<Mode>> modes_in_force(const Maps& maps, const Identities& identities,
                                                const std::vector<PeerSnapshot>& peers,
                                                const Moment& now) {
  std::vector<std::optional<Mode>> modes;
  for (const auto& peer : peers) {
    const auto id = identities.peer(peer.peer.name);
    const auto policy =
        id == 0 ? Result<Policy>(Error{}) : read_policy(maps.fd(MapId::kPolicy), id);
    if (!policy.ok()) {
      modes.emplace_back();
      continue;
    }
    const bool passed = policy->deadline && now.monotonic >= *policy->deadline;
    modes.emplace_back(policy->mode == Mode::ENFORCE && passed ? Mode::AUDIT : policy->mode);
  }
  return modes;
}

}  // namespace espial
