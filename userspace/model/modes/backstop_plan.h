// SPDX-License-Identifier: Apache-2.0
// Which XFRM policies back up the programs of enforced peers, and which peers get none. Pure.
//
// They are the last that the kernel asks: traffic with a peer's backend subnets that no policy of
// an IKE daemon wants is refused before any device sees it. They are blunter than the programs, so
// a peer for whom that would stop more than the programs do gets none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/facts/facts.h"
#include "model/modes/peer_modes.h"

namespace espial {

// One type and code of ICMP or ICMPv6.
struct IcmpKind {
  std::uint8_t protocol = 0;  // 0: any packet
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  auto operator<=>(const IcmpKind&) const = default;
};

// What is refused, or passes before it is refused.
struct BackstopSelector {
  PolicyDirection direction = PolicyDirection::kOut;
  Prefix source;
  Prefix destination;
  IcmpKind icmp;       // names what passes
  bool allow = false;  // asked before all that refuse
  auto operator<=>(const BackstopSelector&) const = default;
};

struct BackstopPolicy {
  BackstopSelector selector;
  std::optional<MonoTime> until;  // the kernel removes it then
};

struct BackstopPlan {
  std::vector<BackstopPolicy> policies;    // sorted by selector, each once
  std::vector<BackstopExclusion> without;  // enforced peers that get none, or not for everything
};

// topology: with the modes in force. Nothing when the configuration does not ask for it.
BackstopPlan plan_backstop(const ConfigEnforce& enforce, const Topology& topology,
                           const KernelFacts& facts, const PeerModes& modes, const Moment& now);

}  // namespace espial
