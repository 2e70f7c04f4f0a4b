// SPDX-License-Identifier: Apache-2.0
#include "model/alarms.h"

#include <algorithm>
#include <tuple>

namespace espial {

namespace {

int rank(AlarmState state) {
  switch (state) {
    case AlarmState::kFiring:
      return 0;
    case AlarmState::kPending:
      return 1;
    case AlarmState::kResolved:
      return 2;
  }
  return 3;
}

}  // namespace

void AlarmEngine::enter(Tracked& tracked, AlarmState state, WallTime time, MonoTime monotonic) {
  tracked.alarm.state = state;
  tracked.alarm.since = time;
  tracked.since = monotonic;
}

bool AlarmEngine::hold(const Key& key, const AlarmCondition& condition, WallTime time,
                       MonoTime monotonic) {
  const AlarmRule& rule = rule_of(key.first);
  auto [it, fresh] = tracked_.try_emplace(key);
  Tracked& tracked = it->second;
  if (fresh) {
    tracked.alarm.name = rule.name;
    tracked.alarm.severity = rule.severity;
    tracked.alarm.peer = condition.peer;
  }
  if (fresh || tracked.alarm.state == AlarmState::kResolved)
    enter(tracked, AlarmState::kPending, time, monotonic);
  tracked.alarm.evidence = condition.evidence;
  if (tracked.alarm.state != AlarmState::kPending || monotonic - tracked.since < rule.hold_off)
    return false;
  enter(tracked, AlarmState::kFiring, time, monotonic);
  return true;
}

std::vector<Alarm> AlarmEngine::step(const std::vector<AlarmCondition>& conditions, WallTime time,
                                     MonoTime monotonic) {
  std::map<Key, const AlarmCondition*> active;
  for (const AlarmCondition& condition : conditions)
    active.emplace(Key{condition.id, condition.peer}, &condition);

  std::map<Key, Alarm> changes;
  for (const auto& [key, condition] : active)
    if (hold(key, *condition, time, monotonic)) changes.emplace(key, tracked_.at(key).alarm);

  for (auto it = tracked_.begin(); it != tracked_.end();) {
    if (active.count(it->first) != 0) {
      ++it;
    } else if (it->second.alarm.state == AlarmState::kFiring) {
      enter(it->second, AlarmState::kResolved, time, monotonic);
      changes.emplace(it->first, it->second.alarm);
      ++it;
    } else if (it->second.alarm.state == AlarmState::kPending ||
               monotonic - it->second.since >= kKeepResolved) {
      it = tracked_.erase(it);
    } else {
      ++it;
    }
  }

  std::vector<Alarm> out;
  out.reserve(changes.size());
  for (auto& [key, alarm] : changes) out.push_back(std::move(alarm));
  return out;
}

std::vector<Alarm> AlarmEngine::alarms() const {
  std::vector<Alarm> out;
  out.reserve(tracked_.size());
  for (const auto& [key, tracked] : tracked_) out.push_back(tracked.alarm);
  std::stable_sort(out.begin(), out.end(), [](const Alarm& a, const Alarm& b) {
    return std::tuple(rank(a.state), -static_cast<int>(a.severity)) <
           std::tuple(rank(b.state), -static_cast<int>(b.severity));
  });
  return out;
}

}  // namespace espial
