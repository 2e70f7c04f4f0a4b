// SPDX-License-Identifier: Apache-2.0
#include "exporter/documents/status_document.h"

#include <array>
#include <cassert>
#include <string>

#include "base/time_text.h"
#include "exporter/documents/audit_document.h"
#include "exporter/documents/json_values.h"
#include "model/alarms/alarms.h"
#include "model/probing.h"

namespace espial {

namespace {

using nlohmann::json;

double seconds_of(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

template <typename Labels, typename Values>
json counts_of(const Labels& labels, const Values& values) {
  json out = json::object();
  for (std::size_t i = 0; i < labels.size(); ++i) out[std::string(labels[i])] = values[i];
  return out;
}

using CellMember = std::uint64_t Cell::*;
json classes_of(const ClassCells& cells, CellMember unit) {
  json out = json::object();
  for (std::size_t c = 0; c < kClasses; ++c) {
    json& families = out[std::string(kClassLabels[c])];
    for (const Family f : kFamilyList) families[std::string(to_string(f))] = cells[at(f)][c].*unit;
  }
  return out;
}

// What enforcement did, by reason: every one that can occur.
json enforced_of(const PeerCounters& counters, Action action, Direction d, bool of_a_peer) {
  json out = json::object();
  for (std::size_t r = 0; r < kReasons; ++r) {
    const Cell& cell = counters.enforced[at(action)][at(d)][r];
    if (occurs(static_cast<Reason>(r), d, of_a_peer))
      out[std::string(kReasonLabels[r])] = {{"packets", cell.packets}, {"bytes", cell.bytes}};
  }
  return out;
}

json exempted_of(const PeerCounters& counters, Direction d, bool of_a_peer) {
  json out = json::object();
  for (std::size_t e = 0; e < kExemptions; ++e)
    if (occurs(static_cast<Exemption>(e), of_a_peer))
      out[std::string(kExemptionLabels[e])] = {{"packets", counters.exempted[at(d)][e]}};
  return out;
}

// Adds dropped, would_drop and exempted to what is said of a direction.
void add_enforcement(json& direction, const PeerCounters& counters, Direction d, bool of_a_peer) {
  for (std::size_t a = 0; a < kActions; ++a)
    direction[std::string(kActionLabels[a])] =
        enforced_of(counters, static_cast<Action>(a), d, of_a_peer);
  direction["exempted"] = exempted_of(counters, d, of_a_peer);
}

// Adds last_dropped and last_would_drop.
void add_last_enforced(json& whose, const PeerCounters& counters) {
  for (std::size_t a = 0; a < kActions; ++a)
    whose["last_" + std::string(kActionLabels[a])] = time_of(counters.last_enforced[a]);
}

json window_of(const Traffic& traffic) {
  return {{"encrypted_packets", traffic.encrypted},
          {"unprotected_packets", traffic.unprotected},
          {"encrypted_bytes", traffic.encrypted_bytes},
          {"unprotected_bytes", traffic.unprotected_bytes}};
}

json direction_of(const PeerCounters& counters, const Traffic& window, Direction d) {
  const auto coverage = window.coverage();
  json out = {{"coverage", coverage ? json(*coverage) : json(nullptr)},
              {"window", window_of(window)},
              {"packets", classes_of(counters.cells[at(d)], &Cell::packets)},
              {"bytes", classes_of(counters.cells[at(d)], &Cell::bytes)},
              {"last_unprotected", time_of(counters.last_unprotected[at(d)])}};
  add_enforcement(out, counters, d, true);
  return out;
}

json receive_of(const PeerCounters& counters, const Traffic& window) {
  json out = direction_of(counters, window, Direction::RECEIVE);
  json& decrypted = out["decrypted"];
  for (const Family f : kFamilyList)
    decrypted[std::string(to_string(f))] = counters.decrypted[at(f)].packets;
  out["spoofed"] = counters.spoofed;
  out["unattributed"] = counters.unattributed;
  return out;
}

json backends_of(const Peer& peer) {
  json out = json::array();
  for (const BackendSubnet& subnet : peer.backends)
    out.push_back({{"network", subnet.network}, {"prefix", subnet.prefix.text()}});
  return out;
}

// What never happened is left out: peers are many, and a healthy one has none.
json kernel_drops_of(const KernelDrops& drops) {
  json netfilter = json::object();
  for (std::size_t h = 0; h < kHooks; ++h)
    for (const Family f : kFamilyList)
      if (const auto packets = drops.netfilter[h][at(f)]; packets > 0)
        netfilter[std::string(kHookLabels[h])][std::string(to_string(f))] = packets;
  return {{"netfilter", std::move(netfilter)}, {"reasons", drops.reasons}};
}

// By family, path and target; time is null until one has ended.
json probes_of(const std::vector<PeerProbe>& probes) {
  json out = json::array();
  for (const PeerProbe& probe : probes) {
    const ProbeResult& last = probe.last;
    json one = {{"family", text_of(to_string(last.target.family()))},
                {"path", text_of(to_string(last.path))},
                {"source", last.source.text()},
                {"target", last.target.text()},
                {"time", time_of(probe.at)},
                {"outcome", nullptr},
                {"outcome_text", nullptr},
                {"answered", nullptr},
                {"rtt_seconds", nullptr},
                {"failures", probe.failures},
                {"why", last.why}};
    if (probe.at) {
      one["outcome"] = text_of(to_string(last.outcome));
      one["outcome_text"] = text_of(in_words(last.outcome));
      one["answered"] = last.answered > 0;
    }
    if (last.fastest) one["rtt_seconds"] = seconds_of(*last.fastest);
    out.push_back(std::move(one));
  }
  return out;
}

json black_holes_of(const std::vector<MtuBlackhole>& holes) {
  json out = json::array();
  for (const MtuBlackhole& hole : holes)
    out.push_back({{"address", hole.address.text()},
                   {"asked_bytes", hole.asked_bytes},
                   {"largest_bytes", hole.largest}});
  return out;
}

// null: the daemon sends no probes.
json probing_of(const Probing* probing) {
  if (probing == nullptr) return nullptr;
  return {{"interval_seconds", probing->interval.count()},
          {"round_seconds", probing->round.count()},
          {"probes_per_second", probing->probes_per_second},
          {"path_mtu_looked", time_of(probing->path_mtu_looked)},
          {"not_probed", probing->not_probed}};
}

json peer_of(const PeerSnapshot& snapshot, const PeerReport& report, std::chrono::seconds window,
             const PeerAudit* audit, const PeerProbing& probing) {
  const Peer& peer = snapshot.peer;
  const PeerCounters& counters = snapshot.counters;
  json underlay = json::array();
  for (const Underlay& u : peer.underlays) underlay.push_back(u.address.text());
  json out = {{"name", peer.name},
              {"state", text_of(to_string(peer.state))},
              {"underlay", std::move(underlay)},
              {"backend", backends_of(peer)},
              {"mode", text_of(to_string(peer.mode))},
              {"verdict", text_of(to_string(report.verdict))},
              {"reason", report.reason},
              {"ipsec", ipsec_document(audit)},
              {"window_seconds", window.count()},
              {"receive", receive_of(counters, report.window[at(Direction::RECEIVE)])},
              {"transmit",
               direction_of(counters, report.window[at(Direction::TRANSMIT)], Direction::TRANSMIT)},
              {"last_cleartext", time_of(counters.last_cleartext())},
              {"kernel_drops", kernel_drops_of(counters.kernel)},
              {"probes", probes_of(probing.probes)},
              {"mtu_black_holes", black_holes_of(probing.black_holes)}};
  add_last_enforced(out, counters);
  return out;
}

json peers_of(const Report& report) {
  assert(report.peers.size() == report.snapshot.peers.size());
  json out = json::array();
  for (std::size_t i = 0; i < report.peers.size(); ++i) {
    const PeerSnapshot& peer = report.snapshot.peers[i];
    const auto& mesh = report.snapshot.mesh;
    const auto* probing = report.probing ? report.probing->find(peer.peer.name) : nullptr;
    out.push_back(peer_of(peer, report.peers[i], report.window,
                          mesh ? mesh->find(peer.peer.name) : nullptr,
                          probing != nullptr ? *probing : PeerProbing{}));
  }
  return out;
}

json no_peer_of(const PeerCounters& counters) {
  json out = json::object();
  for (const Direction d : {Direction::RECEIVE, Direction::TRANSMIT}) {
    json& direction = out[std::string(to_string(d))];
    direction = {{"packets", classes_of(counters.cells[at(d)], &Cell::packets)},
                 {"bytes", classes_of(counters.cells[at(d)], &Cell::bytes)}};
    add_enforcement(direction, counters, d, false);
  }
  add_last_enforced(out, counters);
  return out;
}

json networks_of(const Snapshot& snapshot) {
  json out = json::array();
  for (const NetworkCounters& n : snapshot.networks)
    out.push_back({{"peer", n.peer},
                   {"network", n.network},
                   {"receive_cleartext_packets", n.cleartext_packets[at(Direction::RECEIVE)]},
                   {"transmit_cleartext_packets", n.cleartext_packets[at(Direction::TRANSMIT)]}});
  return out;
}

// null: the configuration does not ask for XDP here.
json xdp_of(const XdpSnapshot& xdp) {
  if (!xdp.wanted) return nullptr;
  return {{"attached", xdp.attached}, {"why", xdp.why}};
}

json devices_of(const Snapshot& snapshot) {
  json out = json::array();
  for (const DeviceSnapshot& d : snapshot.devices)
    out.push_back({{"name", d.name},
                   {"ifindex", d.ifindex},
                   {"role", text_of(to_string(d.role))},
                   {"mode", text_of(to_string(d.mode))},
                   {"receive_attached", d.receive_attached},
                   {"transmit_attached", d.transmit_attached},
                   {"expected", d.expected},
                   {"why", d.why},
                   {"xdp", xdp_of(d.xdp)}});
  return out;
}

json backstop_json(const BackstopSnapshot& block) {
  json without = json::array();
  for (const BackstopExclusion& e : block.without)
    without.push_back({{"peer", e.peer}, {"why", e.why}});
  return {{"enabled", block.enabled},
          {"wanted", block.wanted},
          {"in_place", block.in_place},
          {"why", block.why},
          {"without", std::move(without)}};
}

json programs_of(const ProgramUse& use) {
  return {{"loaded", use.loaded},
          {"adopted", use.adopted},
          {"why", use.why},
          {"not_pinned", use.problem}};
}

json alarms_of(const std::vector<Alarm>& alarms) {
  json out = json::array();
  for (const Alarm& a : alarms)
    out.push_back({{"alarm", a.name},
                   {"severity", text_of(to_string(a.severity))},
                   {"peer", a.peer},
                   {"state", text_of(to_string(a.state))},
                   {"since", rfc3339(a.since)},
                   {"evidence", a.evidence},
                   {"runbook", runbook_of(a.name)}});
  return out;
}

json sources_of(const Snapshot& snapshot) {
  json out = json::array();
  for (const SourceStatus& s : snapshot.sources)
    out.push_back({{"source", s.source}, {"up", s.up}, {"detail", s.detail}});
  return out;
}

json maps_of(const Snapshot& snapshot) {
  json out = json::array();
  for (const MapUsage& m : snapshot.maps)
    out.push_back({{"map", m.map}, {"entries", m.entries}, {"max_entries", m.max_entries}});
  return out;
}

json findings_of(const Snapshot& snapshot) {
  json out = json::array();
  for (const std::string& finding : snapshot.findings) out.push_back(finding);
  return out;
}

json config_of(const Snapshot& snapshot) {
  const auto& ok = snapshot.last_reload_successful;
  return {{"last_reload_successful", ok ? json(*ok) : json(nullptr)},
          {"error", snapshot.last_reload_error}};
}

}  // namespace

json status_document(const Report& report) {
  const Snapshot& snapshot = report.snapshot;
  return {{"schema_version", kSchemaVersion},
          {"node", snapshot.node},
          {"instance", snapshot.instance},
          {"time", rfc3339(snapshot.time)},
          {"daemon", {{"running", snapshot.daemon}}},
          {"window_seconds", report.window.count()},
          {"peers", peers_of(report)},
          {"no_peer", no_peer_of(snapshot.no_peer)},
          {"networks", networks_of(snapshot)},
          {"devices", devices_of(snapshot)},
          {"programs", programs_of(snapshot.programs)},
          {"gaps",
           {{"count", snapshot.gaps.count},
            {"total_seconds", seconds_of(snapshot.gaps.total)},
            {"last_seconds", seconds_of(snapshot.gaps.last)}}},
          {"xfrm_block", backstop_json(snapshot.backstop)},
          {"verify", probing_of(report.probing.get())},
          {"alarms", alarms_of(report.alarms)},
          {"findings", findings_of(snapshot)},
          {"sources", sources_of(snapshot)},
          {"outcomes", counts_of(kOutcomeLabels, snapshot.outcomes)},
          {"lost", counts_of(kLostLabels, snapshot.lost)},
          {"maps", maps_of(snapshot)},
          {"config", config_of(snapshot)}};
}

json flows_document(const std::vector<FlowRecord>& flows, const std::vector<DropRecord>& drops) {
  json list = json::array();
  for (const FlowRecord& flow : flows) list.push_back(flow_document(flow));
  json lost = json::array();
  for (const DropRecord& drop : drops) lost.push_back(drop_document(drop));
  return {{"schema_version", kSchemaVersion},
          {"flows", std::move(list)},
          {"kernel_drops", std::move(lost)}};
}

std::string document_text(const json& document, int indent) {
  return document.dump(indent, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace espial
