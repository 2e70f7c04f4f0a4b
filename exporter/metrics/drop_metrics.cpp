// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics/families.h"

#include <array>

namespace espial {

namespace {

void visit_netfilter(const Report& report, const PeerLabels& peers, MetricSet set,
                     const FamilySink& sink) {
  auto metric =
      MetricBuilder::counter("espial_netfilter_dropped_packets_total",
                             "Mesh packets that netfilter dropped on this node, by hook, since the "
                             "daemon started. A GSO packet counts once, as in nft.");
  for (std::size_t h = 0; h < kHooks; ++h)
    for (const Family f : kFamilyList) {
      const Labels row{{"family", to_string(f)}, {"hook", kHookLabels[h]}};
      if (set == MetricSet::kCompact)
        metric.add(row, report.snapshot.kernel_drops.netfilter[h][at(f)]);
      else
        for (std::size_t i = 0; i < peers.size(); ++i)
          metric.add(peers[i], row, report.snapshot.peers[i].counters.kernel.netfilter[h][at(f)]);
    }
  sink(std::move(metric).take());
}

void visit_reasons(const Report& report, const PeerLabels& peers, MetricSet set,
                   const FamilySink& sink) {
  auto metric = MetricBuilder::counter(
      "espial_kernel_dropped_packets_total",
      "Mesh packets that the kernel dropped on this node, by the kernel's drop reason, since the "
      "daemon started. Drops by espial's tc programs are not included.");
  if (set == MetricSet::kCompact)
    for (const auto& [reason, packets] : report.snapshot.kernel_drops.reasons)
      metric.add({{"reason", reason}}, packets);
  else
    for (std::size_t i = 0; i < peers.size(); ++i)
      for (const auto& [reason, packets] : report.snapshot.peers[i].counters.kernel.reasons)
        metric.add(peers[i], {{"reason", reason}}, packets);
  sink(std::move(metric).take());
}

}  // namespace

void visit_drops(const Report& report, const PeerLabels& peers, MetricSet set,
                 const FamilySink& sink) {
  if (!report.snapshot.drops_seen) return;
  visit_netfilter(report, peers, set, sink);
  visit_reasons(report, peers, set, sink);
}

}  // namespace espial
