// SPDX-License-Identifier: Apache-2.0
// Coverage: a peer's counters reduced to what verdicts and alarms need.
#pragma once

#include <array>
#include <cstdint>

#include "model/report.h"
#include "model/snapshot.h"

namespace espial {

// What the counters of one direction say, summed over families. Every member only grows as long as
// the counters do, so a difference of two tallies is exact.
struct DirectionTally {
  Cell esp;                       // ENCRYPTED classes, as seen on the wire
  Cell decrypted;                 // receive only; the inner packets
  std::uint64_t direct = 0;       // packets: unprotected classes that are none of the following
  std::uint64_t misplaced = 0;    // of direct: received cleartext_spoofed, sent cleartext_resent
  std::uint64_t unreadable = 0;   // of direct: too_deep
  std::uint64_t offloaded = 0;    // packets: cleartext that a device encrypts; not in direct
  std::uint64_t host = 0;         // packets: cleartext_host
  std::uint64_t transit = 0;      // packets: cleartext_transit
  std::uint64_t foreign = 0;      // packets: esp_foreign
  std::uint64_t clear_bytes = 0;  // bytes of direct, host, transit and foreign
  std::uint64_t unknown_node = 0;

  // Packets of all unprotected classes.
  [[nodiscard]] std::uint64_t unprotected() const { return direct + host + transit + foreign; }
  bool operator==(const DirectionTally&) const = default;
};

// Packets by direction and reason.
using EnforcedTally = std::array<std::array<std::uint64_t, kReasons>, kDirections>;

// The hooks of what is on its way through the node.
inline constexpr std::array kForwardHooks{Hook::FORWARD, Hook::FORWARD_OR_POSTROUTING};

struct Tally {
  std::array<DirectionTally, kDirections> direction{};
  std::uint64_t spoofed = 0;
  // What enforcement dropped, or would. What was dropped on its way out is in no direction above;
  // what passed, or was received, is there, too.
  std::array<EnforcedTally, kActions> enforced{};
  // What netfilter dropped on its way through the node, by hook (kForwardHooks) and family.
  std::array<std::array<std::uint64_t, kFamilies>, 2> forward_drops{};

  bool operator==(const Tally&) const = default;
};

// Packets of all reasons of one direction.
std::uint64_t enforced_of(const Tally& tally, Action action, Direction direction);

// offloaded: of what was sent in clear, what a device encrypts behind tc (model/traffic/offload.h).
Tally tally_of(const PeerCounters& counters, const Cell& offloaded = {});

// True if no member of `later` is smaller than in `earlier`.
bool grew_or_stayed(const Tally& earlier, const Tally& later);

// later - earlier; grew_or_stayed(earlier, later) must hold.
Tally difference(const Tally& earlier, const Tally& later);

// Coverage numbers of one direction of a tally (a total, or a difference over a window). Received
// encrypted is the bigger of ESP seen and packets decrypted: with ESP GRO the hooks never see the
// ESP. The maximum is taken here, of the difference: it must never be taken before subtracting.
Traffic traffic_of(const Tally& tally, Direction direction);

}  // namespace espial
