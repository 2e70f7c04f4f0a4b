// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics/families.h"

#include <array>
#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "model/alarms/alarms.h"

namespace espial {

namespace {

void visit_no_peer(const Report& report, std::size_t d, bool packets, MetricSet set,
                   const FamilySink& sink) {
  const std::string unit = packets ? "packets" : "bytes";
  auto metric = MetricBuilder::counter(
      "espial_no_peer_" + std::string(kDirectionLabels[d]) + "_" + unit + "_total",
      "Traffic on wire devices that belongs to no peer, by class and by family of the outermost "
      "header.");
  for (std::size_t c = 0; c < kClasses; ++c) {
    if (set == MetricSet::kCompact && static_cast<Class>(c) != Class::UNKNOWN_NODE) continue;
    if (!occurs(static_cast<Class>(c), static_cast<Direction>(d))) continue;
    for (const Family f : kFamilyList) {
      const Cell& cell = report.snapshot.no_peer.cells[d][at(f)][c];
      metric.add({{"class", kClassLabels[c]}, {"family", to_string(f)}},
                 packets ? cell.packets : cell.bytes);
    }
  }
  sink(std::move(metric).take());
}

void visit_devices(const Snapshot& snapshot, const FamilySink& sink) {
  auto attached = MetricBuilder::gauge(
      "espial_program_attached", "1 if espial's program is attached to the device's hook, else 0.");
  for (const DeviceSnapshot& d : snapshot.devices) {
    attached.add({{"device", d.name}, {"hook", "ingress"}, {"mode", to_string(d.mode)}},
                 d.receive_attached);
    if (d.role != DeviceRole::kReentry)
      attached.add({{"device", d.name}, {"hook", "egress"}, {"mode", to_string(d.mode)}},
                   d.transmit_attached);
    if (d.xdp.wanted)
      attached.add({{"device", d.name}, {"hook", "xdp"}, {"mode", "native"}}, d.xdp.attached);
  }
  sink(std::move(attached).take());
}

void visit_gaps(const Snapshot& snapshot, const FamilySink& sink) {
  auto gaps = MetricBuilder::counter("espial_device_gaps_total",
                                     "Times a wire device was without its programs: it was new, or "
                                     "they had been removed externally.");
  gaps.add({}, snapshot.gaps.count);
  sink(std::move(gaps).take());
  auto seconds = MetricBuilder::counter("espial_device_gap_seconds_total",
                                        "Time that wire devices were without their programs.");
  seconds.add({}, std::chrono::duration<double>(snapshot.gaps.total).count());
  sink(std::move(seconds).take());
}

void visit_backstop(const Snapshot& snapshot, const FamilySink& sink) {
  auto wanted = MetricBuilder::gauge(
      "espial_xfrm_block_policies_wanted",
      "XFRM policies that the backstop should have in place for enforced peers.");
  wanted.add({}, static_cast<std::uint64_t>(snapshot.backstop.wanted));
  sink(std::move(wanted).take());
  auto placed =
      MetricBuilder::gauge("espial_xfrm_block_policies",
                           "XFRM policies that the backstop has in place for enforced peers.");
  placed.add({}, static_cast<std::uint64_t>(snapshot.backstop.in_place));
  sink(std::move(placed).take());
}

void visit_outcomes(const Snapshot& snapshot, const FamilySink& sink) {
  auto metric =
      MetricBuilder::counter("espial_parse_outcomes_total",
                             "Frames that the parser could not read to the end, by reason.");
  for (std::size_t i = 0; i < kOutcomes; ++i)
    if (static_cast<Outcome>(i) != Outcome::OK)
      metric.add({{"outcome", kOutcomeLabels[i]}}, snapshot.outcomes[i]);
  sink(std::move(metric).take());
}

void visit_lost(const Snapshot& snapshot, const FamilySink& sink) {
  auto metric = MetricBuilder::counter("espial_lost_total",
                                       "Events and packets that could not be counted or reported.");
  for (std::size_t i = 0; i < kLosts; ++i) metric.add({{"what", kLostLabels[i]}}, snapshot.lost[i]);
  sink(std::move(metric).take());
}

void visit_sources(const Snapshot& snapshot, const FamilySink& sink) {
  auto metric = MetricBuilder::gauge("espial_source_up",
                                     "1 if this source of topology or events works, else 0.");
  for (const SourceStatus& source : snapshot.sources)
    metric.add({{"source", source.source}}, source.up);
  sink(std::move(metric).take());
}

void visit_maps(const Snapshot& snapshot, const FamilySink& sink) {
  auto entries = MetricBuilder::gauge("espial_map_entries", "Entries in use of the BPF map.");
  auto limit = MetricBuilder::gauge("espial_map_max_entries", "Capacity of the BPF map.");
  for (const MapUsage& map : snapshot.maps) {
    entries.add({{"map", map.map}}, map.entries);
    limit.add({{"map", map.map}}, map.max_entries);
  }
  sink(std::move(entries).take());
  sink(std::move(limit).take());
}

void visit_programs(const Snapshot& snapshot, const FamilySink& sink) {
  auto metric = MetricBuilder::gauge("espial_programs",
                                     "BPF programs in use, by whether the start of the daemon "
                                     "loaded them or adopted those that were pinned.");
  metric.add({{"start", "loaded"}}, static_cast<std::uint64_t>(snapshot.programs.loaded));
  metric.add({{"start", "adopted"}}, static_cast<std::uint64_t>(snapshot.programs.adopted));
  sink(std::move(metric).take());
}

// A daemon that never reloaded runs the configuration it was started with: that one was accepted.
void visit_reload(const Snapshot& snapshot, const FamilySink& sink) {
  auto metric = MetricBuilder::gauge(
      "espial_config_last_reload_successful",
      "0 if the last reload was rejected and the previous configuration is still in use, else 1.");
  metric.add({}, snapshot.last_reload_successful.value_or(true));
  sink(std::move(metric).take());
}

void visit_time(const Snapshot& snapshot, const FamilySink& sink) {
  auto metric = MetricBuilder::gauge("espial_snapshot_timestamp_seconds",
                                     "Unix time when the counters of this scrape were read.");
  metric.add({}, timestamp_seconds(snapshot.time));
  sink(std::move(metric).take());
}

}  // namespace

void visit_node_families(const Report& report, MetricSet set, const FamilySink& sink) {
  const Snapshot& snapshot = report.snapshot;
  for (std::size_t d = 0; d < kDirections; ++d) {
    visit_no_peer(report, d, true, set, sink);
    if (set == MetricSet::kFull) visit_no_peer(report, d, false, set, sink);
  }
  visit_no_peer_enforcement(report, set, sink);
  visit_devices(snapshot, sink);
  visit_programs(snapshot, sink);
  visit_gaps(snapshot, sink);
  visit_backstop(snapshot, sink);
  if (set == MetricSet::kFull) visit_outcomes(snapshot, sink);
  visit_lost(snapshot, sink);
  visit_xfrm_errors(snapshot, set, sink);
  visit_sources(snapshot, sink);
  visit_maps(snapshot, sink);
  visit_reload(snapshot, sink);
  visit_time(snapshot, sink);
}

void visit_alarms(const Report& report, MetricSet set, const FamilySink& sink) {
  const bool full = set == MetricSet::kFull;
  using Key = std::pair<std::string, std::string>;  // alarm, peer
  std::map<Key, std::pair<Severity, bool>> series;
  for (const AlarmRule& rule : kAlarmRules) {
    const std::string name(rule.name);
    series[{name, ""}] = {rule.severity, false};  // packets of no peer fire them, too
    if (rule.per_peer && full)
      for (const PeerSnapshot& peer : report.snapshot.peers)
        series[{name, peer.peer.name}] = {rule.severity, false};
  }
  for (const Alarm& alarm : report.alarms) {
    auto& [severity, firing] = series[{alarm.name, full ? alarm.peer : ""}];
    severity = alarm.severity;
    firing = firing || alarm.state == AlarmState::kFiring;
  }
  auto metric = MetricBuilder::gauge("espial_alarm", "1 while the alarm fires, else 0.");
  for (const auto& [key, value] : series)
    metric.add({{"alarm", key.first}, {"severity", to_string(value.first)}, {"peer", key.second}},
               value.second);
  sink(std::move(metric).take());
}

}  // namespace espial
