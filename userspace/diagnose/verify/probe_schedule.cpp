// SPDX-License-Identifier: Apache-2.0
#include "diagnose/verify/probe_schedule.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace espial {
namespace {

using std::chrono::nanoseconds;

// splitmix64: even, and the same everywhere.
std::uint64_t mixed(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15u;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

struct Order {
  std::vector<std::size_t> probes;
  std::size_t largest_group = 0;
};

// The probes of one group as far from each other as a round allows.
Order spread(const std::vector<std::size_t>& groups) {
  std::unordered_map<std::size_t, std::size_t> sizes;
  for (const auto group : groups) ++sizes[group];
  std::unordered_map<std::size_t, std::size_t> turns;
  std::unordered_map<std::size_t, std::size_t> numbers;  // of groups, as they come
  std::vector<double> phase;
  for (const auto group : groups) {
    const auto number = numbers.emplace(group, numbers.size()).first->second;
    const auto shift = static_cast<double>(number) / static_cast<double>(sizes.size());
    phase.push_back((static_cast<double>(turns[group]++) + shift) /
                    static_cast<double>(sizes[group]));
  }
  Order out;
  out.probes.resize(groups.size());
  std::iota(out.probes.begin(), out.probes.end(), std::size_t{0});
  std::stable_sort(out.probes.begin(), out.probes.end(),
                   [&](std::size_t one, std::size_t other) { return phase[one] < phase[other]; });
  for (const auto& [group, size] : sizes) out.largest_group = std::max(out.largest_group, size);
  return out;
}

}  // namespace

nanoseconds ProbeSchedule::gap() const {
  return nanoseconds{std::chrono::seconds{1}} / pace_.per_second;
}

nanoseconds ProbeSchedule::round() const {
  return slot_ * static_cast<std::int64_t>(order_.size());
}

// Jitter is a quarter of a slot at most, and leaves the gap to the next.
ProbeSchedule::Time ProbeSchedule::due_at(std::size_t rank) const {
  const auto room = std::max(nanoseconds{0}, std::min(slot_ - gap(), slot_ / 4));
  const auto shift = mixed(mixed(seed_ + rounds_) + rank) % 1024;
  return start_ + slot_ * static_cast<std::int64_t>(rank) +
         room * static_cast<std::int64_t>(shift) / 1024;
}

void ProbeSchedule::plan(std::vector<std::size_t> groups, const ProbePace& pace, Time now) {
  if (groups == groups_ && pace == pace_) return;
  const bool first = order_.empty();
  const double passed = first ? 0 : static_cast<double>(rank_) / static_cast<double>(order_.size());
  const Time next = first ? now : start_ + slot_ * static_cast<std::int64_t>(rank_);
  groups_ = std::move(groups);
  pace_ = pace;
  waiting_.clear();
  waits_.assign(groups_.size(), false);
  order_.clear();
  wake_ = Time::max();
  if (pace_.interval.count() == 0 || groups_.empty()) return;
  auto order = spread(groups_);
  order_ = std::move(order.probes);
  const auto count = static_cast<std::int64_t>(order_.size());
  // Half as much again, for the jitter of those that follow each other.
  const auto patient = pace_.patience * static_cast<std::int64_t>(order.largest_group) * 3 / 2;
  slot_ = std::max({pace_.interval, gap() * count, patient}) / count;
  rank_ =
      std::min(static_cast<std::size_t>(passed * static_cast<double>(count)), order_.size() - 1);
  start_ = std::min(next, now + slot_) - slot_ * static_cast<std::int64_t>(rank_);
  wake_ = due_at(rank_);
}

// Moves what has become due by now to those that wait, each at most once: after a standstill no
// more is made up for.
void ProbeSchedule::collect(Time now) {
  while (due_at(rank_) <= now) {
    const auto probe = order_[rank_];
    if (!waits_[probe]) {
      waits_[probe] = true;
      waiting_.push_back(probe);
    }
    if (++rank_ < order_.size()) continue;
    rank_ = 0;
    ++rounds_;
    start_ += round();
  }
}

std::optional<std::size_t> ProbeSchedule::take(Time now, const IsOut& is_out) {
  if (order_.empty()) return std::nullopt;
  collect(now);
  wake_ = due_at(rank_);
  const auto free = std::find_if(waiting_.begin(), waiting_.end(),
                                 [&](std::size_t probe) { return !is_out(groups_[probe]); });
  if (free == waiting_.end()) return std::nullopt;
  if (sent_ && now - *sent_ < gap()) {
    wake_ = std::min(wake_, *sent_ + gap());
    return std::nullopt;
  }
  const auto probe = *free;
  waiting_.erase(free);
  waits_[probe] = false;
  sent_ = now;
  return probe;
}

}  // namespace espial
