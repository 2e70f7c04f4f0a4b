// SPDX-License-Identifier: Apache-2.0
// What would happen to one packet (`espial doctor --explain`): plain values, in the kernel's order.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"

namespace espial {

#define EP_FLOW_END_LIST(X)                                                  \
  X(ENCRYPTED, "encrypted")     /* leaves, or comes, as ESP */               \
  X(FAIL_CLOSED, "fail_closed") /* a policy, no SA: the SA is asked for */   \
  X(CLEAR, "clear")             /* leaves, or comes, and is not encrypted */ \
  X(DROPPED, "dropped")         /* this node does not send it on */          \
  X(UNKNOWN, "unknown")         /* cannot be told: see reasons */

#define EP_X_(name, ...) name,
enum class FlowEnd : std::uint8_t { EP_FLOW_END_LIST(EP_X_) };
#undef EP_X_
std::string_view to_string(FlowEnd end);

// One thing that the kernel asks.
struct FlowStep {
  std::string where;                 // "origin", "route", "policy", "sa", or the hook: "forward"
  std::string packet;                // "10.101.1.10 > 10.101.2.10", as it is before
  std::string what;                  // the answer, one line
  std::vector<std::string> details;  // of a hook one line per base chain, in their order
};

struct Explanation {
  IpAddress source;
  IpAddress destination;
  std::vector<FlowStep> steps;
  FlowEnd end = FlowEnd::UNKNOWN;
  std::string conclusion;            // "leaves as ESP SPI 0x00000001 over eth0"
  std::vector<std::string> reasons;  // of unknown: what is missing
};

}  // namespace espial
