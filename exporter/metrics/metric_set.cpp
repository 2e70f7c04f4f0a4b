// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics/metric_set.h"

#include <string>
#include <unordered_map>

#include "exporter/metrics/families.h"
#include "model/alarms/alarms.h"

namespace espial {

namespace {

std::size_t per_peer_alarms() {
  std::size_t count = 0;
  for (const AlarmRule& rule : kAlarmRules) count += rule.per_peer ? 1 : 0;
  return count;
}

// Series of a peer in the full set, without its networks.
std::size_t fixed_series(bool probing) {
  std::size_t by_class = 0;
  for (std::size_t d = 0; d < kDirections; ++d)
    for (std::size_t c = 0; c < kClasses; ++c)
      if (occurs(static_cast<Class>(c), static_cast<Direction>(d))) by_class += kFamilies * 2;
  constexpr std::size_t by_protection = kDirections * 2 * 2;
  constexpr std::size_t decrypted_spoofed_last = kFamilies + 1 + 1;
  return by_class + by_protection + enforcement_series() + decrypted_spoofed_last + kVerdicts +
         kModes + per_peer_alarms() + kPeerSaSeries + kNetfilterSeries +
         (probing ? kProbeSeries : 0);
}

}  // namespace

std::optional<MetricChoice> parse_metric_choice(std::string_view text) {
  if (text == "auto") return MetricChoice::kAuto;
  if (text == "full") return MetricChoice::kFull;
  if (text == "compact") return MetricChoice::kCompact;
  return std::nullopt;
}

MetricSet choose_metric_set(MetricChoice choice, const Report& report) {
  switch (choice) {
    case MetricChoice::kFull:
      return MetricSet::kFull;
    case MetricChoice::kCompact:
      return MetricSet::kCompact;
    case MetricChoice::kAuto:
      break;
  }
  if (report.snapshot.peers.size() > kFullSetMaxPeers) return MetricSet::kCompact;
  std::unordered_map<std::string_view, std::size_t> series;
  const std::size_t fixed = fixed_series(report.probing != nullptr);
  for (const PeerSnapshot& peer : report.snapshot.peers)
    series[peer.peer.name] = fixed + peer.counters.kernel.reasons.size();
  for (const NetworkCounters& network : report.snapshot.networks) {
    std::size_t& count = series.try_emplace(network.peer, fixed).first->second;
    count += 2 * kDirections;  // cleartext, policy_missing
    if (count > kFullSeriesPerPeer) return MetricSet::kCompact;
  }
  return MetricSet::kFull;
}

}  // namespace espial
