// SPDX-License-Identifier: Apache-2.0
// What `espial doctor` found: plain values, one finding per cause, worst first.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "model/mesh.h"

namespace espial {

enum class Effect : std::uint8_t {
  kLost,   // packets do not arrive
  kLeaks,  // packets leave in clear
  kRisk,   // nothing yet; it will under a condition that the summary names
};
std::string_view to_string(Effect effect);  // "lost", "leaks", "risk"

// X(NAME, "word"): what the doctor finds itself, in words that scripts compare. In the order in
// which causes explain one another: without the underlay nothing else works, without forwarding no
// rule is asked. What the audit finds (EP_PAIR_PROBLEM_LIST) are causes, too.
#define EP_DOCTOR_CAUSE_LIST(X)                   \
  X(KERNEL_WITHOUT_ESP, "kernel_without_esp")     \
  X(REVERSE_PATH_FILTER, "reverse_path_filter")   \
  X(NEIGHBOURS_BLOCKED, "neighbours_blocked")     \
  X(UNDERLAY_ROUTE, "underlay_route")             \
  X(UNDERLAY_UNREACHABLE, "underlay_unreachable") \
  X(MTU_BLACK_HOLE, "mtu_black_hole")             \
  X(STALE_DEVICE, "stale_device")                 \
  X(IKE_BLOCKED, "ike_blocked")                   \
  X(ESP_BLOCKED, "esp_blocked")                   \
  X(NO_IKE_DAEMON, "no_ike_daemon")               \
  X(IKE_UNKNOWN_PEER, "ike_unknown_peer")         \
  X(IKE_CERTIFICATE_TIME, "ike_certificate_time") \
  X(IKE_AUTHENTICATION, "ike_authentication")     \
  X(IKE_PROPOSALS, "ike_proposals")               \
  X(CHILD_PROPOSALS, "child_proposals")           \
  X(TRAFFIC_SELECTORS, "traffic_selectors")       \
  X(IKE_UNANSWERED, "ike_unanswered")             \
  X(IKE_UNREACHABLE, "ike_unreachable")           \
  X(IKE_REFUSED, "ike_refused")                   \
  X(OWN_ROUTE, "own_route")                       \
  X(FORWARDING_OFF, "forwarding_off")             \
  X(XFRM_DISABLED, "xfrm_disabled")               \
  X(RULE_DROPS, "rule_drops")                     \
  X(BRIDGE_RULES, "bridge_rules")                 \
  X(PATH_MTU_BLOCKED, "path_mtu_blocked")         \
  X(POLICY_DISABLED, "policy_disabled")           \
  X(ONE_WAY_ESP, "one_way_esp")

#define EP_X_(name, ...) name,
enum class Cause : std::uint8_t { EP_DOCTOR_CAUSE_LIST(EP_X_) EP_PAIR_PROBLEM_LIST(EP_X_) };
#undef EP_X_
std::string_view to_string(Cause cause);  // "rule_drops", "forwarding_off", "no_policy"...
Cause cause_of(PairProblem problem);

struct DoctorFinding {
  Cause cause = Cause::RULE_DROPS;
  Effect effect = Effect::kLost;
  std::string summary;                // one line
  std::vector<std::string> evidence;  // rules as their tool prints them, values, counters
  std::vector<std::string> remedies;  // commands, in this order; may be empty
  std::vector<std::string> peers;     // sorted; empty: this node alone
  std::optional<Family> family{};     // of the packets that it is about; nothing: both
};

// An alarm of a running daemon, which has a history of the wire where a command has one look.
struct FiringAlarm {
  std::string alarm;  // "OneWayEncryption"
  std::string peer;
  std::string evidence;  // one line
};

struct DoctorReport {
  std::vector<DoctorFinding> findings;
  std::vector<std::string> unknown;  // what could not be told, and why: no promise about that
};

}  // namespace espial
