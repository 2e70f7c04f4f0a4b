// SPDX-License-Identifier: Apache-2.0
#include "daemon/alarms/alarm_log.h"

#include <spdlog/spdlog.h>

#include "base/printable.h"
#include "model/alarms/alarms.h"

namespace espial {
namespace {

constexpr const char* kFiringId = "93544fc4f6f748d0b2a89dd5fd26bff7";
constexpr const char* kResolvedId = "bbb1d114f05e43b0b10164f25d9aac1d";

// syslog(3)'s.
const char* priority_of(const AlarmMessage& message) {
  if (message.state != AlarmState::kFiring) return "6";
  switch (message.severity) {
    case Severity::kCritical:
      return "2";
    case Severity::kWarning:
      return "4";
    case Severity::kInfo:
      return "6";
  }
  return "6";
}

spdlog::level::level_enum level_of(const AlarmMessage& message) {
  return message.state == AlarmState::kFiring && message.severity != Severity::kInfo
             ? spdlog::level::warn
             : spdlog::level::info;
}

}  // namespace

Journal::Fields journal_fields(const AlarmMessage& message) {
  Journal::Fields fields{
      {"MESSAGE", printable(message.text)},
      {"MESSAGE_ID", message.state == AlarmState::kFiring ? kFiringId : kResolvedId},
      {"PRIORITY", priority_of(message)},
      {"ESPIAL_ALARM", message.alarm},
      {"ESPIAL_STATE", std::string(to_string(message.state))},
      {"ESPIAL_SEVERITY", std::string(to_string(message.severity))},
      {"ESPIAL_EVIDENCE", message.evidence},
      {"ESPIAL_RUNBOOK", runbook_of(message.alarm)}};
  if (!message.peer.empty()) fields.emplace_back("ESPIAL_PEER", message.peer);
  return fields;
}

void AlarmLog::write(const std::vector<Alarm>& changes) {
  for (const AlarmMessage& message : messages_of(changes)) {
    counts_.collapsed += message.changes - 1;
    if (journal_ == nullptr) spdlog::log(level_of(message), "{}", message.text);
    if (journal_ == nullptr || journal_->send(journal_fields(message)))
      ++counts_.told;
    else
      ++counts_.lost;
  }
}

}  // namespace espial
