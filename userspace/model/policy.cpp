// SPDX-License-Identifier: Apache-2.0
#include "model/policy.h"

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

void apply_to(Peer& peer, Mode mode, bool default_given, std::vector<std::string>& findings) {
  peer.mode = mode;
  peer.mode_from = ModeSource::kCommand;
  const bool file_speaks = default_given || peer.by_file.from == ModeSource::kFile;
  if (file_speaks && peer.by_file.mode != mode)
    findings.push_back(peer.name + ": mode " + word(mode) + " by command, " +
                       word(peer.by_file.mode) +
                       " by the configuration: the command counts (espial policy set '" +
                       peer.name + "' file goes back)");
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

std::vector<std::string> expire(Policies& policies, const Moment& now) {
  std::vector<std::string> lines;
  for (auto& [name, policy] : policies) {
    if (!policy.confirm || !has_passed(policy.confirm->deadline, now)) continue;
    lines.push_back(name + (same_boot(policy.confirm->deadline, now)
                                ? ": enforce was not confirmed in time: audit"
                                : ": enforce was not confirmed before the node restarted: audit"));
    policy.mode = Mode::AUDIT;
    policy.confirm.reset();
  }
  return lines;
}

void apply(const Policies& policies, bool default_given, Topology& topology) {
  std::size_t found = 0;
  for (auto& peer : topology.peers) {
    const auto it = policies.find(peer.name);
    if (it == policies.end() || !it->second.mode) continue;
    ++found;
    if (peer.state != PeerState::kCandidate)
      apply_to(peer, *it->second.mode, default_given, topology.findings);
  }
  const auto commands = std::count_if(policies.begin(), policies.end(), [](const auto& entry) {
    return entry.second.mode.has_value();
  });
  if (found == static_cast<std::size_t>(commands)) return;
  for (const auto& [name, policy] : policies)
    if (policy.mode && topology.find(name) == nullptr)
      topology.findings.push_back(name + ": mode " + word(*policy.mode) +
                                  " by command, but no peer has that name: it has no effect "
                                  "(espial policy set '" +
                                  name + "' file forgets it)");
}

std::vector<std::string> rename(Policies& policies, const Topology& topology) {
  std::vector<std::string> lines;
  if (policies.empty()) return lines;
  for (const auto& peer : topology.peers) {
    for (const auto& underlay : peer.underlays) {
      const auto former = underlay.address.text();
      if (former == peer.name || policies.count(former) == 0 || policies.count(peer.name) != 0 ||
          topology.find(former) != nullptr)
        continue;
      auto entry = policies.extract(former);
      entry.key() = peer.name;
      entry.mapped().span.reset();  // its counters are new
      policies.insert(std::move(entry));
      lines.push_back(peer.name + ": has the mode that was given to " + former);
    }
  }
  return lines;
}

bool follow(Policies& policies, const std::vector<PeerSnapshot>& peers, const Moment& now) {
  bool changed = false;
  for (const auto& peer : peers) {
    const auto it = policies.find(peer.peer.name);
    const bool monitored = peer.peer.mode == Mode::MONITOR;
    if (it == policies.end() && monitored) continue;
    auto& policy = it == policies.end() ? policies[peer.peer.name] : it->second;
    if (monitored && !policy.mode) {
      policies.erase(peer.peer.name);
      changed = true;
    } else if (!policy.span || !goes_on(*policy.span, peer, now)) {
      policy.span = Span{peer.peer.mode, now, encrypted_packets(peer.counters)};
      changed = true;
    }
  }
  return changed;
}

std::optional<MonoTime> deadline_of(const Policies& policies, std::string_view peer,
                                    const Moment& now) {
  const auto it = policies.find(peer);
  if (it == policies.end() || !it->second.confirm) return std::nullopt;
  const auto& deadline = it->second.confirm->deadline;
  // Of another boot: it has passed.
  return same_boot(deadline, now) ? deadline.monotonic : MonoTime{};
}

}  // namespace espial
