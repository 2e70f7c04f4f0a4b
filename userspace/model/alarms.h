// SPDX-License-Identifier: Apache-2.0
// Alarms: a pure step function over reports. Decisions read counters, never events.
//
// An alarm about traffic lasts as long as the window holds such traffic, so it resolves once the
// window is quiet; an alarm about a state (a detached program, a rejected configuration) resolves
// with the state. Candidate peers never alarm. Time comes from the snapshot: durations from
// Snapshot::monotonic, Alarm::since from Snapshot::time. Not thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/report.h"
#include "model/window.h"
#include "model/xfrm_errors.h"

namespace espial {

// What enforcement drops does not leak, so that is a warning: somebody is cut off, or attacks. What
// it would drop is the measure of audit; that it passed in clear has an alarm of its own.
//
// X(Name, severity, hold-off in seconds, per peer): every alarm this engine can raise. Name is the
// label, too.
#define EP_ALARM_LIST(X)                        \
  X(CleartextTraffic, kCritical, 0, true)       \
  X(CleartextHost, kWarning, 0, true)           \
  X(CleartextTransit, kCritical, 0, true)       \
  X(SpoofedInner, kCritical, 0, true)           \
  X(EnforcementDropping, kWarning, 0, true)     \
  X(WouldDrop, kInfo, 0, true)                  \
  X(ForwardDrops, kWarning, 2, true)            \
  X(PolicyMissing, kCritical, 2, true)          \
  X(TunnelDown, kWarning, 10, true)             \
  X(OneWayEncryption, kWarning, 5, true)        \
  X(NullEncryption, kCritical, 0, true)         \
  X(SequenceNearlyExhausted, kWarning, 0, true) \
  X(UnknownSpi, kWarning, 5, true)              \
  X(XfrmErrors, kWarning, 10, false)            \
  X(UnknownNode, kWarning, 10, false)           \
  X(ProgramDetached, kCritical, 2, false)       \
  X(XdpUnavailable, kWarning, 2, false)         \
  X(ConfigRejected, kWarning, 0, false)         \
  X(EventsLost, kWarning, 10, false)

#define EP_X_(name, ...) name,
enum class AlarmId : std::uint8_t { EP_ALARM_LIST(EP_X_) };
#undef EP_X_

// What is known of an alarm before it is ever raised.
struct AlarmRule {
  std::string_view name;
  Severity severity;
  std::chrono::seconds hold_off;  // how long the condition must last before the alarm fires
  bool per_peer;                  // else of the node: peer is empty
};
#define EP_X_(name, level, hold, peer) \
  AlarmRule{#name, Severity::level, std::chrono::seconds{hold}, peer},
inline constexpr std::array<AlarmRule, 0 EP_ALARM_LIST(EP_ENUM_COUNT_)> kAlarmRules = {
    {EP_ALARM_LIST(EP_X_)}};
#undef EP_X_
constexpr const AlarmRule& rule_of(AlarmId id) { return kAlarmRules[static_cast<std::size_t>(id)]; }

// A condition that holds now; evidence in numbers, one line.
struct AlarmCondition {
  AlarmId id = AlarmId::CleartextTraffic;
  std::string peer;
  std::string evidence;
};

// Every condition that holds in this snapshot and window.
std::vector<AlarmCondition> alarm_conditions(const Snapshot& snapshot, const NodeWindow& window);

// Adds those of the control plane: what policies and SAs would do (Snapshot::mesh), and what the
// kernel's XFRM counts as errors.
void add_mesh_conditions(std::vector<AlarmCondition>& out, const Snapshot& snapshot,
                         const NodeWindow& window, const XfrmErrorReport& errors);

// growth: of received ESP that no SA took, by peer.
void add_unknown_spi(std::vector<AlarmCondition>& out, const XfrmErrorReport& growth);

class AlarmEngine {
 public:
  // How long a resolved alarm is still shown.
  static constexpr std::chrono::minutes kKeepResolved{10};

  // Steps every alarm to this moment. Returns those that began to fire or were resolved, in order
  // of the list above, then of peer: log each once. A pending alarm whose condition goes away
  // vanishes: nobody was told of it.
  std::vector<Alarm> step(const std::vector<AlarmCondition>& conditions, WallTime time,
                          MonoTime monotonic);

  // Pending, firing, and lately resolved; firing first, then by severity, name, peer.
  [[nodiscard]] std::vector<Alarm> alarms() const;

 private:
  using Key = std::pair<AlarmId, std::string>;
  struct Tracked {
    Alarm alarm;
    MonoTime since;  // of the state
  };

  static void enter(Tracked& tracked, AlarmState state, WallTime time, MonoTime monotonic);
  // Keeps an alarm whose condition holds; true if it fires from now on.
  bool hold(const Key& key, const AlarmCondition& condition, WallTime time, MonoTime monotonic);

  std::map<Key, Tracked> tracked_;
};

}  // namespace espial
