// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics/families.h"

#include <array>
#include <map>
#include <string>

namespace espial {

namespace {

const PeerAudit* audit_of(const Report& report, const PeerSnapshot& peer) {
  return report.snapshot.mesh ? report.snapshot.mesh->find(peer.peer.name) : nullptr;
}

// By network: in some pair of it, a packet finds no policy.
void add_missing(const PeerSnapshot& peer, const Labels& labels, const PeerAudit* audit,
                 MetricBuilder& metric) {
  std::map<std::string, std::array<bool, kDirections>> missing;
  for (const auto& backend : peer.peer.backends) missing[backend.network] = {};
  if (audit != nullptr)
    for (const auto& pair : audit->pairs)
      for (std::size_t d = 0; d < kDirections; ++d)
        missing[pair.network][d] = missing[pair.network][d] || pair.policy_missing[d];
  for (const auto& [network, directions] : missing)
    for (std::size_t d = 0; d < kDirections; ++d)
      metric.add(labels, {{"network", network}, {"direction", kDirectionLabels[d]}}, directions[d]);
}

// No SA or no policy for what arrives, clear where IPsec is demanded, no SA for what leaves.
bool of_the_mesh(std::string_view error) {
  return error == "XfrmInNoStates" || error == "XfrmInNoPols" || error == "XfrmInTmplMismatch" ||
         error == "XfrmOutNoStates" || error == "XfrmOutPolBlock";
}

}  // namespace

void visit_peer_mesh(const Report& report, const PeerLabels& peers, const FamilySink& sink) {
  auto missing = MetricBuilder::gauge("espial_peer_policy_missing",
                                      "1 if some packet between this node and the peer's subnets "
                                      "in the network matches no IPsec policy, else 0.");
  auto sas = MetricBuilder::gauge("espial_peer_sas", "SAs with the peer, by state.");
  auto offloaded = MetricBuilder::gauge("espial_peer_sas_offloaded",
                                        "SAs with the peer in packet offload: the device encrypts "
                                        "after espial has seen the packets in clear.");
  auto expiry = MetricBuilder::gauge("espial_peer_sa_expiry_timestamp_seconds",
                                     "Unix time when the last SA to the peer expires unless it is "
                                     "rekeyed; 0 = no SA, or no expiry.");
  auto unknown = MetricBuilder::counter(
      "espial_peer_unknown_spi_packets_total",
      "ESP packets received from the peer that matched no SA, since the daemon started.");
  for (std::size_t i = 0; i < report.peers.size(); ++i) {
    const PeerSnapshot& peer = report.snapshot.peers[i];
    if (peer.peer.state == PeerState::kCandidate) continue;
    unknown.add(peers[i], report.peers[i].unknown_spi);
    const auto* audit = audit_of(report, peer);
    const PeerSas none;
    const PeerSas& counted = audit == nullptr ? none : audit->sas;
    add_missing(peer, peers[i], audit, missing);
    const auto add = [&](std::string_view state, std::uint64_t count) {
      sas.add(peers[i], {{"state", state}}, count);
    };
    add("in", counted.installed_in);
    add("out", counted.installed_out);
    add("larval", counted.larval);
    add("null_encryption", counted.null_encryption);
    offloaded.add(peers[i], std::uint64_t{counted.offloaded});
    expiry.add(peers[i], static_cast<double>(counted.expires.value_or(0)));
  }
  sink(std::move(missing).take());
  sink(std::move(sas).take());
  sink(std::move(offloaded).take());
  sink(std::move(expiry).take());
  sink(std::move(unknown).take());
}

void visit_xfrm_errors(const Snapshot& snapshot, MetricSet set, const FamilySink& sink) {
  auto metric =
      MetricBuilder::counter("espial_xfrm_errors_total", "XFRM errors, as the kernel counts them.");
  for (const auto& error : snapshot.xfrm_errors)
    if (set == MetricSet::kFull || of_the_mesh(error.name))
      metric.add({{"error", error.name}}, error.count);
  sink(std::move(metric).take());
}

}  // namespace espial
