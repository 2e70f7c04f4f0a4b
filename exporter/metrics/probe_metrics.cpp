// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics/families.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "exporter/metrics/metric_builder.h"
#include "model/probing.h"

namespace espial {

namespace {

// Of all ways to a peer in one family.
struct FamilyProbes {
  bool any = false;
  bool success = true;
  bool encrypted = true;
  std::chrono::nanoseconds slowest{0};
};

FamilyProbes family_probes_of(const PeerProbing& peer, Family family) {
  FamilyProbes out;
  for (const PeerProbe& probe : peer.probes) {
    if (probe.last.target.family() != family) continue;
    out.any = true;
    out.success = out.success && probe.at && probe.last.answered > 0;
    out.encrypted = out.encrypted && probe.at && probe.last.outcome == ProbeOutcome::ENCRYPTED;
    if (probe.last.fastest) out.slowest = std::max(out.slowest, *probe.last.fastest);
  }
  return out;
}

void visit_peers(const Probing& probing, const FamilySink& sink) {
  auto success = MetricBuilder::gauge("espial_probe_success",
                                      "1 if the last probe on every path to the peer was answered, "
                                      "else 0; 0 until the first probe ends.");
  auto encrypted = MetricBuilder::gauge("espial_probe_encrypted",
                                        "1 if espial saw the last probe on every path to the peer "
                                        "on the wire, encrypted in both directions.");
  auto rtt = MetricBuilder::gauge(
      "espial_probe_rtt_seconds",
      "Round-trip time of the last probe on the slowest path to the peer; 0 = not answered.");
  for (const auto& [name, peer] : probing.peers)
    for (const Family f : kFamilyList) {
      const auto probes = family_probes_of(peer, f);
      if (!probes.any) continue;
      const auto add = [&, &peer_name = name](MetricBuilder& metric, auto value) {
        metric.add({{"peer", peer_name}, {"family", to_string(f)}}, value);
      };
      add(success, probes.success);
      add(encrypted, probes.encrypted);
      add(rtt, std::chrono::duration<double>(probes.slowest).count());
    }
  sink(std::move(success).take());
  sink(std::move(encrypted).take());
  sink(std::move(rtt).take());
}

void visit_ways(const Probing& probing, const FamilySink& sink) {
  std::array<std::array<std::uint64_t, kProbeOutcomes + 1>, kFamilies> counts{};
  for (const auto& [name, peer] : probing.peers)
    for (const PeerProbe& probe : peer.probes)
      ++counts[at(probe.last.target.family())][probe.at ? at(probe.last.outcome) : kProbeOutcomes];
  auto metric = MetricBuilder::gauge(
      "espial_probe_ways",
      "Probed paths to peers, by result of the last probe; pending = no result yet.");
  for (const Family f : kFamilyList)
    for (std::size_t o = 0; o <= kProbeOutcomes; ++o)
      metric.add({{"family", to_string(f)},
                  {"outcome", o < kProbeOutcomes ? to_string(static_cast<ProbeOutcome>(o))
                                                 : std::string_view("pending")}},
                 counts[at(f)][o]);
  sink(std::move(metric).take());
}

}  // namespace

void visit_probes(const Report& report, MetricSet set, const FamilySink& sink) {
  if (!report.probing) return;
  if (set == MetricSet::kFull) visit_peers(*report.probing, sink);
  visit_ways(*report.probing, sink);
}

}  // namespace espial
