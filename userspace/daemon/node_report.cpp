// SPDX-License-Identifier: Apache-2.0
// A running node looks at its counters and sources, and publishes what follows from them.
#include <spdlog/spdlog.h>

#include "daemon/moment.h"
#include "daemon/node.h"
#include "exporter/documents/alarms_document.h"
#include "sources/proc/xfrm_stat.h"

namespace espial {
namespace {

std::uint64_t unprotected(const PeerCounters& counters) {
  std::uint64_t sum = 0;
  for (const auto& direction : counters.cells)
    for (const auto& family : direction)
      for (std::size_t c = 0; c < kClasses; ++c)
        if (kClassCoverage[c] == Coverage::UNPROTECTED || c == at(Class::UNKNOWN_NODE))
          sum += family[c].packets;
  return sum;
}

}  // namespace

void Node::evaluate() {
  auto taken = snapshot();
  if (!taken.ok()) {
    spdlog::error("{}", taken.error().message);
    return;
  }
  policies_.follow(taken->peers, this_moment());
  read_flows(*taken);
  evaluator_.set_coverage_target(config_.coverage_target);
  std::shared_ptr<const Probing> probing;
  if (auto probes = probes_.read()) {
    path_mtu_.add_to(*probes, topology_);
    probing = std::make_shared<const Probing>(std::move(*probes));
  }
  auto evaluation = evaluator_.evaluate(std::move(*taken), std::move(probing));
  teller_.tell(evaluation.changes);
  if (notifier_) notifier_->publish(evaluation.report.alarms, evaluation.report.snapshot.time);
  latest_->publish(std::make_shared<const Report>(std::move(evaluation.report)));
}

nlohmann::json Node::alarms() const {
  std::vector<std::string> peers;
  for (const auto& peer : topology_.peers) peers.push_back(peer.name);
  return alarms_document({topology_.node, config_.instance, std::chrono::system_clock::now(),
                          std::nullopt, std::move(peers), evaluator_.alarms(), teller_.counts()});
}

void Node::save_alarms() { keeper_.finish(evaluator_.alarms(), this_moment()); }

void Node::on_probe_events() {
  const auto look = [this](const std::string& peer) -> Result<PeerCounters> {
    const auto id = identities_.peer(peer);
    if (id == 0) return PeerCounters{};
    return counters_.peer(maps_, id);
  };
  probes_.advance(look, *mesh_);
}

void Node::read_flows(const Snapshot& snapshot) {
  std::uint64_t seen = unprotected(snapshot.no_peer);
  for (const auto& peer : snapshot.peers) seen += unprotected(peer.counters);
  if (seen == unprotected_seen_) return;
  unprotected_seen_ = seen;
  auto flows = counters_.flows(maps_, identities_);
  if (flows.ok())
    flows_->publish(std::move(*flows));
  else
    spdlog::error("{}", flows.error().message);
}

std::vector<SourceStatus> Node::sources() const {
  std::vector<SourceStatus> sources{
      {"alarms", keeper_.problem().empty(), keeper_.problem()},
      {"file", last_reload_successful_.value_or(true), last_reload_error_},
      firewall_.source(),
      {"policy", policies_.problem().empty(), policies_.problem()},
      {"routes", true, ""},
      {"saved", saved_problem_.empty(), saved_problem_},
      {"xfrm", facts_.xfrm_readable, facts_.xfrm_reason},
      {"xfrm_state", programs_.xfrm_state(),
       programs_.xfrm_state() ? ""
                              : "this kernel does not expose the XFRM state to BPF, so decrypted "
                                "packets cannot be recognized"},
  };
  // A charon in a container shows its socket to nobody: that is no source that fails.
  const bool expected = config_.vici != "auto" || charon_seen_;
  if (!vici_.off() && expected)
    sources.push_back({"vici", vici_.facts().readable, vici_.facts().reason});
  if (cluster_.state == OpensvcState::kReadable || cluster_.state == OpensvcState::kUnreadable)
    sources.insert(sources.begin() + 2, {"opensvc", cluster_.readable(), cluster_.reason});
  // No source of facts, but a way of espial's that can be blocked: it is told like one.
  for (const auto& receiver : notified().receivers)
    sources.push_back({receiver.receiver, receiver.problem.empty(), receiver.problem});
  return sources;
}

Result<Snapshot> Node::snapshot() {
  Snapshot snapshot;
  snapshot.time = std::chrono::system_clock::now();
  snapshot.monotonic = std::chrono::steady_clock::now();
  snapshot.node = topology_.node;
  snapshot.instance = config_.instance;
  snapshot.daemon = true;
  snapshot.peers.reserve(topology_.peers.size());
  for (const auto& peer : topology_.peers) {
    const auto id = identities_.peer(peer.name);
    PeerSnapshot entry{peer, {}};
    if (id != 0) {
      EP_ASSIGN(counters, counters_.peer(maps_, id));
      entry.counters = counters;
    }
    snapshot.peers.push_back(std::move(entry));
  }
  EP_ASSIGN(no_peer, counters_.peer(maps_, 0));
  snapshot.no_peer = no_peer;
  EP_ASSIGN(networks, counters_.networks(maps_, identities_));
  snapshot.networks = std::move(networks);
  EP_TRY(counters_.node(maps_, snapshot));
  snapshot.devices = attachments_.status();
  const auto xdp = xdp_.status();
  for (auto& device : snapshot.devices)
    if (const auto found = xdp.find(device.ifindex); found != xdp.end()) device.xdp = found->second;
  snapshot.programs = programs_.use();
  snapshot.gaps = gaps_;
  snapshot.xfrm_block = backstop_.snapshot();
  snapshot.restored = restored_;
  snapshot.sources = sources();
  drops_.read(snapshot, identities_);
  if (auto source = probes_.source()) snapshot.sources.push_back(std::move(*source));
  snapshot.maps = CounterReader::usage(maps_, identities_, programs_.table_entries(),
                                       programs_.capacity().slots);
  snapshot.findings = topology_.findings;
  snapshot.mesh = mesh_;
  if (auto errors = read_xfrm_stat(); errors.ok()) snapshot.xfrm_errors = std::move(*errors);
  snapshot.last_reload_successful = last_reload_successful_;
  snapshot.last_reload_error = last_reload_error_;
  return snapshot;
}

}  // namespace espial
