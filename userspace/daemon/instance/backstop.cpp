// SPDX-License-Identifier: Apache-2.0
#include "daemon/instance/backstop.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "sources/netlink/xfrm_block.h"

namespace espial {
namespace {

using std::chrono::seconds;

constexpr seconds kDeadlineSlack{2};  // the kernel counts whole seconds

// Until the deadline, rounded up: the programs may fall back first, never the policies.
std::optional<seconds> left_until(const std::optional<MonoTime>& until, const Moment& now) {
  if (!until) return std::nullopt;
  return std::chrono::ceil<seconds>(*until - now.monotonic);
}

bool lasts(const PlacedXfrmBlock& placed, const std::optional<seconds>& left, const Moment& now) {
  if (placed.expires.has_value() != left.has_value()) return false;
  if (!left) return true;
  const auto wall = std::chrono::duration_cast<seconds>(now.wall.time_since_epoch());
  const auto difference = *placed.expires - wall - *left;
  return difference <= kDeadlineSlack && difference >= -kDeadlineSlack;
}

using Placed = std::map<XfrmBlockSelector, PlacedXfrmBlock>;

// Wanted ones first, so that nothing is open in between; `placed` keeps what nobody wants.
void place(XfrmBlock& kernel, const XfrmBlockPlan& plan, const Moment& now, Follow follow,
           Placed& placed, XfrmBlockSnapshot& out) {
  for (const auto& policy : plan.policies) {
    const auto left = left_until(policy.until, now);
    const auto it = placed.find(policy.selector);
    const bool there = it != placed.end();
    const bool right = there && lasts(it->second, left, now);
    if (there) placed.erase(it);
    if (right || follow == Follow::kLook || (follow == Follow::kRemove && !there)) {
      out.in_place += there;
      continue;
    }
    if (auto status = kernel.put(policy.selector, left); status.ok())
      ++out.in_place;
    else if (out.why.empty())
      out.why = status.error().message;
  }
}

Status compare(const Config& config, const XfrmBlockPlan& plan, const Moment& now, Follow follow,
               XfrmBlockSnapshot& out) {
  EP_ASSIGN(kernel, XfrmBlock::open(config.instance));
  EP_ASSIGN(list, kernel.read());
  Placed placed;
  for (auto& policy : list) placed.emplace(policy.selector, policy);
  place(kernel, plan, now, follow, placed, out);
  if (follow == Follow::kLook) return Ok{};
  for (const auto& [selector, policy] : placed)
    if (auto status = kernel.remove(selector); !status.ok() && out.why.empty())
      out.why = status.error().message;
  return Ok{};
}

}  // namespace

XfrmBlockSnapshot follow_plan(const Config& config, const XfrmBlockPlan& plan, const Moment& now,
                              Follow follow) {
  XfrmBlockSnapshot out{.enabled = config.enforce.xfrm_block,
                        .wanted = plan.policies.size(),
                        .in_place = 0,
                        .why = {},
                        .without = plan.without};
  const auto status = compare(config, plan, now, follow, out);
  // Without XFRM there is nothing that could have been left over.
  if (!status.ok() && out.why.empty() && out.enabled) out.why = status.error().message;
  return out;
}

Result<std::size_t> remove_backstop(std::string_view instance) {
  auto kernel = XfrmBlock::open(instance);
  if (!kernel.ok()) return std::size_t{0};
  EP_ASSIGN(placed, kernel->read());
  for (const auto& policy : placed) EP_TRY(kernel->remove(policy.selector));
  return placed.size();
}

void Backstop::follow(const Config& config, const Topology& topology, const KernelFacts& facts,
                      const Policies& policies, const Moment& now) {
  auto plan = plan_xfrm_block(config.enforce, topology, facts, policies, now);
  const auto same = [](const XfrmBlockPolicy& a, const XfrmBlockPolicy& b) {
    return a.selector == b.selector && a.until == b.until;
  };
  const bool changed = !std::equal(plan.policies.begin(), plan.policies.end(),
                                   plan_.policies.begin(), plan_.policies.end(), same) ||
                       plan.without != plan_.without;
  const bool enabled = config.enforce.xfrm_block;
  // Ours are removed once; whether somebody else changes policies is no matter while it is off.
  const bool idle = !enabled && !snapshot_.enabled && plan_.policies.empty() && looked_;
  if (idle || (trusted_ && !changed && enabled == snapshot_.enabled)) return;
  auto next = follow_plan(config, plan, now, Follow::kWhole);
  trusted_ = looked_ = next.in_place == next.wanted && next.why.empty();
  if (!next.why.empty() && next.why != snapshot_.why)
    spdlog::warn("xfrm_block: {} of {} policies in place: {}; the BPF programs enforce regardless",
                 next.in_place, next.wanted, next.why);
  if (next.in_place != snapshot_.in_place)
    spdlog::info("xfrm_block: {} of {} policies in place", next.in_place, next.wanted);
  for (const auto& left_out : next.without)
    if (std::find(snapshot_.without.begin(), snapshot_.without.end(), left_out) ==
        snapshot_.without.end())
      spdlog::warn("xfrm_block: {}: none for {}", left_out.peer, left_out.why);
  plan_ = std::move(plan);
  snapshot_ = std::move(next);
}

}  // namespace espial
