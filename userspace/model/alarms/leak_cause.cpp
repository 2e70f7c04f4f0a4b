// SPDX-License-Identifier: Apache-2.0
#include "model/alarms/leak_cause.h"

#include <algorithm>

#include "model/traffic/offload.h"
#include "model/traffic/verdict.h"

namespace espial {
namespace {

const DirectionTally& grown(const LeakView& view, Direction d) {
  return view.window.growth.direction[at(d)];
}

void join_line(std::string& line, const std::string& more) {
  if (more.empty()) return;
  if (!line.empty()) line += "; ";
  line += more;
}

bool leaked(const LeakView& view, Direction d, const PairAudit& pair) {
  if (view.networks == nullptr) return false;
  const auto& names = view.networks->of[at(d)];
  return std::find(names.begin(), names.end(), pair.network) != names.end();
}

struct Named {
  const PairAudit* pair = nullptr;
  const PairFinding* finding = nullptr;
  [[nodiscard]] std::string text() const {
    return pair->own.text() + " > " + pair->theirs.text() + ": " + finding->evidence;
  }
};

// The first finding that fits; one of a network in which cleartext was seen goes first.
template <typename Fits>
Named find(const LeakView& view, Direction d, Fits fits) {
  Named found;
  if (view.audit == nullptr) return found;
  for (const auto& pair : view.audit->pairs) {
    const auto at = std::find_if(pair.findings.begin(), pair.findings.end(), fits);
    if (at == pair.findings.end()) continue;
    if (leaked(view, d, pair)) return {&pair, &*at};
    if (found.pair == nullptr) found = {&pair, &*at};
  }
  return found;
}

Named exposing(const LeakView& view, Direction d) {
  return find(view, d, [&](const PairFinding& finding) {
    return verdict_of(finding.problem) == PairVerdict::kExposed &&
           finding.direction.value_or(d) == d;
  });
}

// Every pair asks for IPsec, so nothing should leave in clear.
bool closed(const PeerAudit& audit) {
  return !audit.pairs.empty() &&
         std::all_of(audit.pairs.begin(), audit.pairs.end(), [](const PairAudit& pair) {
           return pair.verdict == PairVerdict::kProtected ||
                  pair.verdict == PairVerdict::kFailClosed ||
                  pair.verdict == PairVerdict::kUserSpace;
         });
}

std::string why_sent(const LeakView& view) {
  if (const auto open = exposing(view, Direction::TRANSMIT); open.pair != nullptr)
    return "sent because of " + open.text();
  if (view.audit == nullptr) return {};
  if (!closed(*view.audit)) return {};
  return "policies and SAs protect every pair now, so these packets bypassed IPsec or were sent "
         "before the policies were in place; espial flows shows their source and device";
}

std::string why_received(const LeakView& view) {
  std::string text = view.peer + " sends in clear: espial audit on " + view.peer + " says why";
  if (const auto open = find(view, Direction::RECEIVE,
                             [](const PairFinding& finding) {
                               return finding.problem == PairProblem::RECEIVE_POLICY_MISSING ||
                                      (finding.direction == Direction::RECEIVE &&
                                       verdict_of(finding.problem) == PairVerdict::kExposed);
                             });
      open.pair != nullptr)
    return text + "; this node accepts it, " + open.text();
  if (view.audit != nullptr && closed(*view.audit))
    text += "; this node's policies reject it (XfrmInTmplMismatch)";
  return text;
}

// Of `direct`, what says nothing about the policies between the two nodes.
std::uint64_t of_another_kind(const DirectionTally& tally) {
  return tally.misplaced + tally.unreadable;
}

std::string why_of_another_kind(const LeakView& view, Direction d) {
  const DirectionTally& tally = grown(view, d);
  std::string line;
  if (tally.misplaced > 0 && d == Direction::TRANSMIT)
    join_line(line, packets_text(tally.misplaced) + " from " + view.peer +
                        " to this node left it again in clear: a bridge floods them because it no "
                        "longer knows the pod's MAC address, or a route sends them back out");
  if (tally.misplaced > 0 && d == Direction::RECEIVE)
    join_line(line, packets_text(tally.misplaced) + " carried an address of " + view.peer +
                        " in a tunnel from another node: the sender is not " + view.peer);
  if (tally.unreadable > 0)
    join_line(line, packets_text(tally.unreadable) +
                        " had more tags, tunnels or extension headers than espial reads: what they "
                        "carry is not known");
  return line;
}

std::string cause_of_drops(const LeakView& view, Action action) {
  if (view.audit == nullptr || offloaded_pairs(*view.audit) == 0 ||
      enforced_of(view.window.growth, action, Direction::TRANSMIT) == 0)
    return {};
  return "SAs to it are in packet offload: the device would have encrypted them after tc (" +
         offload_remedies(view.peer) + ")";
}

}  // namespace

std::unordered_map<std::string, LeakingNetworks> LeakWatch::advance(const Snapshot& snapshot) {
  std::unordered_map<std::string, LeakingNetworks> leaking;
  for (const auto& counters : snapshot.networks) {
    auto [entry, first] = networks_.try_emplace(counters.peer + '\n' + counters.network);
    for (std::size_t d = 0; d < kDirections; ++d) {
      Seen& seen = entry->second[d];
      const auto count = counters.cleartext_packets[d];
      if (!first && count > seen.count) seen.grew = snapshot.monotonic;
      seen.count = count;
      if (seen.grew && snapshot.monotonic - *seen.grew < kLength)
        leaking[counters.peer].of[d].push_back(counters.network);
    }
  }
  if (networks_.size() > 2 * snapshot.networks.size() + 64) networks_.clear();
  return leaking;
}

std::string cause_of_cleartext(const LeakView& view) {
  std::string line;
  for (const auto d : {Direction::TRANSMIT, Direction::RECEIVE}) {
    if (grown(view, d).direct > of_another_kind(grown(view, d)))
      join_line(line, d == Direction::TRANSMIT ? why_sent(view) : why_received(view));
    join_line(line, why_of_another_kind(view, d));
  }
  return line;
}

std::string cause_of_host(const LeakView& view) {
  std::string line;
  if (grown(view, Direction::TRANSMIT).host > 0) {
    const bool known = view.audit != nullptr && !view.audit->host_exposed.empty();
    join_line(line, "this node sends from a source address outside the selectors" +
                        (known ? " (" + view.audit->host_exposed.front() + ")" : std::string()));
  }
  if (grown(view, Direction::RECEIVE).host > 0)
    join_line(line, view.peer + " itself sends from an address outside the selectors");
  return line;
}

std::string cause_of_transit(const LeakView& view) {
  if (grown(view, Direction::TRANSMIT).transit == 0) return {};
  const auto nat = find(view, Direction::TRANSMIT, [](const PairFinding& finding) {
    return finding.problem == PairProblem::NAT_BEFORE_IPSEC;
  });
  if (nat.pair != nullptr) return nat.text();
  return "the source is in no subnet of this node: NAT rewrote it before IPsec, or traffic of "
         "another network is forwarded; espial flows shows it";
}

std::string cause_of_leak(const LeakView& view) {
  std::string line = cause_of_cleartext(view);
  join_line(line, cause_of_transit(view));
  join_line(line, cause_of_host(view));
  return line;
}

void name_cause(const LeakView& view, AlarmCondition& condition) {
  if (condition.id == AlarmId::CleartextTraffic)
    join_line(condition.evidence, cause_of_cleartext(view));
  if (condition.id == AlarmId::CleartextHost) join_line(condition.evidence, cause_of_host(view));
  if (condition.id == AlarmId::CleartextTransit)
    join_line(condition.evidence, cause_of_transit(view));
  if (condition.id == AlarmId::EnforcementDropping)
    join_line(condition.evidence, cause_of_drops(view, Action::kDrop));
  if (condition.id == AlarmId::WouldDrop)
    join_line(condition.evidence, cause_of_drops(view, Action::kWouldDrop));
}

}  // namespace espial
