// SPDX-License-Identifier: Apache-2.0
#include "model/probing.h"

#include <utility>

namespace espial {

bool failed(const ProbeResult& result) {
  return result.answered == 0 || result.outcome == ProbeOutcome::UNSEEN;
}

void note(PeerProbe& probe, ProbeResult result, WallTime time) {
  probe.failures = failed(result) ? probe.failures + 1 : 0;
  probe.last = std::move(result);
  probe.at = time;
}

const PeerProbing* Probing::find(const std::string& peer) const {
  const auto it = peers.find(peer);
  return it == peers.end() ? nullptr : &it->second;
}

std::string own_probes_text(const PeerProbing& peer) {
  if (peer.sent == 0) return {};
  return "; espial's own probes: " + std::to_string(peer.sent) + " sent, " +
         std::to_string(peer.answered) + " answered in " +
         std::to_string(Probing::kRecent.count()) + " s";
}

}  // namespace espial
