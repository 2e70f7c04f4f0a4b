// SPDX-License-Identifier: Apache-2.0
#include "model/alarms/coverage_watch.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "model/traffic/coverage.h"
#include "model/traffic/verdict.h"

namespace espial {
namespace {

// "99.89 %", cut off: what is below a target never reads like it.
std::string percent_text(double ratio) {
  char text[16];
  std::snprintf(text, sizeof text, "%.2f %%", std::floor(ratio * 10000 + 1e-9) / 100);
  return text;
}

// As it was configured: "99.9 %".
std::string target_text(double ratio) {
  char text[24];
  std::snprintf(text, sizeof text, "%.7g %%", ratio * 100);
  return text;
}

}  // namespace

CoverageWatch::Counts CoverageWatch::counts_of(const PeerCounters& counters,
                                               const Cell& offloaded) {
  const Tally tally = tally_of(counters, offloaded);
  Counts out;
  for (std::size_t d = 0; d < kDirections; ++d) {
    const DirectionTally& t = tally.direction[d];
    out.esp[d] = t.esp.packets;
    out.unprotected[d] = t.unprotected();
  }
  out.decrypted = tally.direction[at(Direction::RECEIVE)].decrypted.packets;
  return out;
}

bool CoverageWatch::went_back(const Counts& earlier, const Counts& later) {
  bool back = later.decrypted < earlier.decrypted;
  for (std::size_t d = 0; d < kDirections; ++d)
    back = back || later.esp[d] < earlier.esp[d] || later.unprotected[d] < earlier.unprotected[d];
  return back;
}

void CoverageWatch::add(std::vector<AlarmCondition>& out, const std::string& peer, const Mark& from,
                        const Counts& now, MonoTime at_time, double target) {
  constexpr auto kReceive = at(Direction::RECEIVE);
  constexpr auto kTransmit = at(Direction::TRANSMIT);
  // As traffic_of() takes the maximum: of the differences.
  const std::uint64_t encrypted = std::max(now.esp[kReceive] - from.counts.esp[kReceive],
                                           now.decrypted - from.counts.decrypted) +
                                  now.esp[kTransmit] - from.counts.esp[kTransmit];
  const std::uint64_t received = now.unprotected[kReceive] - from.counts.unprotected[kReceive];
  const std::uint64_t sent = now.unprotected[kTransmit] - from.counts.unprotected[kTransmit];
  const Traffic both{.encrypted = encrypted, .unprotected = received + sent};
  const auto coverage = both.coverage();
  if (!coverage || *coverage >= target) return;
  out.push_back({AlarmId::CoverageBelowTarget, peer,
                 percent_text(*coverage) + " of " + std::to_string(encrypted + received + sent) +
                     " packets in " + seconds_text(at_time - from.at) +
                     " were encrypted; the target is " + target_text(target) + ": " +
                     std::to_string(received) + " received and " + std::to_string(sent) +
                     " sent unprotected"});
}

void CoverageWatch::advance(const Snapshot& snapshot, const std::vector<Cell>& offloaded,
                            std::optional<double> target, std::vector<AlarmCondition>& out) {
  if (!target) return peers_.clear();
  ++looks_;
  const MonoTime now = snapshot.monotonic;
  for (std::size_t i = 0; i < snapshot.peers.size(); ++i) {
    const PeerSnapshot& peer = snapshot.peers[i];
    if (peer.peer.state == PeerState::kCandidate) continue;
    History& history = peers_[peer.peer.name];
    history.look = looks_;
    const Counts counts = counts_of(peer.counters, offloaded[i]);
    auto& marks = history.marks;
    if (went_back(history.last, counts)) marks.clear();
    history.last = counts;
    if (marks.empty() || now - marks.back().at >= kMarkEvery) marks.push_back({now, counts});
    while (marks.size() > 1 && now - marks[1].at >= kLength) marks.erase(marks.begin());
    add(out, peer.peer.name, marks.front(), counts, now, *target);
  }
  std::erase_if(peers_, [&](const auto& item) { return item.second.look != looks_; });
}

}  // namespace espial
