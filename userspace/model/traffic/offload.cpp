// SPDX-License-Identifier: Apache-2.0
#include "model/traffic/offload.h"

#include <algorithm>
#include <utility>

namespace espial {
namespace {

using ByNetwork = std::unordered_map<std::string, std::uint64_t>;

bool lets_out(const PairAudit& pair) {
  return std::any_of(pair.findings.begin(), pair.findings.end(), [](const PairFinding& finding) {
    return verdict_of(finding.problem) == PairVerdict::kExposed &&
           finding.direction.value_or(Direction::TRANSMIT) == Direction::TRANSMIT;
  });
}

std::string of_pairs(const PeerAudit& audit) {
  return "the SAs that send for " + std::to_string(offloaded_pairs(audit)) + " of " +
         std::to_string(audit.pairs.size()) + " pairs of subnets are in packet offload";
}

// What was sent in clear: what an offloaded SA may have taken, tunnels as a whole included, or
// all else.
Cell sent_in_clear(const PeerCounters& counters, bool may_be_offloaded) {
  Cell sum;
  for (const auto& family : counters.cells[at(Direction::TRANSMIT)])
    for (std::size_t c = 0; c < kClasses; ++c) {
      const auto klass = static_cast<Class>(c);
      const bool may = klass == Class::CLEARTEXT || klass == Class::CLEARTEXT_TUNNEL;
      if (kClassCoverage[c] != Coverage::UNPROTECTED || may != may_be_offloaded) continue;
      sum.packets += family[c].packets;
      sum.bytes += family[c].bytes;
    }
  return sum;
}

std::set<std::string> offloaded_networks(const PeerAudit* audit) {
  std::set<std::string> networks;
  if (audit == nullptr || std::any_of(audit->pairs.begin(), audit->pairs.end(), lets_out))
    return networks;
  for (const auto& pair : audit->pairs)
    if (sends_offloaded(pair)) networks.insert(pair.network);
  return networks;
}

// Every network that grew is one of these.
bool grew_only_in(const std::set<std::string>& networks, const ByNetwork& before,
                  const ByNetwork& now) {
  return std::all_of(now.begin(), now.end(), [&](const auto& one) {
    const auto at = before.find(one.first);
    return (at != before.end() && one.second <= at->second) || one.second == 0 ||
           networks.count(one.first) != 0;
  });
}

}  // namespace

bool sends_offloaded(const PairAudit& pair) {
  return std::any_of(pair.findings.begin(), pair.findings.end(), [](const PairFinding& finding) {
    return finding.problem == PairProblem::PACKET_OFFLOAD &&
           finding.direction == Direction::TRANSMIT;
  });
}

std::size_t offloaded_pairs(const PeerAudit& audit) {
  return static_cast<std::size_t>(
      std::count_if(audit.pairs.begin(), audit.pairs.end(), sends_offloaded));
}

std::string offload_objection(const PeerAudit& audit) {
  if (offloaded_pairs(audit) == 0) return {};
  return of_pairs(audit) +
         ": tc sees their packets before the device encrypts them, so enforce would drop them all "
         "(set hw_offload = no or crypto for these children in swanctl.conf)";
}

std::string offload_finding(const PeerAudit& audit) {
  return audit.peer + " is in enforce, and " + of_pairs(audit) +
         ": packets that this node sends to it there are dropped before the device could encrypt "
         "them (" +
         offload_remedies(audit.peer) + ")";
}

std::string offload_remedies(const std::string& peer) {
  return "espial policy set " + peer +
         " audit, or hw_offload = no or crypto for the children in swanctl.conf";
}

void OffloadWatch::look_at(PeerCounters& counters, const PeerAudit* audit, Seen& seen,
                           ByNetwork by_network) {
  auto& last = counters.last_unprotected[at(Direction::TRANSMIT)];
  const Cell clear = sent_in_clear(counters, true);
  const Cell other = sent_in_clear(counters, false);
  if (clear.packets < seen.clear.packets || other.packets < seen.other.packets) seen = {};
  auto networks = offloaded_networks(audit);
  // An SA that came or went since the last look had some of these packets.
  auto either = networks;
  either.insert(seen.networks.begin(), seen.networks.end());
  const bool explained = !either.empty() && grew_only_in(either, seen.by_network, by_network);
  if (explained && seen.looked) {
    seen.explained.packets += clear.packets - seen.clear.packets;
    seen.explained.bytes += clear.bytes - seen.clear.bytes;
  }
  // What came before the first look is in no window, only its time is.
  const bool evidence = seen.looked ? other.packets > seen.other.packets ||
                                          (!explained && clear.packets > seen.clear.packets)
                                    : !explained;
  const bool never = either.empty() && seen.explained.packets == 0;
  if (evidence || never) seen.last = last;
  last = seen.last;
  seen.clear = clear;
  seen.other = other;
  seen.networks = std::move(networks);
  seen.by_network = std::move(by_network);
  seen.looked = true;
}

std::vector<Cell> OffloadWatch::advance(Snapshot& snapshot) {
  std::vector<Cell> out;
  std::unordered_map<std::string, ByNetwork> networks;
  for (const auto& one : snapshot.networks)
    networks[one.peer][one.network] = one.cleartext_packets[at(Direction::TRANSMIT)];
  for (auto& peer : snapshot.peers) {
    const auto& name = peer.peer.name;
    const auto* audit = snapshot.mesh ? snapshot.mesh->find(name) : nullptr;
    auto& seen = peers_[name];
    look_at(peer.counters, audit, seen, std::move(networks[name]));
    out.push_back(seen.explained);
    if (audit != nullptr && peer.peer.mode == Mode::ENFORCE && offloaded_pairs(*audit) > 0)
      snapshot.findings.push_back(offload_finding(*audit));
  }
  if (peers_.size() > 2 * snapshot.peers.size() + 64) peers_.clear();
  return out;
}

}  // namespace espial
