// SPDX-License-Identifier: Apache-2.0
#include "diagnose/audit/mesh_audit.h"

#include <algorithm>

#include "diagnose/audit/pair_judge.h"
#include "diagnose/audit/tunnel_setting.h"

namespace espial {
namespace {

PeerAudit unreadable(const Peer& peer, const Topology& topology) {
  PeerAudit audit;
  audit.peer = peer.name;
  for (const auto& own : topology.self_backends)
    for (const auto& theirs : peer.backends) {
      if (own.prefix.family() != theirs.prefix.family()) continue;
      PairAudit pair;
      pair.own = own.prefix;
      pair.theirs = theirs.prefix;
      pair.network = theirs.network;
      audit.pairs.push_back(std::move(pair));
    }
  return audit;
}

bool own_backend(const Topology& topology, const IpAddress& address) {
  return std::any_of(topology.self_backends.begin(), topology.self_backends.end(),
                     [&](const BackendSubnet& own) { return own.prefix.contains(address); });
}

// Traffic of the node itself: whatever address it takes is inside the selectors, or it leaks.
void judge_host(const AuditIndexes& indexes, const Topology& topology, const BackendSubnet& theirs,
                PeerAudit& audit) {
  const auto source = indexes.routes.source_to(theirs.prefix);
  if (!source || own_backend(topology, *source)) return;
  const auto decision =
      indexes.out.decide(Prefix(*source, source->bits()), theirs.prefix, PolicyScope{});
  const bool exposed =
      std::any_of(decision.pieces.begin(), decision.pieces.end(), [](const PolicyPiece& piece) {
        return piece.policy == nullptr || (piece.policy->allow && !piece.policy->has_template);
      });
  if (exposed) audit.host_exposed.push_back(source->text() + " > " + theirs.prefix.text());
}

// A shared bridge that sends redirects leads pods past the node's IPsec.
void judge_redirects(const AuditInput& input, MeshAudit& audit) {
  for (const auto& link : input.facts.links) {
    const auto& redirecting = input.facts.redirecting;
    if (std::find(redirecting.begin(), redirecting.end(), link.ifindex) == redirecting.end())
      continue;
    bool backend = false;
    bool underlay = false;
    for (const auto& fact : input.facts.addresses) {
      if (fact.ifindex != link.ifindex) continue;
      const auto& own = input.topology.self_underlays;
      backend = backend || own_backend(input.topology, fact.address);
      underlay = underlay || std::any_of(own.begin(), own.end(), [&](const Underlay& u) {
                   return u.address == fact.address;
                 });
    }
    if (backend && underlay)
      audit.findings.push_back(
          {PairProblem::REDIRECTS, Direction::TRANSMIT,
           link.name +
               " is the pods' bridge and the underlay, and sends ICMP redirects: a pod that "
               "follows one reaches the other node's pods past IPsec",
           "sysctl -w net.ipv4.conf.all.send_redirects=0 net.ipv4.conf." + link.name +
               ".send_redirects=0"});
  }
}

PeerAudit judge_peer(const AuditInput& input, const AuditIndexes& indexes, const Peer& peer) {
  PeerAudit audit;
  audit.peer = peer.name;
  audit.sas = indexes.states.of_peer(peer);
  for (const auto& theirs : peer.backends) {
    for (const auto& own : input.topology.self_backends)
      if (own.prefix.family() == theirs.prefix.family())
        audit.pairs.push_back(PairJudge(input, indexes, peer, own, theirs).judge());
    if (!input.facts.xfrm_defaults.block_out) judge_host(indexes, input.topology, theirs, audit);
  }
  audit.verdict = audit.pairs.empty() ? PairVerdict::kUnknown : PairVerdict::kProtected;
  for (const auto& pair : audit.pairs) audit.verdict = std::min(audit.verdict, pair.verdict);
  return audit;
}

}  // namespace

MeshAudit audit_mesh(const AuditInput& input) {
  MeshAudit audit;
  audit.readable = input.facts.xfrm_readable;
  audit.reason = input.facts.xfrm_reason;
  judge_redirects(input, audit);
  const AuditIndexes indexes(input.facts);
  for (const auto& peer : input.topology.peers) {
    if (peer.state == PeerState::kCandidate) continue;
    audit.peers.push_back(audit.readable ? judge_peer(input, indexes, peer)
                                         : unreadable(peer, input.topology));
  }
  if (input.opensvc != nullptr && audit.readable)
    judge_tunnel_settings(*input.opensvc, input.facts, audit);
  return audit;
}

}  // namespace espial
