// SPDX-License-Identifier: Apache-2.0
#include "model/alarms/alarm_engine.h"

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

// What flapping adds to the evidence.
std::string flapping_text(std::size_t changes) {
  return "; flapping: " + std::string(changes < AlarmEngine::kMaxChanges ? "" : "at least ") +
         std::to_string(changes) + " changes in " +
         std::to_string(AlarmEngine::kFlapWindow.count()) + " min";
}

std::optional<AlarmId> id_of(std::string_view name) {
  for (std::size_t i = 0; i < kAlarmRules.size(); ++i)
    if (kAlarmRules[i].name == name) return static_cast<AlarmId>(i);
  return std::nullopt;
}

}  // namespace

Alarm AlarmEngine::shown(const Tracked& tracked) {
  Alarm out = tracked.alarm;
  if (tracked.flapping) out.evidence += flapping_text(tracked.changes.size());
  return out;
}

void AlarmEngine::enter(Tracked& tracked, AlarmState state, const Now& now) {
  tracked.alarm.state = state;
  tracked.alarm.since = now.time;
  tracked.since = now.monotonic;
  ++revision_;
}

// The condition has begun or ended for good. True: report it.
bool AlarmEngine::change(Tracked& tracked, const Now& now) {
  tracked.before.reset();
  tracked.changes.push_back(now.monotonic);
  if (tracked.changes.size() > kMaxChanges) tracked.changes.pop_front();
  ++revision_;
  const bool began_to_flap = !tracked.flapping && tracked.changes.size() > kFlapChanges;
  if (began_to_flap) tracked.flapping = true;
  if (!tracked.flapping) {
    enter(tracked, tracked.raised ? AlarmState::kFiring : AlarmState::kResolved, now);
    return true;
  }
  if (tracked.alarm.state == AlarmState::kFiring) return began_to_flap;
  enter(tracked, AlarmState::kFiring, now);
  return true;
}

// The end of flapping. True: report it.
bool AlarmEngine::calm_down(Tracked& tracked, const Now& now) {
  if (!tracked.flapping || tracked.differs) return false;
  if (!tracked.changes.empty() && now.monotonic - tracked.changes.back() < kFlapQuiet) return false;
  tracked.flapping = false;
  ++revision_;
  if (tracked.raised) return false;
  enter(tracked, AlarmState::kResolved, now);
  return true;
}

// Pending while a condition waits its hold-off, and what it was before when it did not last.
// False: there is nothing left.
bool AlarmEngine::wait(Tracked& tracked, bool holds, const Now& now) {
  Alarm& alarm = tracked.alarm;
  if (tracked.raised || tracked.flapping) return true;
  if (holds && alarm.state != AlarmState::kPending) {
    tracked.before.emplace(alarm, tracked.since);
    enter(tracked, AlarmState::kPending, now);
  } else if (!holds && alarm.state == AlarmState::kPending) {
    ++revision_;
    if (!tracked.before) return false;
    std::tie(alarm, tracked.since) = *tracked.before;
    tracked.before.reset();
  }
  return true;
}

bool AlarmEngine::advance(const AlarmRule& rule, Tracked& tracked, bool holds, const Now& now) {
  while (!tracked.changes.empty() && now.monotonic - tracked.changes.front() >= kFlapWindow)
    tracked.changes.pop_front();
  if (holds) tracked.restored = false;
  if (holds == tracked.raised) {
    tracked.differs.reset();
    return calm_down(tracked, now);
  }
  if (!tracked.differs) tracked.differs = now.monotonic;
  std::chrono::seconds limit = tracked.raised ? rule.clear_after : rule.hold_off;
  if (tracked.restored) limit = std::max(limit, kSettle);
  if (now.monotonic - *tracked.differs < limit) return false;
  tracked.raised = holds;
  tracked.differs.reset();
  return change(tracked, now);
}

bool AlarmEngine::expired(const Tracked& tracked, const Now& now) const {
  return tracked.alarm.state == AlarmState::kResolved &&
         now.monotonic - tracked.since >= kKeepResolved;
}

