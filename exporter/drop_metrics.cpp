// SPDX-License-Identifier: Apache-2.0
#include "exporter/drop_metrics.h"

#include <array>

#include "exporter/metric_builder.h"

namespace espial {

namespace {

constexpr std::array kFamilyList{Family::kIpv4, Family::kIpv6};

void visit_netfilter(const Report& report, MetricSet set, const FamilySink& sink) {
  auto metric = MetricBuilder::counter(
      "espial_netfilter_dropped_packets_total",
      "Packets of the mesh that netfilter dropped on this node, by hook, since the daemon "
      "started; as nft counts them, a GSO packet is one.");
  for (std::size_t h = 0; h < kHooks; ++h)
    for (const Family f : kFamilyList) {
      if (set == MetricSet::kCompact)
        metric.add({{"family", to_string(f)}, {"hook", kHookLabels[h]}},
                   report.snapshot.kernel_drops.netfilter[h][at(f)]);
      else
        for (const PeerSnapshot& peer : report.snapshot.peers)
          metric.add({{"peer", peer.peer.name}, {"family", to_string(f)}, {"hook", kHookLabels[h]}},
                     peer.counters.kernel.netfilter[h][at(f)]);
    }
  sink(std::move(metric).take());
}

void visit_reasons(const Report& report, MetricSet set, const FamilySink& sink) {
  auto metric = MetricBuilder::counter(
      "espial_kernel_dropped_packets_total",
      "Packets of the mesh that the kernel dropped on this node, by its own name of the reason, "
      "since the daemon started; what espial's tc programs drop is not among them.");
  if (set == MetricSet::kCompact)
    for (const auto& [reason, packets] : report.snapshot.kernel_drops.reasons)
      metric.add({{"reason", reason}}, packets);
  else
    for (const PeerSnapshot& peer : report.snapshot.peers)
      for (const auto& [reason, packets] : peer.counters.kernel.reasons)
        metric.add({{"peer", peer.peer.name}, {"reason", reason}}, packets);
  sink(std::move(metric).take());
}

}  // namespace

void visit_drops(const Report& report, MetricSet set, const FamilySink& sink) {
  if (!report.snapshot.drops_seen) return;
  visit_netfilter(report, set, sink);
  visit_reasons(report, set, sink);
}

}  // namespace espial
