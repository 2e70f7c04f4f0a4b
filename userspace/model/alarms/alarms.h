// SPDX-License-Identifier: Apache-2.0
// What alarms there are, and the conditions that raise them: pure functions over snapshots.
// Decisions read counters and states, never events.
//
// An alarm about traffic lasts as long as the window holds such traffic, so it resolves once the
// window is quiet; an alarm about a state (a detached program, a rejected configuration) resolves
// with the state. Candidate peers never alarm. alarm_engine.h steps the alarms.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "model/report.h"
#include "model/traffic/window.h"

namespace espial {

// What enforcement drops does not leak, so that is a warning: somebody is cut off, or attacks. What
// it would drop is the measure of audit; that it passed in clear has an alarm of its own.
//
// X(Name, severity, hold-off in seconds, clear-after in seconds, per peer): every alarm this engine
// can raise. Name is the label, too. Behind traffic stands the window, and behind errors that grow
// a shorter one: their end is sure when it comes.
#define EP_ALARM_LIST(X)                           \
  X(CleartextTraffic, kCritical, 0, 0, true)       \
  X(CleartextHost, kWarning, 0, 0, true)           \
  X(CleartextTransit, kCritical, 0, 0, true)       \
  X(ForeignEsp, kCritical, 0, 0, true)             \
  X(SpoofedInner, kCritical, 0, 0, true)           \
  X(EnforcementDropping, kWarning, 0, 0, true)     \
  X(WouldDrop, kInfo, 0, 0, true)                  \
  X(ForwardDrops, kWarning, 2, 0, true)            \
  X(PolicyMissing, kCritical, 2, 3, true)          \
  X(TunnelDown, kWarning, 10, 5, true)             \
  X(OneWayEncryption, kWarning, 5, 5, true)        \
  X(NullEncryption, kCritical, 0, 3, true)         \
  X(CoverageBelowTarget, kWarning, 300, 60, true)  \
  X(ProbeFailed, kWarning, 0, 0, true)             \
  X(MtuBlackhole, kWarning, 0, 0, true)            \
  X(SequenceNearlyExhausted, kWarning, 0, 3, true) \
  X(UnknownSpi, kWarning, 5, 10, true)             \
  X(XfrmErrors, kWarning, 10, 10, false)           \
  X(UnknownNode, kWarning, 10, 0, false)           \
  X(ProgramDetached, kCritical, 2, 3, false)       \
  X(XdpUnavailable, kWarning, 2, 3, false)         \
  X(ConfigRejected, kWarning, 0, 0, false)         \
  X(EventsLost, kWarning, 10, 0, false)

#define EP_X_(name, ...) name,
enum class AlarmId : std::uint8_t { EP_ALARM_LIST(EP_X_) };
#undef EP_X_

// What is known of an alarm before it is ever raised.
struct AlarmRule {
  std::string_view name;
  Severity severity;
  std::chrono::seconds hold_off;     // how long the condition must last before the alarm fires
  std::chrono::seconds clear_after;  // how long it must be gone before the alarm is resolved
  bool per_peer;                     // else of the node: peer is empty
};
#define EP_X_(name, level, hold, clear, peer) \
  AlarmRule{#name, Severity::level, std::chrono::seconds{hold}, std::chrono::seconds{clear}, peer},
inline constexpr std::array<AlarmRule, 0 EP_ALARM_LIST(EP_ENUM_COUNT_)> kAlarmRules = {
    {EP_ALARM_LIST(EP_X_)}};
#undef EP_X_
constexpr const AlarmRule& rule_of(AlarmId id) { return kAlarmRules[static_cast<std::size_t>(id)]; }

// Where the page of an alarm is installed: what it means, where to look, how to fix it.
inline constexpr std::string_view kRunbooks = "/usr/share/espial/runbooks/";
std::string runbook_of(std::string_view alarm);

// A condition that holds now; evidence in numbers, one line.
struct AlarmCondition {
  AlarmId id = AlarmId::CleartextTraffic;
  std::string peer;
  std::string evidence;
};

// Every condition that holds in this snapshot and window.
std::vector<AlarmCondition> alarm_conditions(const Snapshot& snapshot, const NodeWindow& window);

}  // namespace espial