std::vector<Alarm> AlarmEngine::step(const std::vector<AlarmCondition>& conditions, WallTime time,
                                     MonoTime monotonic) {
  const Now now{time, monotonic};
  std::map<Key, const AlarmCondition*> active;
  for (const AlarmCondition& condition : conditions) {
    Key key{condition.id, condition.peer};
    if (!active.emplace(key, &condition).second) continue;
    auto [it, fresh] = tracked_.try_emplace(std::move(key));
    if (!fresh) continue;
    const AlarmRule& rule = rule_of(condition.id);
    it->second.alarm.name = rule.name;
    it->second.alarm.severity = rule.severity;
    it->second.alarm.peer = condition.peer;
    enter(it->second, AlarmState::kPending, now);
  }

  std::vector<Alarm> changes;
  for (auto it = tracked_.begin(); it != tracked_.end();) {
    Tracked& tracked = it->second;
    const auto condition = active.find(it->first);
    const bool holds = condition != active.end();
    const bool changed = advance(rule_of(it->first.first), tracked, holds, now);
    const bool left = wait(tracked, holds, now);
    if (holds) tracked.alarm.evidence = condition->second->evidence;
    if (changed) {
      changes.push_back(shown(tracked));
      changes.back().since = time;  // of the change: what begins to flap fires since earlier
    }
    if (left && !expired(tracked, now)) {
      ++it;
    } else {
      it = tracked_.erase(it);
      ++revision_;
    }
  }

  history_.insert(history_.end(), changes.begin(), changes.end());
  for (; history_.size() > kMaxHistory; ++forgotten_) history_.pop_front();
  return changes;
}

std::vector<Alarm> AlarmEngine::alarms() const {
  std::vector<Alarm> out;
  out.reserve(tracked_.size());
  for (const auto& [key, tracked] : tracked_) out.push_back(shown(tracked));
  std::stable_sort(out.begin(), out.end(), [](const Alarm& a, const Alarm& b) {
    return std::tuple(rank(a.state), -static_cast<int>(a.severity)) <
           std::tuple(rank(b.state), -static_cast<int>(b.severity));
  });
  return out;
}

bool AlarmEngine::waiting() const {
  return std::any_of(tracked_.begin(), tracked_.end(), [](const auto& item) {
    return item.second.alarm.state == AlarmState::kPending;
  });
}

AlarmMemory AlarmEngine::memory(MonoTime now) const {
  AlarmMemory out;
  for (const auto& [key, tracked] : tracked_) {
    AlarmMemory::Entry entry{
        tracked.alarm, now - tracked.since, tracked.raised, tracked.flapping, {}};
    for (const MonoTime at : tracked.changes) entry.changes.push_back(now - at);
    out.entries.push_back(std::move(entry));
  }
  out.history.assign(history_.begin(), history_.end());
  out.forgotten = forgotten_;
  return out;
}

void AlarmEngine::restore(const AlarmMemory& memory, std::chrono::nanoseconds gap, MonoTime now) {
  const auto moment = [&](AlarmMemory::Age age) {
    return now - std::chrono::duration_cast<MonoTime::duration>(gap + age);
  };
  for (const AlarmMemory::Entry& entry : memory.entries) {
    const auto id = id_of(entry.alarm.name);
    const bool pending = entry.alarm.state == AlarmState::kPending;
    if (!id || (pending && gap > kMaxPendingGap)) continue;
    Tracked tracked;
    tracked.alarm = entry.alarm;
    tracked.alarm.severity = rule_of(*id).severity;
    tracked.since = moment(entry.age);
    tracked.raised = entry.raised;
    tracked.flapping = entry.flapping;
    tracked.restored = true;
    if (pending) tracked.differs = tracked.since;
    for (const auto age : entry.changes) tracked.changes.push_back(moment(age));
    tracked_.insert_or_assign(Key{*id, entry.alarm.peer}, std::move(tracked));
  }
  history_.assign(memory.history.begin(), memory.history.end());
  forgotten_ = memory.forgotten;
  for (; history_.size() > kMaxHistory; ++forgotten_) history_.pop_front();
}

}  // namespace espial
