// SPDX-License-Identifier: Apache-2.0
#include "exporter/notify/alert.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace espial {
namespace {

constexpr std::size_t kNamed = 10;  // peers that a collapsed alert names

Alert alert_of(const Alarm& alarm) {
  return {{alarm.name, alarm.peer, false}, alarm.severity, alarm.since, {}, alarm.evidence};
}

// first..last: alarms of one name, the oldest first.
Alert collapse(const Alarm* const* first, const Alarm* const* last) {
  Alert out{{(*first)->name, "", true}, (*first)->severity, (*first)->since, {}, ""};
  const auto count = static_cast<std::size_t>(last - first);
  out.evidence = std::to_string(count) + " more:";
  for (const auto* one = first; one != last && one != first + kNamed; ++one)
    out.evidence.append(one == first ? " " : ", ")
        .append((*one)->peer.empty() ? "the node" : (*one)->peer);
  if (count > kNamed) out.evidence += " and " + std::to_string(count - kNamed) + " others";
  for (const auto* one = first; one != last; ++one)
    out.severity = std::max(out.severity, (*one)->severity);
  return out;
}

}  // namespace

AlertList alerts_of(const std::vector<Alarm>& alarms, std::size_t collapse_above, WallTime time) {
  std::map<std::string, std::vector<const Alarm*>> by_name;
  for (const auto& alarm : alarms)
    if (alarm.state == AlarmState::kFiring) by_name[alarm.name].push_back(&alarm);
  AlertList out;
  out.time = time;
  for (auto& [name, list] : by_name) {
    std::sort(list.begin(), list.end(), [](const Alarm* a, const Alarm* b) {
      return std::tie(a->since, a->peer) < std::tie(b->since, b->peer);
    });
    const auto own = std::min(list.size(), collapse_above);
    for (std::size_t i = 0; i < own; ++i) out.firing.push_back(alert_of(*list[i]));
    for (std::size_t i = own; i < list.size(); ++i) out.collapsed.emplace(name, list[i]->peer);
    if (own < list.size())
      out.firing.push_back(collapse(list.data() + own, list.data() + list.size()));
  }
  std::sort(out.firing.begin(), out.firing.end(),
            [](const Alert& a, const Alert& b) { return a.key < b.key; });
  return out;
}

std::vector<Alert> transitions(const AlertList& before, const AlertList& now) {
  const auto precedes = [](const Alert& a, const Alert& b) { return a.key < b.key; };
  std::vector<Alert> out;
  std::set_difference(before.firing.begin(), before.firing.end(), now.firing.begin(),
                      now.firing.end(), std::back_inserter(out), precedes);
  for (auto& alert : out) alert.ended = now.time;
  std::set_difference(now.firing.begin(), now.firing.end(), before.firing.begin(),
                      before.firing.end(), std::back_inserter(out), precedes);
  return out;
}

}  // namespace espial
