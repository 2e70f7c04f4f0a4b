// SPDX-License-Identifier: Apache-2.0
// What `espial doctor` can find, and what it found: plain values, one finding per cause, worst
// first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "model/facts/ike_trouble.h"
#include "model/mesh.h"

namespace espial {

enum class Effect : std::uint8_t {
  kLost,   // packets do not arrive
  kLeaks,  // packets leave in clear
  kRisk,   // nothing yet; it will under a condition that the summary names
};
std::string_view to_string(Effect effect);  // "lost", "leaks", "risk"

// Where a finding stands in the report. Causes that explain one another come first, in the order of
// their list: without the underlay nothing else works, without forwarding no rule is evaluated. The
// others follow, leaks before losses. A risk comes last, whatever its cause.
enum class CauseRank : std::uint8_t { kInOrder, kByEffect };

// What is wrong, in words that scripts compare: X(NAME, "word", rank, effect, "meaning"). The
// effect is nullopt where it depends on what was found. The meaning is what tools/manual writes.
// The audit's problems (EP_PAIR_PROBLEM_LIST) and charon's troubles (ESPIAL_IKE_TROUBLES) are
// causes under the same words: one that is missing here, or has another effect, does not compile.
#define EP_DOCTOR_CAUSE_LIST(X)                                                                   \
  X(KERNEL_WITHOUT_ESP, "kernel_without_esp", kInOrder, std::nullopt,                             \
    "the kernel has neither ESP built in nor a module for it")                                    \
  X(REVERSE_PATH_FILTER, "reverse_path_filter", kInOrder, Effect::kLost,                          \
    "sysctl: ESP arrives through one device, and the route back uses another")                    \
  X(NEIGHBOURS_BLOCKED, "neighbours_blocked", kInOrder, Effect::kLost,                            \
    "rules drop ARP or neighbour discovery, of pods or between the nodes")                        \
  X(UNDERLAY_ROUTE, "underlay_route", kInOrder, Effect::kLost,                                    \
    "no route to a silent peer, one that rejects, or one that leaves the nodes' own network")     \
  X(UNDERLAY_UNREACHABLE, "underlay_unreachable", kInOrder, std::nullopt,                         \
    "the peer's node does not answer on the underlay")                                            \
  X(MTU_BLACK_HOLE, "mtu_black_hole", kInOrder, Effect::kLost,                                    \
    "large packets are lost without an ICMP error")                                               \
  X(STALE_DEVICE, "stale_device", kInOrder, std::nullopt,                                         \
    "a rule names an interface index that no longer exists")                                      \
  X(IKE_BLOCKED, "ike_blocked", kInOrder, Effect::kLost, "rules drop IKE")                        \
  X(ESP_BLOCKED, "esp_blocked", kInOrder, Effect::kLost, "rules drop ESP")                        \
  X(NO_IKE_DAEMON, "no_ike_daemon", kInOrder, std::nullopt,                                       \
    "nothing listens on UDP port 500 or 4500, and traffic is unprotected")                        \
  X(IKE_UNKNOWN_PEER, "ike_unknown_peer", kInOrder, std::nullopt,                                 \
    "this node's charon has no connection for the peer")                                          \
  X(IKE_CERTIFICATE_TIME, "ike_certificate_time", kInOrder, std::nullopt,                         \
    "a certificate is not valid at the time of this node's clock")                                \
  X(IKE_AUTHENTICATION, "ike_authentication", kInOrder, std::nullopt,                             \
    "keys, certificates or identities differ between the nodes")                                  \
  X(IKE_PROPOSALS, "ike_proposals", kInOrder, std::nullopt,                                       \
    "the nodes do not agree on the proposals of an IKE_SA")                                       \
  X(CHILD_PROPOSALS, "child_proposals", kInOrder, std::nullopt,                                   \
    "the nodes do not agree on the proposals of a CHILD_SA")                                      \
  X(TRAFFIC_SELECTORS, "traffic_selectors", kInOrder, std::nullopt,                               \
    "the nodes do not agree on the traffic selectors of a CHILD_SA")                              \
  X(IKE_UNANSWERED, "ike_unanswered", kInOrder, std::nullopt,                                     \
    "an IKE_SA stays CONNECTING: the peer does not answer")                                       \
  X(IKE_UNREACHABLE, "ike_unreachable", kInOrder, std::nullopt,                                   \
    "UDP port 500 or 4500 of a peer does not answer, or nothing listens there")                   \
  X(IKE_REFUSED, "ike_refused", kInOrder, std::nullopt,                                           \
    "packets wait for an SA, no attempt to make one is under way, and charon logged no reason")   \
  X(NO_ROUTE, "no_route", kInOrder, Effect::kLost, "no route to the peer's subnet")               \
  X(ROUTE_REJECTS, "route_rejects", kInOrder, Effect::kLost,                                      \
    "a blackhole, unreachable or prohibit route or routing rule rejects the packets")             \
  X(OWN_ROUTE, "own_route", kInOrder, Effect::kLost,                                              \
    "a route or routing rule rejects packets to this node's own pods, or sends them elsewhere")   \
  X(FORWARDING_OFF, "forwarding_off", kInOrder, Effect::kLost,                                    \
    "sysctl: this node does not forward")                                                         \
  X(XFRM_DISABLED, "xfrm_disabled", kInOrder, Effect::kLeaks,                                     \
    "sysctl: what leaves through the device is never encrypted")                                  \
  X(RULE_DROPS, "rule_drops", kInOrder, Effect::kLost, "rules drop packets of pods")              \
  X(BRIDGE_RULES, "bridge_rules", kInOrder, Effect::kLost,                                        \
    "sysctl: packets between pods of one bridge traverse FORWARD, and rules there drop them")     \
  X(PATH_MTU_BLOCKED, "path_mtu_blocked", kByEffect, std::nullopt,                                \
    "rules drop ICMP that reports a smaller path MTU")                                            \
  X(POLICY_DISABLED, "policy_disabled", kByEffect, Effect::kRisk,                                 \
    "sysctl: cleartext that arrives through the device is accepted, regardless of the policies")  \
  X(ONE_WAY_ESP, "one_way_esp", kByEffect, Effect::kLeaks,                                        \
    "one node encrypts and the other does not")                                                   \
  X(NO_POLICY, "no_policy", kByEffect, Effect::kLeaks,                                            \
    "no policy matches the packets: they leave in clear")                                         \
  X(BYPASS_POLICY, "bypass_policy", kByEffect, Effect::kLeaks,                                    \
    "a policy without a template lets the packets leave in clear")                                \
  X(LEVEL_USE, "level_use", kByEffect, Effect::kLeaks,                                            \
    "the policy's template is optional: without an SA packets leave in clear")                    \
  X(NOT_ESP, "not_esp", kByEffect, Effect::kLeaks, "the policy's template is not ESP")            \
  X(NULL_ENCRYPTION, "null_encryption", kByEffect, Effect::kLeaks, "ESP without encryption")      \
  X(NAT_BEFORE_IPSEC, "nat_before_ipsec", kByEffect, Effect::kLeaks,                              \
    "a rule translates addresses before the IPsec lookup")                                        \
  X(REDIRECTS, "send_redirects", kByEffect, Effect::kLost,                                        \
    "sysctl: this node sends ICMP redirects that lead pods past it")                              \
  X(BLOCK_POLICY, "block_policy", kByEffect, Effect::kLost, "a policy blocks the packets")        \
  X(WRONG_ENDPOINT, "wrong_endpoint", kByEffect, Effect::kLost,                                   \
    "the tunnel does not end at the peer")                                                        \
  X(TRANSPORT_MODE, "transport_mode", kByEffect, Effect::kLost,                                   \
    "the policy's template is for transport mode")                                                \
  X(MARKED_ONLY, "marked_only", kByEffect, Effect::kLost,                                         \
    "the policy matches marked packets only")                                                     \
  X(RECEIVE_POLICY_MISSING, "receive_policy_missing", kByEffect, Effect::kLost,                   \
    "no policy requires what arrives to be protected by IPsec")                                   \
  X(TUNNEL_SETTING, "tunnel_setting", kByEffect, Effect::kLost,                                   \
    "routes are not those that cluster.conf asks for")                                            \
  X(SA_EXPIRING, "sa_expiring", kByEffect, Effect::kRisk, "the last SA for sending expires soon") \
  X(SEQUENCE, "sequence_nearly_exhausted", kByEffect, Effect::kRisk,                              \
    "an SA has used nearly all of its sequence numbers")                                          \
  X(PACKET_OFFLOAD, "packet_offload", kByEffect, Effect::kRisk,                                   \
    "a device encrypts the packets: programs see them in clear")                                  \
  X(NO_SA, "no_sa", kByEffect, Effect::kLost, "a policy requires IPsec, and there is no SA")

#define EP_X_(name, ...) name,
enum class Cause : std::uint8_t { EP_DOCTOR_CAUSE_LIST(EP_X_) };
#undef EP_X_
inline constexpr std::size_t kCauses = 0 EP_DOCTOR_CAUSE_LIST(EP_ENUM_COUNT_);

std::string_view to_string(Cause cause);   // "rule_drops"
std::string_view meaning_of(Cause cause);  // one line
// Nothing: it depends on what was found.
std::optional<Effect> effect_of(Cause cause);
// Of a cause that has one effect only.
Effect only_effect(Cause cause);

Cause cause_of(IkeTroubleKind kind);
bool is_ike_trouble(Cause cause);
// Nothing: the audit could not tell, or nothing is wrong.
std::optional<Cause> cause_of(PairProblem problem);

struct DoctorFinding {
  Cause cause = Cause::RULE_DROPS;
  Effect effect = only_effect(cause);   // set it where the cause has several
  std::string summary{};                // one line
  std::vector<std::string> evidence{};  // rules as their tool prints them, values, counters
  std::vector<std::string> remedies{};  // commands, in this order; may be empty
  std::vector<std::string> peers{};     // sorted; empty: this node alone
  std::optional<Family> family{};       // of the packets that it is about; nothing: both
};

// Does one stand before other in the report?
bool comes_before(const DoctorFinding& one, const DoctorFinding& other);

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
