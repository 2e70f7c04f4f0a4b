// SPDX-License-Identifier: Apache-2.0
// Walks a packet through every base chain of every table in the kernel's order and says what the
// rules do with it: the answer, or "unknown" and because of which expression.
//
// Pure. Three-valued: an expression that cannot be evaluated is followed both ways, and where both
// come to the same the answer is known. An accept ends its own base chain only. NAT chains run
// where the NAT core runs, whatever priority they ask for, and only for a connection's first
// packet; a packet of an established connection is taken as one without translation.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "diagnose/lookup/packet.h"
#include "model/facts/firewall.h"

namespace espial {

class Fib;

// Whose hooks: those of IP, of a bridge, of a device.
enum class Layer : std::uint8_t { kIp, kBridge, kDevice };

struct WalkStep {
  Layer layer = Layer::kIp;
  PacketHook hook = PacketHook::kForward;
};

inline constexpr WalkStep kForwarded[] = {{Layer::kIp, PacketHook::kPrerouting},
                                          {Layer::kIp, PacketHook::kForward},
                                          {Layer::kIp, PacketHook::kPostrouting}};
inline constexpr WalkStep kDelivered[] = {{Layer::kIp, PacketHook::kPrerouting},
                                          {Layer::kIp, PacketHook::kInput}};
inline constexpr WalkStep kSent[] = {{Layer::kIp, PacketHook::kOutput},
                                     {Layer::kIp, PacketHook::kPostrouting}};
inline constexpr WalkStep kBridged[] = {{Layer::kBridge, PacketHook::kPrerouting},
                                        {Layer::kBridge, PacketHook::kForward},
                                        {Layer::kBridge, PacketHook::kPostrouting}};

// The rule, or with handle 0 the chain's policy, that decided something.
struct RuleEvidence {
  RuleTool tool = RuleTool::kNft;
  TableFamily family = TableFamily::kIp;
  std::string table;
  std::string chain;
  std::uint64_t handle = 0;
  std::string rule;  // as its tool prints it; "policy drop"

  // "ip filter FORWARD: -A FORWARD -j DROP"
  [[nodiscard]] std::string text() const;
  bool operator==(const RuleEvidence&) const = default;
};

enum class Fate : std::uint8_t {
  kPassed,
  kDropped,
  kRejected,
  kQueued,
  kStolen,
  kRerouted,  // its destination was rewritten: routing decides where it goes on
  kUnknown,
};
std::string_view to_string(Fate fate);

struct NatEvidence {
  Nat nat;
  RuleEvidence rule;
  bool operator==(const NatEvidence&) const = default;
};

struct Walk {
  Fate fate = Fate::kPassed;
  // Who decided: of dropped the rule; of several, each that may.
  std::vector<RuleEvidence> culprits;
  // Of unknown: the expressions that could not be evaluated.
  std::vector<std::string> reasons;
  // Source and destination: rewritten, not, or perhaps; and by which rules, at most a few.
  Tri source_nat = Tri::kNo;
  Tri destination_nat = Tri::kNo;
  std::vector<NatEvidence> nat;
  // One line for each base chain that saw the packet.
  std::vector<std::string> trace;
  // As it is at the end; of rerouted with the new destination and without an outgoing device.
  Packet packet;
  std::size_t steps_done = 0;
};

// fib: null = what rules ask of routes and of addresses of this node is unknown.
Walk walk_rules(const Ruleset& ruleset, const Packet& packet, std::span<const WalkStep> steps,
                const Fib* fib = nullptr);

}  // namespace espial
