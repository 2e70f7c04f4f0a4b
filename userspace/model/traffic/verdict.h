// SPDX-License-Identifier: Apache-2.0
// Verdict: one word per peer for what the window showed on the wire, and why in numbers.
#pragma once

#include <array>
#include <string>

#include "model/report.h"
#include "model/snapshot.h"
#include "model/traffic/window.h"

namespace espial {

// Which directions some wire device has its programs on: what espial can see at all.
struct Visibility {
  std::array<bool, kDirections> direction{};
};
Visibility visibility_of(const std::vector<DeviceSnapshot>& devices);

struct Judgement {
  Verdict verdict = Verdict::kUnknown;
  std::string reason;  // one line
};

// Unprotected packets are evidence as soon as one direction is seen. The words that need silence
// in some direction (one_way, encrypted, silent) need sight of both, and a history: without them
// the verdict is unknown.
//
// Where the wire says nothing (silent, or no history yet), `audit` does: kExposed if some packet
// would pass in clear, kDown if a policy waits for its SA. Null: policies were not read.
//
// What a device encrypts behind tc (DirectionTally::offloaded) proves nothing: without other
// evidence the verdict is unknown, and the reason begins with "offloaded".
//
// Verdicts are about the wire. A packet that enforcement drops on its way out was never there: a
// peer of whom all that is left is received ESP is one_way, one of whom nothing is left is silent.
// A packet that is dropped on arrival was there: the peer leaks, whatever becomes of it here. The
// reason names what was dropped.
Judgement judge(const PeerWindow& window, const Visibility& visibility,
                const PeerAudit* audit = nullptr);

// "60 s": the window as evidence lines name it, rounded, at least 1.
std::string seconds_text(std::chrono::nanoseconds duration);
// "1 packet", "3 packets".
std::string packets_text(std::uint64_t count);

}  // namespace espial
