// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>
#include <string>

#include "model/alarms/alarms.h"
#include "model/traffic/verdict.h"

namespace espial {

namespace {

using Counter = std::uint64_t DirectionTally::*;

struct TrafficAlarm {
  AlarmId id;
  Counter counter;
  const char* what;
};
// Most severe first: an unprotected packet of unknown class is held against the first that fits.
constexpr std::array kTrafficAlarms{
    TrafficAlarm{AlarmId::CleartextTraffic, &DirectionTally::direct, "in clear"},
    TrafficAlarm{AlarmId::CleartextTransit, &DirectionTally::transit,
                 "in clear from a foreign source"},
    TrafficAlarm{AlarmId::ForeignEsp, &DirectionTally::foreign,
                 "as ESP that is of no SA of the pair"},
    TrafficAlarm{AlarmId::CleartextHost, &DirectionTally::host,
                 "in clear from or to a host address"},
};

std::string both_ways(const Tally& growth, Counter counter, const char* what,
                      std::chrono::nanoseconds covered) {
  return packets_text(growth.direction[at(Direction::RECEIVE)].*counter) + " received, " +
         std::to_string(growth.direction[at(Direction::TRANSMIT)].*counter) + " sent " + what +
         " in " + seconds_text(covered);
}

std::uint64_t sum(const Tally& tally, Counter counter) {
  return tally.direction[at(Direction::RECEIVE)].*counter +
         tally.direction[at(Direction::TRANSMIT)].*counter;
}

// A packet within the window that an earlier daemon counted: the counters say that it came, the
// totals which classes ever came; the most severe of those is named.
void add_earlier(std::vector<AlarmCondition>& out, const std::string& peer,
                 const PeerCounters& counters, const PeerWindow& window) {
  const Tally total = tally_of(counters);
  for (std::size_t d = 0; d < kDirections; ++d) {
    if (!window.unprotected_before[d]) continue;
    for (const TrafficAlarm& alarm : kTrafficAlarms) {
      if (total.direction[d].*alarm.counter == 0) continue;
      out.push_back({alarm.id, peer,
                     std::string("last packet ") +
                         (d == at(Direction::RECEIVE) ? "received " : "sent ") + alarm.what + " " +
                         seconds_text(*window.unprotected_before[d]) +
                         " ago, before this daemon started"});
      return;
    }
  }
}

void add_peer(std::vector<AlarmCondition>& out, const std::string& peer,
              const PeerCounters& counters, const PeerWindow& window) {
  const std::size_t before = out.size();
  for (const TrafficAlarm& alarm : kTrafficAlarms)
    if (sum(window.growth, alarm.counter) > 0)
      out.push_back(
          {alarm.id, peer, both_ways(window.growth, alarm.counter, alarm.what, window.covered)});
  if (out.size() == before) add_earlier(out, peer, counters, window);
  if (window.growth.spoofed > 0)
    out.push_back(
        {AlarmId::SpoofedInner, peer,
         packets_text(window.growth.spoofed) +
             " decrypted under another peer's SA, or with a source address of this node, in " +
             seconds_text(window.covered)});
}

std::string reasons_text(const std::array<std::uint64_t, kReasons>& by_reason) {
  std::string out;
  for (std::size_t r = 0; r < kReasons; ++r)
    if (by_reason[r] > 0)
      out += (out.empty() ? "" : ", ") + std::to_string(by_reason[r]) + " " +
             std::string(kReasonLabels[r]);
  return out;
}

void add_enforced(std::vector<AlarmCondition>& out, const std::string& peer,
                  const PeerWindow& window, Action action) {
  const EnforcedTally& growth = window.growth.enforced[at(action)];
  std::uint64_t all = 0;
  for (const auto& direction : growth)
    for (const auto n : direction) all += n;
  if (all == 0) return;
  const auto received = reasons_text(growth[at(Direction::RECEIVE)]);
  const auto sent = reasons_text(growth[at(Direction::TRANSMIT)]);
  const bool drop = action == Action::kDrop;
  out.push_back(
      {drop ? AlarmId::EnforcementDropping : AlarmId::WouldDrop, peer,
       packets_text(all) + (drop ? " dropped in " : " would have been dropped in ") +
           seconds_text(window.covered) + ":" + (received.empty() ? "" : " received " + received) +
           (received.empty() || sent.empty() ? "" : ";") + (sent.empty() ? "" : " sent " + sent)});
}

// On its way through this node: a rule or policy of some base chain drops what others accepted.
void add_forward_drops(std::vector<AlarmCondition>& out, const std::string& peer,
                       const PeerWindow& window) {
  std::uint64_t all = 0;
  std::string where;
  for (std::size_t h = 0; h < kForwardHooks.size(); ++h)
    for (std::size_t f = 0; f < kFamilies; ++f) {
      const auto dropped = window.growth.forward_drops[h][f];
      if (dropped == 0) continue;
      all += dropped;
      where += (where.empty() ? "" : ", ") + std::to_string(dropped) + " " +
               std::string(to_string(static_cast<Family>(f))) +
               (kForwardHooks[h] == Hook::FORWARD ? " in FORWARD" : " in FORWARD or POSTROUTING");
    }
  if (all > 0)
    out.push_back({AlarmId::ForwardDrops, peer,
                   packets_text(all) + " dropped by netfilter in " + seconds_text(window.covered) +
                       ": " + where});
}

void add_unknown_node(std::vector<AlarmCondition>& out, const NodeWindow& window) {
  Tally all = window.no_peer.growth;
  for (const PeerWindow& peer : window.peers)
    for (std::size_t d = 0; d < kDirections; ++d)
      all.direction[d].unknown_node += peer.growth.direction[d].unknown_node;
  if (sum(all, &DirectionTally::unknown_node) > 0)
    out.push_back(
        {AlarmId::UnknownNode, "",
         both_ways(all, &DirectionTally::unknown_node,
                   "in clear in a backend network, from or to no known node", window.covered)});
}

std::string missing_hooks(const DeviceSnapshot& device) {
  const bool transmit_expected = device.role != DeviceRole::kReentry;
  std::string missing;
  if (!device.receive_attached) missing = "receive";
  if (transmit_expected && !device.transmit_attached)
    missing += missing.empty() ? "transmit" : " and transmit";
  return missing;
}

std::size_t enforced_peers(const Snapshot& snapshot) {
  return static_cast<std::size_t>(
      std::count_if(snapshot.peers.begin(), snapshot.peers.end(),
                    [](const PeerSnapshot& p) { return p.peer.mode == Mode::ENFORCE; }));
}

void add_detached(std::vector<AlarmCondition>& out, const Snapshot& snapshot) {
  const auto& devices = snapshot.devices;
  std::string evidence;
  std::size_t count = 0;
  for (const DeviceSnapshot& device : devices) {
    if (!device.displaced.empty()) {
      ++count;
      evidence += (evidence.empty() ? "" : "; ") + device.name + ": " + device.displaced +
                  " (put first once, displaced again)";
    }
    const std::string missing = missing_hooks(device);
    if (missing.empty()) continue;
    ++count;
    evidence += (evidence.empty() ? "" : "; ") + device.name + ": " + missing + " not attached";
    if (!device.why.empty()) evidence += " (" + device.why + ")";
  }
  if (const auto enforced = enforced_peers(snapshot); count > 0 && enforced > 0)
    evidence += "; nothing is dropped there and " + std::to_string(enforced) +
                (enforced == 1 ? " peer is" : " peers are") + " in enforce";
  if (count > 0)
    out.push_back({AlarmId::ProgramDetached, "",
                   std::to_string(count) + " of " + std::to_string(devices.size()) +
                       (devices.size() == 1 ? " device: " : " devices: ") + evidence});
}

void add_xdp(std::vector<AlarmCondition>& out, const std::vector<DeviceSnapshot>& devices) {
  std::string evidence;
  for (const DeviceSnapshot& device : devices)
    if (device.xdp.required && !device.xdp.attached)
      evidence += (evidence.empty() ? "" : "; ") + device.name + ": " + device.xdp.why;
  if (!evidence.empty())
    out.push_back({AlarmId::XdpUnavailable, "", evidence + "; tc drops there instead"});
}

// Repaired problems are reported, too: packets passed unseen meanwhile, and somebody may try
// again.
void add_restored(std::vector<AlarmCondition>& out, const Snapshot& snapshot) {
  constexpr auto kShownFor = std::chrono::seconds{60};
  const auto recent = [&](MonoTime moment) { return snapshot.monotonic - moment < kShownFor; };
  if (!out.empty() && out.back().id == AlarmId::ProgramDetached) return;
  if (const auto& restored = snapshot.restored; restored && recent(restored->at)) {
    const auto within = seconds_text(restored->within);
    out.push_back({AlarmId::ProgramDetached, "",
                   "removed or displaced externally: " + std::to_string(restored->programs) +
                       " programs and " + std::to_string(restored->pins) +
                       " pins; put back within " + within +
                       (restored->programs > 0 ? "; packets passed unseen meanwhile"
                                               : "; the programs kept running")});
    return;
  }
  if (enforced_peers(snapshot) > 0 && snapshot.gaps.new_device && recent(*snapshot.gaps.new_device))
    out.push_back({AlarmId::ProgramDetached, "",
                   "a new device had no programs for its first " +
                       seconds_text(snapshot.gaps.last) + ": nothing was dropped there"});
}

void add_lost(std::vector<AlarmCondition>& out, const NodeWindow& window) {
  std::string evidence;
  for (std::size_t i = 0; i < kLosts; ++i) {
    if (window.lost[i] == 0) continue;
    evidence += (evidence.empty() ? "" : ", ") + std::to_string(window.lost[i]) + " " +
                std::string(kLostLabels[i]);
  }
  if (!evidence.empty())
    out.push_back({AlarmId::EventsLost, "", evidence + " in " + seconds_text(window.covered)});
}

}  // namespace

std::vector<AlarmCondition> alarm_conditions(const Snapshot& snapshot, const NodeWindow& window) {
  assert(window.peers.size() == snapshot.peers.size());
  std::vector<AlarmCondition> out;
  for (std::size_t i = 0; i < snapshot.peers.size(); ++i) {
    const PeerSnapshot& peer = snapshot.peers[i];
    if (peer.peer.state == PeerState::kCandidate) continue;
    add_peer(out, peer.peer.name, peer.counters, window.peers[i]);
    add_enforced(out, peer.peer.name, window.peers[i], Action::kDrop);
    add_enforced(out, peer.peer.name, window.peers[i], Action::kWouldDrop);
    add_forward_drops(out, peer.peer.name, window.peers[i]);
  }
  add_peer(out, "", snapshot.no_peer, window.no_peer);
  // Unknown nodes are audited by default and have an alarm of their own.
  add_enforced(out, "", window.no_peer, Action::kDrop);
  add_unknown_node(out, window);
  add_detached(out, snapshot);
  add_restored(out, snapshot);
  add_xdp(out, snapshot.devices);
  if (snapshot.last_reload_successful == false)
    out.push_back({AlarmId::ConfigRejected, "", snapshot.last_reload_error});
  add_lost(out, window);
  return out;
}

}  // namespace espial
