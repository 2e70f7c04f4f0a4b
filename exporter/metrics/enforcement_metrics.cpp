// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics/families.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace espial {

namespace {

constexpr std::array kDirectionList{Direction::RECEIVE, Direction::TRANSMIT};

// What one family counts.
struct Rows {
  Action action;
  Direction direction;
  CellUnit unit;
};

std::string_view help_of(Action action, Direction direction) {
  if (action == Action::kWouldDrop)
    return "Packets that passed and that mode enforce would have dropped.";
  return direction == Direction::RECEIVE ? "Packets that espial dropped on receive. They were on "
                                           "the wire, so the wire counters include them."
                                         : "Packets that espial dropped on transmit. They never "
                                           "reached the wire; no other counter includes them.";
}

MetricBuilder enforced_family(std::string_view whose, const Rows& rows) {
  return MetricBuilder::counter(std::string(whose) + std::string(to_string(rows.direction)) + "_" +
                                    std::string(kActionLabels[at(rows.action)]) + "_" +
                                    std::string(rows.unit.name) + "_total",
                                help_of(rows.action, rows.direction));
}

MetricBuilder exempted_family(std::string_view whose, Direction direction) {
  return MetricBuilder::counter(
      std::string(whose) + std::string(to_string(direction)) + "_exempted_packets_total",
      "Unprotected packets that passed in audit or enforce because of an exemption, by exemption.");
}

const EnforcedCells& cells_of(const PeerCounters& counters, Action action) {
  return counters.enforced[at(action)];
}

std::uint64_t rows_sum(const PeerCounters& counters, const Rows& rows) {
  std::uint64_t sum = 0;
  for (const Cell& cell : cells_of(counters, rows.action)[at(rows.direction)])
    sum += cell.*rows.unit.cell;
  return sum;
}

// reason="…" of those that occur in this direction.
std::vector<std::pair<std::size_t, Labels>> reasons_of_peers(Direction direction) {
  std::vector<std::pair<std::size_t, Labels>> out;
  for (std::size_t r = 0; r < kReasons; ++r)
    if (occurs(static_cast<Reason>(r), direction, true))
      out.push_back({r, {{"reason", kReasonLabels[r]}}});
  return out;
}

void visit_peer_rows(const Report& report, const PeerLabels& peers, const Rows& rows, MetricSet set,
                     const FamilySink& sink) {
  auto metric = enforced_family("espial_peer_", rows);
  const auto reasons = reasons_of_peers(rows.direction);
  for (std::size_t i = 0; i < peers.size(); ++i) {
    const PeerCounters& counters = report.snapshot.peers[i].counters;
    if (set == MetricSet::kCompact)
      metric.add(peers[i], rows_sum(counters, rows));
    else
      for (const auto& [r, labels] : reasons)
        metric.add(peers[i], labels,
                   cells_of(counters, rows.action)[at(rows.direction)][r].*rows.unit.cell);
  }
  sink(std::move(metric).take());
}

void visit_peer_exempted(const Report& report, const PeerLabels& peers, Direction d,
                         const FamilySink& sink) {
  auto metric = exempted_family("espial_peer_", d);
  for (std::size_t i = 0; i < peers.size(); ++i)
    for (std::size_t e = 0; e < kExemptions; ++e)
      if (occurs(static_cast<Exemption>(e), true))
        metric.add(peers[i], {{"exemption", kExemptionLabels[e]}},
                   report.snapshot.peers[i].counters.exempted[at(d)][e]);
  sink(std::move(metric).take());
}

void visit_no_peer_rows(const PeerCounters& counters, const Rows& rows, const FamilySink& sink) {
  auto metric = enforced_family("espial_no_peer_", rows);
  for (std::size_t r = 0; r < kReasons; ++r)
    if (occurs(static_cast<Reason>(r), rows.direction, false))
      metric.add({{"reason", kReasonLabels[r]}},
                 cells_of(counters, rows.action)[at(rows.direction)][r].*rows.unit.cell);
  sink(std::move(metric).take());
}

void visit_no_peer_exempted(const PeerCounters& counters, Direction d, const FamilySink& sink) {
  auto metric = exempted_family("espial_no_peer_", d);
  for (std::size_t e = 0; e < kExemptions; ++e)
    if (occurs(static_cast<Exemption>(e), false))
      metric.add({{"exemption", kExemptionLabels[e]}}, counters.exempted[at(d)][e]);
  sink(std::move(metric).take());
}

}  // namespace

void visit_peer_enforcement(const Report& report, const PeerLabels& peers, MetricSet set,
                            const FamilySink& sink) {
  for (const Direction d : kDirectionList)
    for (const Action action : {Action::kDrop, Action::kWouldDrop}) {
      if (set == MetricSet::kCompact && action != Action::kDrop) continue;
      for (const CellUnit& unit : kCellUnits)
        visit_peer_rows(report, peers, {action, d, unit}, set, sink);
    }
  if (set == MetricSet::kFull)
    for (const Direction d : kDirectionList) visit_peer_exempted(report, peers, d, sink);
}

void visit_no_peer_enforcement(const Report& report, MetricSet set, const FamilySink& sink) {
  const PeerCounters& counters = report.snapshot.no_peer;
  for (const Direction d : kDirectionList) {
    for (const Action action : {Action::kDrop, Action::kWouldDrop})
      for (const CellUnit& unit : kCellUnits)
        if (set == MetricSet::kFull || (action == Action::kDrop && unit.cell == &Cell::packets))
          visit_no_peer_rows(counters, {action, d, unit}, sink);
    if (set == MetricSet::kFull) visit_no_peer_exempted(counters, d, sink);
  }
}

std::size_t enforcement_series() {
  std::size_t count = 0;
  for (const Direction d : kDirectionList) {
    for (std::size_t r = 0; r < kReasons; ++r)
      if (occurs(static_cast<Reason>(r), d, true)) count += kActions * kCellUnits.size();
    for (std::size_t e = 0; e < kExemptions; ++e)
      if (occurs(static_cast<Exemption>(e), true)) ++count;
  }
  return count;
}

}  // namespace espial
