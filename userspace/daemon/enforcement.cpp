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
  modes_.load();
  if (strict && !modes_.problem().empty()) return Error{modes_.problem()};
  if (modes_.lost()) modes_.recover(data_plane.maps(), data_plane.identities(), config, now);
  if (!modes_.problem().empty())
    spdlog::error("{}; peers in enforce stay in enforce", modes_.problem());
  if (!data_plane.adopted()) modes_.forget_spans();
  for (const auto& line : modes_.expire(now)) spdlog::warn("{}", line);
  // From now on a missing file means that it was lost.
  modes_.save();
  return Ok{};
}

Topology Enforcement::merged(const Config& config, const NodeFacts& facts) {
  auto merged = merge(config, facts.kernel(), facts.saved(), facts.opensvc(), modes_);
  for (const auto& line : merged.renamed) spdlog::info("{}", line);
  if (!merged.renamed.empty()) modes_.save();
  return std::move(merged.topology);
}

bool Enforcement::end_deadlines(const Moment& now) {
  const auto lines = modes_.expire(now);
  if (lines.empty()) return false;
  for (const auto& line : lines) spdlog::warn("{}", line);
  modes_.save();
  return true;
}

Status Enforcement::write(const DataPlane& data_plane, const Topology& topology) const {
  return modes_.write(data_plane.maps(), data_plane.identities(), topology, this_moment());
}

void Enforcement::follow_backstop(const Config& config, const Topology& topology,
                                  const KernelFacts& facts) {
  backstop_.follow(config, topology, facts, modes_.get(), this_moment());
}

void Enforcement::follow(const std::vector<PeerSnapshot>& peers, const Moment& now) {
  modes_.follow(peers, now);
}

Result<ModePlan> Enforcement::command(const ModeRequest& request, const ModeContext& context,
                                      const ConfigEnforce& enforce, const Moment& now) {
  EP_ASSIGN(plan, plan_modes(request, modes_.get(), context, now,
                             std::chrono::minutes(enforce.audit_minutes)));
  if (!plan.refused.empty()) return plan;
  if (auto saved = modes_.take(plan, lowers(request)); !saved.ok()) {
    if (!lowers(request)) return std::move(saved).error();
    plan.notes.push_back("in force but not saved, so it is lost at a restart: " +
                         saved.error().message);
  }
  return plan;
}

SourceStatus Enforcement::source() const {
  return {"policy", modes_.problem().empty(), modes_.problem()};
}

}  // namespace espial
