// SPDX-License-Identifier: Apache-2.0
#include "daemon/instance/backstop.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "sources/netlink/backstop_socket.h"

namespace espial {
namespace {

using std::chrono::seconds;

constexpr seconds kDeadlineSlack{2};  // the kernel counts whole seconds

// Until the deadline, rounded up: the programs may stop enforcing first, the policies never.
std::optional<seconds> left_until(const std::optional<MonoTime>& until, const Moment& now) {
  if (!until) return std::nullopt;
  return std::chrono::ceil<seconds>(*until - now.monotonic);
}

bool lasts(const PlacedBackstop& placed, const std::optional<seconds>& left, const Moment& now) {
  if (placed.expires.has_value() != left.has_value()) return false;
  if (!left) return true;
  const auto wall = std::chrono::duration_cast<seconds>(now.wall.time_since_epoch());
  const auto difference = *placed.expires - wall - *left;
  return difference <= kDeadlineSlack && difference >= -kDeadlineSlack;
}

using Placed = std::map<BackstopSelector, PlacedBackstop>;

// Places wanted policies first, so that there is no gap; what is left in `placed` is unwanted.
void place(BackstopSocket& kernel, const BackstopPlan& plan, const Moment& now, Follow follow,
           Placed& placed, BackstopSnapshot& out) {
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

Status compare(const Config& config, const BackstopPlan& plan, const Moment& now, Follow follow,
               BackstopSnapshot& out) {
  EP_ASSIGN(kernel, BackstopSocket::open(config.instance));
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

BackstopSnapshot follow_plan(const Config& config, const BackstopPlan& plan, const Moment& now,
                             Follow follow) {
  BackstopSnapshot out{.enabled = config.enforce.backstop,
                       .wanted = plan.policies.size(),
                       .in_place = 0,
                       .why = {},
                       .without = plan.without};
  const auto status = compare(config, plan, now, follow, out);
  // Without XFRM in the kernel there is nothing to remove.
  if (!status.ok() && out.why.empty() && out.enabled) out.why = status.error().message;
  return out;
}

Result<std::size_t> remove_backstop(std::string_view instance) {
  auto kernel = BackstopSocket::open(instance);
  if (!kernel.ok()) return std::size_t{0};
  EP_ASSIGN(placed, kernel->read());
  for (const auto& policy : placed) EP_TRY(kernel->remove(policy.selector));
  return placed.size();
}

void Backstop::follow(const Config& config, const Topology& topology, const KernelFacts& facts,
                      const PeerModes& modes, const Moment& now) {
  auto plan = plan_backstop(config.enforce, topology, facts, modes, now);
  const auto same = [](const BackstopPolicy& a, const BackstopPolicy& b) {
    return a.selector == b.selector && a.until == b.until;
  };
  const bool changed = !std::equal(plan.policies.begin(), plan.policies.end(),
                                   plan_.policies.begin(), plan_.policies.end(), same) ||
                       plan.without != plan_.without;
  const bool enabled = config.enforce.backstop;
  // Ours are removed once; while it is off, changes of other policies do not matter.
  const bool idle = !enabled && !snapshot_.enabled && plan_.policies.empty() && looked_;
  if (idle || (trusted_ && !changed && enabled == snapshot_.enabled)) return;
  auto next = follow_plan(config, plan, now, Follow::kWhole);
  trusted_ = looked_ = next.in_place == next.wanted && next.why.empty();
  if (!next.why.empty() && next.why != snapshot_.why)
    spdlog::warn("backstop: {} of {} policies in place: {}; the BPF programs enforce regardless",
                 next.in_place, next.wanted, next.why);
  if (next.in_place != snapshot_.in_place)
    spdlog::info("backstop: {} of {} policies in place", next.in_place, next.wanted);
  for (const auto& left_out : next.without)
    if (std::find(snapshot_.without.begin(), snapshot_.without.end(), left_out) ==
        snapshot_.without.end())
      spdlog::warn("backstop: {}: none for {}", left_out.peer, left_out.why);
  plan_ = std::move(plan);
  snapshot_ = std::move(next);
}

}  // namespace espial
