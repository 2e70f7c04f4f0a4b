// SPDX-License-Identifier: Apache-2.0
#include "model/modes/peer_modes.h"

#include <algorithm>

namespace espial {
namespace {

std::string word(Mode mode) { return std::string(to_string(mode)); }

bool has_passed(const Moment& deadline, const Moment& now) {
  return !same_boot(deadline, now) || now.monotonic >= deadline.monotonic;
}

bool goes_on(const Span& span, const PeerSnapshot& peer, const Moment& now) {
  return span.mode == peer.peer.mode && same_boot(span.since, now) &&
         encrypted_packets(peer.counters) >= span.encrypted;
}

bool share_an_underlay(const Peer& a, const Peer& b) {
  return std::any_of(a.underlays.begin(), a.underlays.end(), [&](const Underlay& one) {
    return std::any_of(b.underlays.begin(), b.underlays.end(),
                       [&](const Underlay& other) { return one.address == other.address; });
  });
}

void apply_to(Peer& peer, Mode mode, bool default_given, std::vector<std::string>& findings) {
  peer.mode = mode;
  peer.mode_from = ModeSource::kCommand;
  const bool file_speaks = default_given || peer.by_file.from == ModeSource::kFile;
  if (file_speaks && peer.by_file.mode != mode)
    findings.push_back(peer.name + ": mode " + word(mode) + " by command, " +
                       word(peer.by_file.mode) +
                       " in the configuration: the command wins (espial policy set '" + peer.name +
                       "' file returns to it)");
}

}  // namespace

bool same_boot(const Moment& a, const Moment& b) { return !a.boot.empty() && a.boot == b.boot; }

std::uint64_t encrypted_packets(const PeerCounters& counters) {
  std::uint64_t sum = 0;
  for (const auto& direction : counters.cells)
    for (const auto& family : direction)
      for (std::size_t c = 0; c < kClasses; ++c)
        if (kClassCoverage[c] == Coverage::ENCRYPTED) sum += family[c].packets;
  for (const auto& cell : counters.decrypted) sum += cell.packets;
  return sum;
}

std::vector<std::string> expire(PeerModes& modes, const Moment& now) {
  std::vector<std::string> lines;
  for (auto& [name, peer_mode] : modes) {
    if (!peer_mode.confirm || !has_passed(peer_mode.confirm->deadline, now)) continue;
    lines.push_back(name + (same_boot(peer_mode.confirm->deadline, now)
                                ? ": enforce was not confirmed in time: audit"
                                : ": enforce was not confirmed before the node restarted: audit"));
    peer_mode.mode = Mode::AUDIT;
    peer_mode.confirm.reset();
  }
  return lines;
}

std::vector<std::string> follow_names(PeerModes& modes, const Topology& before,
                                      const Topology& now) {
  std::vector<std::string> lines;
  for (const auto& former : before.peers) {
    const auto it = modes.find(former.name);
    if (it == modes.end() || now.find(former.name) != nullptr) continue;
    const auto same = std::find_if(now.peers.begin(), now.peers.end(), [&](const Peer& peer) {
      return share_an_underlay(former, peer);
    });
    if (same == now.peers.end() || modes.count(same->name) != 0) continue;
    lines.push_back(former.name + ": is called " + same->name + " now, and keeps its mode");
    modes.emplace(same->name, it->second);
    modes.erase(former.name);
  }
  return lines;
}

void apply(const PeerModes& modes, bool default_given, Topology& topology) {
  std::size_t found = 0;
  for (auto& peer : topology.peers) {
    const auto it = modes.find(peer.name);
    if (it == modes.end() || !it->second.mode) continue;
    ++found;
    if (peer.state != PeerState::kCandidate)
      apply_to(peer, *it->second.mode, default_given, topology.findings);
  }
  const auto commands = std::count_if(
      modes.begin(), modes.end(), [](const auto& entry) { return entry.second.mode.has_value(); });
  if (found == static_cast<std::size_t>(commands)) return;
  for (const auto& [name, peer_mode] : modes)
    if (peer_mode.mode && topology.find(name) == nullptr)
      topology.findings.push_back(name + ": mode " + word(*peer_mode.mode) +
                                  " by command, but no peer has that name: it has no effect "
                                  "(espial policy set '" +
                                  name + "' file forgets it)");
}

bool follow(PeerModes& modes, const std::vector<PeerSnapshot>& peers, const Moment& now) {
  bool changed = false;
  for (const auto& peer : peers) {
    const auto it = modes.find(peer.peer.name);
    const bool monitored = peer.peer.mode == Mode::MONITOR;
    if (it == modes.end() && monitored) continue;
    auto& peer_mode = it == modes.end() ? modes[peer.peer.name] : it->second;
    if (monitored && !peer_mode.mode) {
      modes.erase(peer.peer.name);
      changed = true;
    } else if (!peer_mode.span || !goes_on(*peer_mode.span, peer, now)) {
      peer_mode.span = Span{peer.peer.mode, now, encrypted_packets(peer.counters)};
      changed = true;
    }
  }
  return changed;
}

std::optional<MonoTime> deadline_of(const PeerModes& modes, std::string_view peer,
                                    const Moment& now) {
  const auto it = modes.find(peer);
  if (it == modes.end() || !it->second.confirm) return std::nullopt;
  const auto& deadline = it->second.confirm->deadline;
  // Of another boot: it has passed.
  return same_boot(deadline, now) ? deadline.monotonic : MonoTime{};
}

}  // namespace espial
