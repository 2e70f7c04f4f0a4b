// SPDX-License-Identifier: Apache-2.0
#include "model/evaluate.h"

#include "model/coverage.h"
#include "model/verdict.h"

namespace espial {

namespace {

PeerReport report_peer(const PeerCounters& counters, const PeerWindow& window, const Sight& sight,
                       const PeerAudit* audit) {
  Judgement judgement = judge(window, sight, audit);
  PeerReport out{.verdict = judgement.verdict, .reason = std::move(judgement.reason)};
  const Tally total = tally_of(counters);
  for (const Direction d : {Direction::RECEIVE, Direction::TRANSMIT}) {
    out.window[at(d)] = flux_of(window.growth, d);
    out.total[at(d)] = flux_of(total, d);
  }
  return out;
}

}  // namespace

Evaluator::Evaluator(std::chrono::seconds window) : window_(window) {}

Evaluation Evaluator::evaluate(Snapshot snapshot) {
  const NodeWindow window = window_.advance(snapshot);
  const Sight sight = sight_of(snapshot.devices);
  Evaluation out;
  out.report.window = std::chrono::round<std::chrono::seconds>(window.covered);
  out.report.peers.reserve(snapshot.peers.size());
  for (std::size_t i = 0; i < snapshot.peers.size(); ++i) {
    const PeerSnapshot& peer = snapshot.peers[i];
    const auto* audit = snapshot.mesh ? snapshot.mesh->find(peer.peer.name) : nullptr;
    out.report.peers.push_back(report_peer(peer.counters, window.peers[i], sight, audit));
  }
  auto conditions = alarm_conditions(snapshot, window);
  add_mesh_conditions(conditions, snapshot, window,
                      xfrm_errors_.advance(snapshot.xfrm_errors, snapshot.monotonic));
  out.changes = alarms_.step(conditions, snapshot.time, snapshot.monotonic);
  out.report.alarms = alarms_.alarms();
  out.report.snapshot = std::move(snapshot);
  return out;
}

}  // namespace espial
