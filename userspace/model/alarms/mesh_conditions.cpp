// SPDX-License-Identifier: Apache-2.0
#include "model/alarms/conditions.h"

#include <algorithm>
#include <cassert>
#include <string>

#include "model/traffic/coverage.h"
#include "model/traffic/verdict.h"

namespace espial {

namespace {

constexpr double kSequenceShare = 0.9;

std::string pair_text(const PairAudit& pair) {
  return pair.own.text() + " > " + pair.theirs.text();
}

// The first finding of the pairs that fits, with how many more pairs have one.
template <typename Fits>
std::string evidence_of(const PeerAudit& audit, Fits fits) {
  std::string evidence;
  std::size_t more = 0;
  for (const auto& pair : audit.pairs) {
    const auto at = std::find_if(pair.findings.begin(), pair.findings.end(), fits);
    if (at == pair.findings.end()) continue;
    if (evidence.empty())
      evidence = pair_text(pair) + ": " + at->evidence;
    else
      ++more;
  }
  if (more > 0)
    evidence += "; and " + std::to_string(more) + (more == 1 ? " pair" : " pairs") + " more";
  return evidence;
}

// Null encryption has an alarm of its own, whoever made the SA.
bool exposes(const PairFinding& finding) {
  return verdict_of(finding.problem) == PairVerdict::kExposed &&
         finding.problem != PairProblem::NULL_ENCRYPTION;
}

// Packets find no SA: with a key manager the kernel asks for one, without it only counts them.
bool traffic_waits(const PeerAudit& audit, const XfrmErrorReport& errors) {
  return audit.sas.larval > 0 ||
         std::any_of(errors.growing.begin(), errors.growing.end(),
                     [](const XfrmErrorGrowth& error) { return error.name == "XfrmOutNoStates"; });
}

void add_audited(std::vector<AlarmCondition>& out, const PeerAudit& audit,
                 const XfrmErrorReport& errors) {
  const auto add = [&](AlarmId id, std::string evidence) {
    if (!evidence.empty()) out.push_back({id, audit.peer, std::move(evidence)});
  };
  add(AlarmId::PolicyMissing, evidence_of(audit, exposes));
  // A trap that nobody asked for an SA yet is no tunnel that is down.
  if (traffic_waits(audit, errors))
    add(AlarmId::TunnelDown, evidence_of(audit, [](const PairFinding& finding) {
          return finding.problem == PairProblem::NO_SA;
        }));
  if (audit.sas.null_encryption > 0)
    add(AlarmId::NullEncryption,
        std::to_string(audit.sas.null_encryption) + " of " +
            std::to_string(audit.sas.installed_in + audit.sas.installed_out) +
            " SAs do not encrypt");
  if (audit.sas.sequence_used > kSequenceShare)
    add(AlarmId::SequenceNearlyExhausted, audit.sas.sequence_evidence);
}

// One side encrypts and the other answers in clear. An answer that does not come is no proof: much
// traffic has none.
void add_one_way(std::vector<AlarmCondition>& out, const std::string& peer,
                 const PeerWindow& window) {
  const Traffic receive = traffic_of(window.growth, Direction::RECEIVE);
  const Traffic transmit = traffic_of(window.growth, Direction::TRANSMIT);
  if ((receive.encrypted > 0) == (transmit.encrypted > 0)) return;
  const bool we = transmit.encrypted > 0;
  const Traffic& encrypted = we ? transmit : receive;
  const Traffic& other = we ? receive : transmit;
  if (other.unprotected == 0) return;
  out.push_back({AlarmId::OneWayEncryption, peer,
                 (we ? "this node encrypts and " + peer + " does not: "
                     : peer + " encrypts and this node does not: ") +
                     packets_text(encrypted.encrypted) + (we ? " sent" : " received") +
                     " encrypted, everything " + (we ? "received" : "sent") + " in clear (" +
                     std::to_string(other.unprotected) + "), in " + seconds_text(window.covered) +
                     (we ? "; run espial audit on " + peer : "; espial audit here says why")});
}

void add_errors(std::vector<AlarmCondition>& out, const XfrmErrorReport& errors) {
  std::string evidence;
  for (const auto& error : errors.growing)
    evidence += (evidence.empty() ? "" : ", ") + error.name + " +" + std::to_string(error.count);
  if (!evidence.empty())
    out.push_back({AlarmId::XfrmErrors, "", evidence + " in " + seconds_text(errors.covered)});
}

}  // namespace

void add_unknown_spi(std::vector<AlarmCondition>& out, const XfrmErrorReport& growth) {
  for (const auto& peer : growth.growing)
    out.push_back({AlarmId::UnknownSpi, peer.name,
                   packets_text(peer.count) + " of ESP received that match no SA, in " +
                       seconds_text(growth.covered)});
}

void add_mesh_conditions(std::vector<AlarmCondition>& out, const Snapshot& snapshot,
                         const NodeWindow& window, const XfrmErrorReport& errors) {
  assert(window.peers.size() == snapshot.peers.size());
  for (std::size_t i = 0; i < snapshot.peers.size(); ++i) {
    const Peer& peer = snapshot.peers[i].peer;
    if (peer.state == PeerState::kCandidate) continue;
    const auto* audit = snapshot.mesh ? snapshot.mesh->find(peer.name) : nullptr;
    if (audit != nullptr) add_audited(out, *audit, errors);
    add_one_way(out, peer.name, window.peers[i]);
  }
  add_errors(out, errors);
}

}  // namespace espial
