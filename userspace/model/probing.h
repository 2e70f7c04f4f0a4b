// SPDX-License-Identifier: Apache-2.0
// The results of the daemon's own probes (`verify` in the configuration): plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/probe_result.h"
#include "model/snapshot.h"

namespace espial {

// One way that is probed again and again, and how its last probe ended.
struct PeerProbe {
  ProbeResult last;            // peer, path, source and target always, the rest once `at` is set
  std::optional<WallTime> at;  // when it ended; nothing: none has ended yet
  unsigned failures = 0;       // in a row, up to the last
};

// Unanswered, or answered and never seen on the wire. A leak is no failed probe: it has alarms of
// its own.
bool failed(const ProbeResult& result);
// The next probe of this way has ended.
void note(PeerProbe& probe, ProbeResult result, WallTime time);

// What packets larger than `largest` do on the way to an underlay address: they vanish.
struct MtuBlackhole {
  IpAddress address;
  unsigned asked_bytes = 0;
  unsigned largest = 0;  // bytes of a whole IP packet that is answered
};

struct PeerProbing {
  std::vector<PeerProbe> probes;  // by family, path, target
  std::vector<MtuBlackhole> black_holes;
  // Packets of the last kRecent: they are in the peer's counters, too.
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
};

struct Probing {
  static constexpr std::chrono::seconds kRecent{60};

  std::chrono::seconds interval{0};  // as configured
  std::chrono::seconds round{0};     // as the limit of probes per second makes it
  std::uint32_t probes_per_second = 0;
  std::vector<std::string> not_probed;      // who, and why; one line each
  std::optional<WallTime> path_mtu_looked;  // when the last look for black holes ended
  std::map<std::string, PeerProbing> peers;

  [[nodiscard]] const PeerProbing* find(const std::string& peer) const;
};

// "; espial's own probes: 4 sent, 3 answered in 60 s": a peer with no other traffic might be silent
// without them. Empty where none was sent.
std::string own_probes_text(const PeerProbing& peer);

}  // namespace espial
