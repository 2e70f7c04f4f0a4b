// SPDX-License-Identifier: Apache-2.0
// How metrics are described, once for the text and for prometheus-cpp. A family with a series or
// two gives their labels as they are, {{"map", name}}; one with a series for every peer begins them
// with PeerLabels.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <string_view>
#include <vector>

#include "exposition/family.h"
#include "model/snapshot.h"

namespace espial {

using exposition::Labels;
using MetricBuilder = exposition::FamilyBuilder;

// Takes families one at a time, so that only one is in memory.
using FamilySink = std::function<void(const exposition::Family&)>;

// peer="…" of each peer, parallel to Snapshot::peers.
using PeerLabels = std::vector<Labels>;

// What a cell counts, each a family of its own.
struct CellUnit {
  std::string_view name;
  std::uint64_t Cell::*cell;
};
inline constexpr std::array kCellUnits{CellUnit{"packets", &Cell::packets},
                                       CellUnit{"bytes", &Cell::bytes}};

// Unix time as a gauge carries it: whole milliseconds, which a double holds exactly enough to print
// them back.
inline double timestamp_seconds(WallTime time) {
  const auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
  return static_cast<double>(since_epoch.count()) / 1000.0;
}

}  // namespace espial
