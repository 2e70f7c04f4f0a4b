// SPDX-License-Identifier: Apache-2.0
// PeerModes: which mode each peer is under by command, since when, and until when unless confirmed.
//
// Pure functions of values; the clocks are a value, too. Decisions are made on the monotonic clock,
// which no clock step moves and which begins anew with every boot; wall time is for people.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/snapshot.h"
#include "model/topology.h"

namespace espial {

struct Moment {
  WallTime wall;
  MonoTime monotonic;
  std::string boot;  // which boot; empty: unknown, and like no other
};

bool same_boot(const Moment& a, const Moment& b);

// What has been in force without a break.
struct Span {
  Mode mode = Mode::MONITOR;
  Moment since;
  std::uint64_t encrypted = 0;  // encrypted_packets() of the peer by then
};

// An enforce that becomes audit at the deadline, unless it is confirmed before.
struct Confirmation {
  Moment deadline;
  Mode before = Mode::MONITOR;  // what was in force when it began
};

struct PeerMode {
  std::optional<Mode> mode;             // by command
  std::optional<Span> span;             // nothing while the peer was never more than monitored
  std::optional<Confirmation> confirm;  // only with the mode enforce
};

using PeerModes = std::map<std::string, PeerMode, std::less<>>;  // by name of the peer

// Packets that prove that IPsec works with a peer: ESP seen and packets decrypted. Only grows.
std::uint64_t encrypted_packets(const PeerCounters& counters);

// Unconfirmed enforces whose deadline has passed, or that are of another boot, become audit. One
// line each: log them.
std::vector<std::string> expire(PeerModes& modes, const Moment& now);

// A peer that `before` knew by another name keeps what was commanded: it is the one with an address
// of its own in common. Never takes the place of a command for the new name. One line each: log
// them.
std::vector<std::string> follow_names(PeerModes& modes, const Topology& before,
                                      const Topology& now);

// Peers get the modes of commands; a command that differs from what the file says, or whose peer is
// gone, becomes a finding. default_given: the file names a mode for all peers. Candidates are only
// monitored.
void apply(const PeerModes& modes, bool default_given, Topology& topology);

// Begins a new span for each peer whose mode changed, whose counters began anew or whose span is of
// another boot. True: something changed and should be saved.
bool follow(PeerModes& modes, const std::vector<PeerSnapshot>& peers, const Moment& now);

// The deadline for the programs: nothing if an enforce needs no confirmation.
std::optional<MonoTime> deadline_of(const PeerModes& modes, std::string_view peer,
                                    const Moment& now);

}  // namespace espial
