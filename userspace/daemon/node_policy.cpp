// SPDX-License-Identifier: Apache-2.0
// Policies in a running node: commands, and deadlines that pass.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "daemon/moment.h"
#include "daemon/node.h"
#include "exporter/documents/policy_document.h"

namespace espial {

void Node::end_deadlines(const Moment& now) {
  const auto lines = policies_.expire(now);
  if (lines.empty()) return;
  for (const auto& line : lines) spdlog::warn("{}", line);
  policies_.save();
  follow_topology();
}

void Node::follow_backstop() {
  backstop_.follow(config_, topology_, facts_, policies_.get(), this_moment());
}

nlohmann::json Node::policy(const PolicyRequest& request) {
  const auto now = this_moment();
  end_deadlines(now);
  if (request.kind == PolicyRequest::Kind::kShow) {
    auto taken = snapshot();
    if (!taken.ok()) return error_document(taken.error());
    policies_.follow(taken->peers, now);
    return policy_document({*taken, policies_.get(), config_.enforce,
                            modes_in_force(maps_, identities_, taken->peers, now), now});
  }
  auto plan = set_policy(request, now);
  if (!plan.ok()) return error_document(plan.error());
  return policy_answer(*plan, topology_, now);
}

Result<PolicyPlan> Node::set_policy(const PolicyRequest& request, const Moment& now) {
  EP_ASSIGN(taken, snapshot());
  EP_ASSIGN(flows, counters_.flows(maps_, identities_));
  EP_ASSIGN(plan, plan_policy(request, policies_.get(), {taken.peers, flows, mesh_.get()}, now,
                              std::chrono::minutes(config_.enforce.audit_minutes)));
  if (!plan.refused.empty()) return plan;
  if (auto saved = policies_.take(plan, lowers(request)); !saved.ok()) {
    if (!lowers(request)) return std::move(saved).error();
    plan.notes.push_back("in force but not saved, so it is lost at a restart: " +
                         saved.error().message);
  }
  follow_topology();
  // The modes may be as before and a deadline not.
  EP_TRY(follow_policies());
  evaluate();
  for (const auto& name : plan.changed) {
    const auto* peer = topology_.find(name);
    if (peer == nullptr) continue;
    spdlog::info("{}: mode {} by {}", name, to_string(peer->mode), to_string(peer->mode_from));
    if (identities_.peer(name) == 0)
      plan.notes.push_back(name + ": has no counters and no mode in force (raise max_peers)");
  }
  return plan;
}

std::vector<std::string> Node::unattached() const {
  std::vector<std::string> lines;
  for (const auto& device : attachments_.status())
    if (!device.receive_attached ||
        (!device.transmit_attached && device.role != DeviceRole::kReentry))
      lines.push_back(fmt::format("{}: not attached: {}", device.name, device.why));
  return lines;
}

}  // namespace espial
