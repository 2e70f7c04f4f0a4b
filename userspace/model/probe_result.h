// SPDX-License-Identifier: Apache-2.0
// What became of probes between the backends (`espial verify`): plain values. What was seen is
// espial's own count on the wire; the answer alone proves nothing, clear traffic is answered, too.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "model/words.h"

namespace espial {

// From where to where; what crosses FORWARD, and on which node, follows.
#define EP_PROBE_PATH_LIST(X)                                           \
  X(HOST, "host")                   /* bridge to bridge: no FORWARD */  \
  X(FORWARD_HERE, "forward_here")   /* pod of ours to their bridge */   \
  X(FORWARD_THERE, "forward_there") /* our bridge to a pod of theirs */ \
  X(PODS, "pods")                   /* pod to pod: FORWARD of both */

#define EP_PROBE_OUTCOME_LIST(X)                                                     \
  X(ENCRYPTED, "encrypted", "encrypted both ways")                                   \
  X(WE_LEAK, "we_leak", "we leak")                                                   \
  X(PEER_LEAKS, "peer_leaks", "peer leaks")                                          \
  X(BOTH_LEAK, "both_leak", "both leak")                                             \
  X(FAIL_CLOSED, "fail_closed", "fail-closed: no SA")                                \
  X(LOST_HERE, "lost_here", "lost here")                                             \
  X(LOST_THERE, "lost_there", "lost there") /* or between the nodes */               \
  X(LOST, "lost", "lost")                   /* busy: the counts do not tell where */ \
  X(UNSEEN, "unseen", "not seen by espial") /* answered, and not on the wire */

#define EP_X_(name, ...) name,
enum class ProbePath : std::uint8_t { EP_PROBE_PATH_LIST(EP_X_) };
enum class ProbeOutcome : std::uint8_t { EP_PROBE_OUTCOME_LIST(EP_X_) };
#undef EP_X_
inline constexpr std::size_t kProbeOutcomes = 0 EP_PROBE_OUTCOME_LIST(EP_ENUM_COUNT_);
std::string_view to_string(ProbePath path);        // "host", "forward_here"...
std::string_view to_string(ProbeOutcome outcome);  // "encrypted", "we_leak"...
std::string_view in_words(ProbeOutcome outcome);   // "encrypted both ways", "we leak"...

// What espial's programs counted of the peer while the probes were out, all its traffic. Packets.
struct WireSeen {
  std::uint64_t encrypted = 0;  // ESP in any of its forms, of either outer family
  std::uint64_t segments = 0;   // of these ESP in TCP, which carry any number of packets
  std::uint64_t clear = 0;      // unprotected, of the probes' family
  std::uint64_t dropped = 0;    // by espial itself
  bool operator==(const WireSeen&) const = default;
};

struct ProbeResult {
  std::string peer;
  ProbePath path = ProbePath::HOST;
  IpAddress source;
  IpAddress target;
  unsigned sent = 0;
  unsigned answered = 0;
  std::optional<std::chrono::nanoseconds> fastest;
  WireSeen seen[kDirections];  // by Direction
  ProbeOutcome outcome = ProbeOutcome::UNSEEN;
  std::string why;                    // in numbers; of lost_here the finding
  std::vector<std::string> remedies;  // of the finding: commands, in this order
};

// What no probe went through: a pair's FORWARD, and what the rules would do.
struct ForwardNote {
  std::string peer;
  Family family = Family::kIpv4;
  Direction direction = Direction::TRANSMIT;
  std::optional<bool> passes;  // nothing: rules that are not understood decide
  std::string walk;            // the hooks' chains and what they do, one line
};

struct VerifyReport {
  std::vector<ProbeResult> probes;  // by peer, family, path
  std::vector<ForwardNote> not_exercised;
  std::vector<std::string> unknown;  // what could not be probed, and why; one line each
};

}  // namespace espial
