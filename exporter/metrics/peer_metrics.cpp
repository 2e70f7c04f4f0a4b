// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics/families.h"

#include <array>
#include <cassert>
#include <string>

namespace espial {

namespace {

std::string metric_name(std::size_t direction, std::string_view rest) {
  return "espial_peer_" + std::string(kDirectionLabels[direction]) + "_" + std::string(rest);
}

std::string_view verb(std::size_t direction) {
  return direction == at(Direction::RECEIVE) ? "received from" : "sent to";
}

// class="…",family="…" of each class and family, in this order.
std::vector<Labels> class_labels() {
  std::vector<Labels> out;
  for (const std::string_view name : kClassLabels)
    for (const Family f : kFamilyList) out.push_back({{"class", name}, {"family", to_string(f)}});
  return out;
}

void visit_classes(const Report& report, const PeerLabels& peers, std::size_t d,
                   const CellUnit& unit, const FamilySink& sink) {
  const std::string help = "What was " + std::string(verb(d)) + " the peer on the wire, in " +
                           std::string(unit.name) +
                           ", by class and family of the outermost header.";
  auto metric = MetricBuilder::counter(metric_name(d, std::string(unit.name) + "_total"), help);
  const auto rows = class_labels();
  for (std::size_t i = 0; i < peers.size(); ++i) {
    auto row = rows.begin();
    for (std::size_t c = 0; c < kClasses; ++c)
      for (const Family f : kFamilyList) {
        const auto& labels = *row++;
        if (!occurs(static_cast<Class>(c), static_cast<Direction>(d))) continue;
        metric.add(peers[i], labels,
                   report.snapshot.peers[i].counters.cells[d][at(f)][c].*unit.cell);
      }
  }
  sink(std::move(metric).take());
}

using TrafficMember = std::uint64_t Traffic::*;
struct Protection {
  std::string_view name;
  std::string_view help;
  TrafficMember packets;
  TrafficMember bytes;
};
constexpr std::array kProtections{
    Protection{"encrypted",
               "esp, esp_udp and esp_tcp; on receive, the larger of their sum and decrypted.",
               &Traffic::encrypted, &Traffic::encrypted_bytes},
    Protection{"unprotected", "All classes that count as unprotected for coverage.",
               &Traffic::unprotected, &Traffic::unprotected_bytes},
};

void visit_protection(const Report& report, const PeerLabels& peers, std::size_t d,
                      const Protection& protection, bool packets, const FamilySink& sink) {
  const std::string_view unit = packets ? "packets" : "bytes";
  auto metric = MetricBuilder::counter(
      metric_name(d, std::string(protection.name) + "_" + std::string(unit) + "_total"),
      protection.help);
  const auto member = packets ? protection.packets : protection.bytes;
  for (std::size_t i = 0; i < peers.size(); ++i)
    metric.add(peers[i], report.peers[i].total[d].*member);
  sink(std::move(metric).take());
}

void visit_coverage(const Report& report, const PeerLabels& peers, const FamilySink& sink) {
  for (std::size_t d = 0; d < kDirections; ++d)
    for (const Protection& protection : kProtections)
      for (const bool packets : {true, false})
        visit_protection(report, peers, d, protection, packets, sink);
}

void visit_decrypted(const Report& report, const PeerLabels& peers, const FamilySink& sink) {
  auto decrypted = MetricBuilder::counter(
      "espial_peer_receive_decrypted_packets_total",
      "Inner packets that IPsec decrypted, recognized by their XFRM state, by inner family.");
  auto spoofed = MetricBuilder::counter("espial_peer_receive_spoofed_packets_total",
                                        "Decrypted packets whose SA belongs to another peer, or "
                                        "whose inner source is an address of this node.");
  for (std::size_t i = 0; i < peers.size(); ++i) {
    const PeerCounters& counters = report.snapshot.peers[i].counters;
    for (const Family f : kFamilyList)
      decrypted.add(peers[i], {{"family", to_string(f)}}, counters.decrypted[at(f)].packets);
    spoofed.add(peers[i], counters.spoofed);
  }
  sink(std::move(decrypted).take());
  sink(std::move(spoofed).take());
}

void visit_networks(const Report& report, const FamilySink& sink) {
  for (std::size_t d = 0; d < kDirections; ++d) {
    auto metric = MetricBuilder::counter(
        "espial_network_" + std::string(kDirectionLabels[d]) + "_cleartext_packets_total",
        "Cleartext packets " + std::string(verb(d)) +
            " the peer in this network. ESP hides the network, so there are no other classes.");
    for (const NetworkCounters& network : report.snapshot.networks)
      metric.add({{"peer", network.peer}, {"network", network.network}},
                 network.cleartext_packets[d]);
    sink(std::move(metric).take());
  }
}

void visit_last_cleartext(const Report& report, const PeerLabels& peers, const FamilySink& sink) {
  auto metric = MetricBuilder::gauge("espial_peer_last_cleartext_timestamp_seconds",
                                     "Unix time of the last unprotected packet; 0 = never.");
  for (std::size_t i = 0; i < peers.size(); ++i) {
    const auto last = report.snapshot.peers[i].counters.last_cleartext();
    metric.add(peers[i], last ? timestamp_seconds(*last) : 0.0);
  }
  sink(std::move(metric).take());
}

bool in_compact_set(Verdict verdict) {
  return verdict == Verdict::kLeaking || verdict == Verdict::kMixed || verdict == Verdict::kOneWay;
}

void visit_verdict(const Report& report, const PeerLabels& peers, MetricSet set,
                   const FamilySink& sink) {
  auto metric = MetricBuilder::gauge("espial_peer_verdict",
                                     "1 for the peer's verdict over the last minute, else 0.");
  std::vector<std::pair<Verdict, Labels>> rows;
  for (std::size_t v = 0; v < kVerdicts; ++v) {
    const auto verdict = static_cast<Verdict>(v);
    if (set == MetricSet::kFull || in_compact_set(verdict))
      rows.push_back({verdict, {{"verdict", to_string(verdict)}}});
  }
  for (std::size_t i = 0; i < peers.size(); ++i)
    for (const auto& [verdict, labels] : rows)
      metric.add(peers[i], labels, report.peers[i].verdict == verdict);
  sink(std::move(metric).take());
}

void visit_mode(const Report& report, const PeerLabels& peers, const FamilySink& sink) {
  auto metric = MetricBuilder::gauge("espial_peer_mode", "1 for the peer's mode, else 0.");
  for (std::size_t i = 0; i < peers.size(); ++i)
    for (const Mode mode : {Mode::MONITOR, Mode::AUDIT, Mode::ENFORCE})
      metric.add(peers[i], {{"mode", to_string(mode)}}, report.snapshot.peers[i].peer.mode == mode);
  sink(std::move(metric).take());
}

}  // namespace

void visit_peer_families(const Report& report, MetricSet set, const FamilySink& sink) {
  assert(report.peers.size() == report.snapshot.peers.size());
  const bool full = set == MetricSet::kFull;
  PeerLabels peers;
  peers.reserve(report.peers.size());
  for (const PeerSnapshot& peer : report.snapshot.peers)
    peers.push_back({{"peer", peer.peer.name}});
  if (full)
    for (std::size_t d = 0; d < kDirections; ++d)
      for (const CellUnit& unit : kCellUnits) visit_classes(report, peers, d, unit, sink);
  visit_coverage(report, peers, sink);
  visit_peer_enforcement(report, peers, set, sink);
  visit_drops(report, peers, set, sink);
  if (full) visit_decrypted(report, peers, sink);
  if (full) visit_networks(report, sink);
  visit_last_cleartext(report, peers, sink);
  visit_verdict(report, peers, set, sink);
  if (full) visit_mode(report, peers, sink);
  if (full) visit_peer_mesh(report, peers, sink);
}

}  // namespace espial
