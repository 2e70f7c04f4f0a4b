// SPDX-License-Identifier: Apache-2.0
#include "daemon/enforcement.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "daemon/instance/now.h"
#include "daemon/instance/world.h"

namespace espial {

Status Enforcement::begin(const DataPlane& data_plane, const Config& config, bool strict) {
  const auto now = this_moment();
  policies_.load();
  if (strict && !policies_.problem().empty()) return Error{policies_.problem()};
  if (policies_.lost()) policies_.recover(data_plane.maps(), data_plane.identities(), config, now);
  if (!policies_.problem().empty())
    spdlog::error("{}; peers in enforce stay in enforce", policies_.problem());
  if (!data_plane.adopted()) policies_.forget_spans();
  for (const auto& line : policies_.expire(now)) spdlog::warn("{}", line);
  // From now on a missing file is a lost one.
  policies_.save();
  return Ok{};
}

Topology Enforcement::merged(const Config& config, const NodeFacts& facts) {
  auto merged = merge(config, facts.kernel(), facts.saved(), facts.cluster(), policies_);
  for (const auto& line : merged.renamed) spdlog::info("{}", line);
  if (!merged.renamed.empty()) policies_.save();
  return std::move(merged.topology);
}

bool Enforcement::end_deadlines(const Moment& now) {
  const auto lines = policies_.expire(now);
  if (lines.empty()) return false;
  for (const auto& line : lines) spdlog::warn("{}", line);
  policies_.save();
  return true;
}

Status Enforcement::write(const DataPlane& data_plane, const Topology& topology) const {
  return policies_.write(data_plane.maps(), data_plane.identities(), topology, this_moment());
}

void Enforcement::follow_backstop(const Config& config, const Topology& topology,
                                  const KernelFacts& facts) {
  backstop_.follow(config, topology, facts, policies_.get(), this_moment());
}

void Enforcement::follow(const std::vector<PeerSnapshot>& peers, const Moment& now) {
  policies_.follow(peers, now);
}

Result<PolicyPlan> Enforcement::command(const PolicyRequest& request, const PolicySight& sight,
                                        const ConfigEnforce& enforce, const Moment& now) {
  EP_ASSIGN(plan, plan_policy(request, policies_.get(), sight, now,
                              std::chrono::minutes(enforce.audit_minutes)));
  if (!plan.refused.empty()) return plan;
  if (auto saved = policies_.take(plan, lowers(request)); !saved.ok()) {
    if (!lowers(request)) return std::move(saved).error();
    plan.notes.push_back("in force but not saved, so it is lost at a restart: " +
                         saved.error().message);
  }
  return plan;
}

SourceStatus Enforcement::source() const {
  return {"policy", policies_.problem().empty(), policies_.problem()};
}

}  // namespace espial
