// SPDX-License-Identifier: Apache-2.0
#include "model/alarms/alarm_messages.h"

#include <map>
#include <utility>

namespace espial {
namespace {

using Kind = std::pair<std::string, AlarmState>;

AlarmMessage message_of(const Alarm& alarm) {
  AlarmMessage out{{}, alarm.name, alarm.severity, alarm.state, alarm.peer, alarm.evidence, 1};
  out.text = "alarm " + alarm.name + " " + std::string(to_string(alarm.state)) +
             (alarm.peer.empty() ? "" : " for " + alarm.peer) + ": " + alarm.evidence;
  return out;
}

AlarmMessage flood_of(const std::vector<const Alarm*>& alarms) {
  const Alarm& first = *alarms.front();
  AlarmMessage out{{}, first.name, first.severity, first.state, {}, {}, alarms.size()};
  out.evidence = std::to_string(alarms.size()) + " peers: ";
  for (std::size_t i = 0; i < kNamedPeers; ++i)
    out.evidence += (i == 0 ? "" : ", ") + alarms[i]->peer;
  out.evidence += " and " + std::to_string(alarms.size() - kNamedPeers) + " more";
  out.text = "alarm " + first.name + " " + std::string(to_string(first.state)) + " for " +
             out.evidence + " (espial alarms shows each)";
  return out;
}

}  // namespace

std::vector<AlarmMessage> messages_of(const std::vector<Alarm>& changes) {
  std::map<Kind, std::vector<const Alarm*>> kinds;
  for (const Alarm& alarm : changes)
    if (!alarm.peer.empty()) kinds[{alarm.name, alarm.state}].push_back(&alarm);
  std::vector<AlarmMessage> out;
  for (const Alarm& alarm : changes) {
    const auto kind = kinds.find({alarm.name, alarm.state});
    if (alarm.peer.empty() || kind->second.size() <= kFloodPeers)
      out.push_back(message_of(alarm));
    else if (kind->second.front() == &alarm)
      out.push_back(flood_of(kind->second));
  }
  return out;
}

}  // namespace espial
