// SPDX-License-Identifier: Apache-2.0
// MetricSet: how many series a peer costs.
//
// full: every class and family, at most kFullSeriesPerPeer per peer.
// compact: exactly kCompactSeriesPerPeer per peer, whatever the traffic:
//   espial_peer_{receive,transmit}_{encrypted,unprotected,dropped}_{packets,bytes}_total{peer}  12
//   espial_peer_verdict{peer,verdict="leaking"|"mixed"|"one_way"}                                3
//   espial_peer_last_cleartext_timestamp_seconds{peer}                                           1
// and of the node what does not grow with classes: alarms are of the node (1 if one fires for any
// peer), traffic of no peer is its unknown_node packets, and those dropped. The names mean the same
// in both sets (dropped has no reason in the compact one, what the kernel dropped no peer: queries
// sum over it), so one query of coverage and one alert rule serve both.
#pragma once

#include <optional>
#include <string_view>

#include "model/report.h"

namespace espial {

inline constexpr std::size_t kFullSetMaxPeers = 64;
inline constexpr std::size_t kFullSeriesPerPeer = 306;
inline constexpr std::size_t kCompactSeriesPerPeer = 16;

enum class MetricSet : std::uint8_t { kFull, kCompact };

// `metrics` of the configuration: auto, full, compact.
enum class MetricChoice : std::uint8_t { kAuto, kFull, kCompact };
std::optional<MetricChoice> parse_metric_choice(std::string_view text);

// auto is full up to kFullSetMaxPeers peers, as long as no peer has so many networks that it would
// exceed kFullSeriesPerPeer.
MetricSet choose_metric_set(MetricChoice choice, const Report& report);

}  // namespace espial
