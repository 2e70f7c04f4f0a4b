// SPDX-License-Identifier: Apache-2.0
#include "model/evaluate/evaluate.h"

#include <algorithm>

#include "model/alarms/conditions.h"
#include "model/probing.h"
#include "model/traffic/coverage.h"
#include "model/traffic/verdict.h"

namespace espial {

namespace {

PeerReport report_peer(const Tally& total, const PeerWindow& window, const Visibility& visibility,
                       const PeerAudit* audit) {
  Judgement judgement = judge(window, visibility, audit);
  PeerReport out{.verdict = judgement.verdict, .reason = std::move(judgement.reason)};
  for (const Direction d : {Direction::RECEIVE, Direction::TRANSMIT}) {
    out.window[at(d)] = traffic_of(window.growth, d);
    out.total[at(d)] = traffic_of(total, d);
  }
  return out;
}

void add_cause(const LeakView& view, PeerReport& report) {
  if (report.verdict != Verdict::kLeaking && report.verdict != Verdict::kMixed) return;
  const auto cause = cause_of_leak(view);
  if (!cause.empty()) report.reason += "; " + cause;
}

}  // namespace

Evaluator::Evaluator(std::chrono::seconds window) : window_(window) {}

Evaluation Evaluator::evaluate(Snapshot snapshot, std::shared_ptr<const Probing> probing) {
  const auto offloaded = offload_.advance(snapshot);
  const NodeWindow window = window_.advance(snapshot, offloaded);
  const Visibility visibility = visibility_of(snapshot.devices);
  Evaluation out;
  out.report.window = std::chrono::round<std::chrono::seconds>(window.covered);
  const auto networks = leaks_.advance(snapshot);
  const auto view = [&](std::size_t i) {
    const auto& name = snapshot.peers[i].peer.name;
    const auto leaking = networks.find(name);
    return LeakView{name, window.peers[i], snapshot.mesh ? snapshot.mesh->find(name) : nullptr,
                    leaking == networks.end() ? nullptr : &leaking->second};
  };
  out.report.peers.reserve(snapshot.peers.size());
  for (std::size_t i = 0; i < snapshot.peers.size(); ++i) {
    const PeerSnapshot& peer = snapshot.peers[i];
    const auto seen = view(i);
    out.report.peers.push_back(
        report_peer(tally_of(peer.counters, offloaded[i]), seen.window, visibility, seen.audit));
    add_cause(seen, out.report.peers.back());
    if (const auto* probes = probing ? probing->find(peer.peer.name) : nullptr)
      out.report.peers.back().reason += own_probes_text(*probes);
  }
  const auto unknown = unknown_spi_.advance(snapshot);
  std::vector<XfrmError> by_peer;
  for (std::size_t i = 0; i < snapshot.peers.size(); ++i) {
    out.report.peers[i].unknown_spi = unknown[i];
    if (unknown[i] > 0) by_peer.push_back({snapshot.peers[i].peer.name, unknown[i]});
  }
  auto conditions = alarm_conditions(snapshot, window);
  add_mesh_conditions(conditions, snapshot, window,
                      xfrm_errors_.advance(snapshot.xfrm_errors, snapshot.monotonic));
  if (probing) add_probe_conditions(conditions, *probing);
  add_unknown_spi(conditions, unknown_spi_growth_.advance(by_peer, snapshot.monotonic));
  coverage_.advance(snapshot, offloaded, target_, conditions);
  for (auto& condition : conditions) {
    const auto peer = std::lower_bound(
        snapshot.peers.begin(), snapshot.peers.end(), condition.peer,
        [](const PeerSnapshot& one, const std::string& name) { return one.peer.name < name; });
    if (peer != snapshot.peers.end() && peer->peer.name == condition.peer)
      name_cause(view(static_cast<std::size_t>(peer - snapshot.peers.begin())), condition);
  }
  out.changes = alarms_.step(conditions, snapshot.time, snapshot.monotonic);
  out.report.alarms = alarms_.alarms();
  out.report.snapshot = std::move(snapshot);
  out.report.probing = std::move(probing);
  return out;
}

}  // namespace espial
