// SPDX-License-Identifier: Apache-2.0
#include "exporter/peer_metrics.h"

#include <array>
#include <cassert>
#include <string>

#include "exporter/drop_metrics.h"
#include "exporter/enforcement_metrics.h"
#include "exporter/mesh_metrics.h"
#include "exporter/metric_builder.h"

namespace espial {

namespace {

constexpr std::array kFamilyList{Family::kIpv4, Family::kIpv6};

struct Unit {
  std::string_view name;
  std::uint64_t Cell::*cell;
};
constexpr std::array kUnits{Unit{"packets", &Cell::packets}, Unit{"bytes", &Cell::bytes}};

std::string metric_name(std::size_t direction, std::string_view rest) {
  return "espial_peer_" + std::string(kDirectionLabels[direction]) + "_" + std::string(rest);
}

std::string_view verb(std::size_t direction) {
  return direction == at(Direction::RECEIVE) ? "received from" : "sent to";
}

void visit_classes(const Report& report, std::size_t d, const Unit& unit, const FamilySink& sink) {
  const std::string help = "What was " + std::string(verb(d)) + " the peer on the wire, in " +
                           std::string(unit.name) +
                           ", by class and family of the outermost header.";
  auto metric = MetricBuilder::counter(metric_name(d, std::string(unit.name) + "_total"), help);
  for (const PeerSnapshot& peer : report.snapshot.peers)
    for (std::size_t c = 0; c < kClasses; ++c)
      for (const Family f : kFamilyList)
        metric.add({{"peer", peer.peer.name}, {"class", kClassLabels[c]}, {"family", to_string(f)}},
                   peer.counters.cells[d][at(f)][c].*unit.cell);
  sink(std::move(metric).take());
}

struct Protection {
  std::string_view name;
  std::string_view help;
  std::uint64_t Flux::*packets;
  std::uint64_t Flux::*bytes;
};
constexpr std::array kProtections{
    Protection{"encrypted",
               "esp, esp_udp and esp_tcp; if received, the bigger of those and decrypted.",
               &Flux::encrypted, &Flux::encrypted_bytes},
    Protection{"unprotected", "Every class that is unprotected for coverage.", &Flux::unprotected,
               &Flux::unprotected_bytes},
};

void visit_protection(const Report& report, std::size_t d, const Protection& protection,
                      bool packets, const FamilySink& sink) {
  const std::string_view unit = packets ? "packets" : "bytes";
  auto metric = MetricBuilder::counter(
      metric_name(d, std::string(protection.name) + "_" + std::string(unit) + "_total"),
      protection.help);
  const auto member = packets ? protection.packets : protection.bytes;
  for (std::size_t i = 0; i < report.peers.size(); ++i)
    metric.add({{"peer", report.snapshot.peers[i].peer.name}}, report.peers[i].total[d].*member);
  sink(std::move(metric).take());
}

void visit_coverage(const Report& report, const FamilySink& sink) {
  for (std::size_t d = 0; d < kDirections; ++d)
    for (const Protection& protection : kProtections)
      for (const bool packets : {true, false})
        visit_protection(report, d, protection, packets, sink);
}

void visit_decrypted(const Report& report, const FamilySink& sink) {
  auto decrypted = MetricBuilder::counter(
      "espial_peer_receive_decrypted_packets_total",
      "Inner packets that came back from IPsec, told by their XFRM state, by inner family.");
  auto spoofed = MetricBuilder::counter(
      "espial_peer_receive_spoofed_packets_total",
      "Decrypted packets whose SA belongs to another peer, or whose inner source is this node's.");
  for (const PeerSnapshot& peer : report.snapshot.peers) {
    for (const Family f : kFamilyList)
      decrypted.add({{"peer", peer.peer.name}, {"family", to_string(f)}},
                    peer.counters.decrypted[at(f)].packets);
    spoofed.add({{"peer", peer.peer.name}}, peer.counters.spoofed);
  }
  sink(std::move(decrypted).take());
  sink(std::move(spoofed).take());
}

void visit_networks(const Report& report, const FamilySink& sink) {
  for (std::size_t d = 0; d < kDirections; ++d) {
    auto metric = MetricBuilder::counter(
        "espial_network_" + std::string(kDirectionLabels[d]) + "_cleartext_packets_total",
        "Cleartext packets " + std::string(verb(d)) +
            " the peer in this network. ESP hides its network, so there is no other class.");
    for (const NetworkCounters& network : report.snapshot.networks)
      metric.add({{"peer", network.peer}, {"network", network.network}},
                 network.cleartext_packets[d]);
    sink(std::move(metric).take());
  }
}

void visit_last_cleartext(const Report& report, const FamilySink& sink) {
  auto metric = MetricBuilder::gauge("espial_peer_last_cleartext_timestamp_seconds",
                                     "When the last unprotected packet passed; 0 = never.");
  for (const PeerSnapshot& peer : report.snapshot.peers) {
    const auto last = peer.counters.last_cleartext();
    metric.add({{"peer", peer.peer.name}}, last ? timestamp_seconds(*last) : 0.0);
  }
  sink(std::move(metric).take());
}

bool in_compact_set(Verdict verdict) {
  return verdict == Verdict::kLeaking || verdict == Verdict::kMixed || verdict == Verdict::kOneWay;
}

void visit_verdict(const Report& report, MetricSet set, const FamilySink& sink) {
  auto metric = MetricBuilder::gauge("espial_peer_verdict",
                                     "1 for the peer's verdict over the last minute, else 0.");
  for (std::size_t i = 0; i < report.peers.size(); ++i)
    for (std::size_t v = 0; v < kVerdicts; ++v) {
      const auto verdict = static_cast<Verdict>(v);
      if (set == MetricSet::kCompact && !in_compact_set(verdict)) continue;
      metric.add({{"peer", report.snapshot.peers[i].peer.name}, {"verdict", to_string(verdict)}},
                 report.peers[i].verdict == verdict);
    }
  sink(std::move(metric).take());
}

void visit_mode(const Report& report, const FamilySink& sink) {
  auto metric = MetricBuilder::gauge("espial_peer_mode", "1 for the peer's mode, else 0.");
  for (const PeerSnapshot& peer : report.snapshot.peers)
    for (const Mode mode : {Mode::MONITOR, Mode::AUDIT, Mode::ENFORCE})
      metric.add({{"peer", peer.peer.name}, {"mode", to_string(mode)}}, peer.peer.mode == mode);
  sink(std::move(metric).take());
}

}  // namespace

void visit_peer_families(const Report& report, MetricSet set, const FamilySink& sink) {
  assert(report.peers.size() == report.snapshot.peers.size());
  const bool full = set == MetricSet::kFull;
  if (full)
    for (std::size_t d = 0; d < kDirections; ++d)
      for (const Unit& unit : kUnits) visit_classes(report, d, unit, sink);
  visit_coverage(report, sink);
  visit_peer_enforcement(report, set, sink);
  visit_drops(report, set, sink);
  if (full) visit_decrypted(report, sink);
  if (full) visit_networks(report, sink);
  visit_last_cleartext(report, sink);
  visit_verdict(report, set, sink);
  if (full) visit_mode(report, sink);
  if (full) visit_peer_mesh(report, sink);
}

}  // namespace espial
