// SPDX-License-Identifier: Apache-2.0
// PairJudge: one own subnet and one of a peer against the indexes of the kernel's facts.
#pragma once

#include "diagnose/audit/mesh_audit.h"
#include "diagnose/lookup/policy_index.h"
#include "diagnose/lookup/route_index.h"
#include "diagnose/lookup/state_index.h"

namespace espial {

struct AuditIndexes {
  explicit AuditIndexes(const KernelFacts& facts)
      : out(facts.policies, PolicyDirection::kOut),
        in(facts.policies, PolicyDirection::kIn),
        forward(facts.policies, PolicyDirection::kForward),
        routes(facts),
        states(facts.states) {}
  PolicyIndex out;
  PolicyIndex in;
  PolicyIndex forward;
  RouteIndex routes;
  StateIndex states;
};

// Judges one pair; lives as long as what it refers to.
class PairJudge {
 public:
  PairJudge(const AuditInput& input, const AuditIndexes& indexes, const Peer& peer,
            const BackendSubnet& own, const BackendSubnet& theirs);

  PairAudit judge();

 private:
  void judge_transmit(const PolicyScope& scope);
  void judge_receive(const PolicyScope& scope);
  void judge_received(const PolicyDecision& decision, const char* hook);
  void judge_route(const RouteAnswer& answer);
  void judge_policy(const PolicyPiece& piece, Direction direction);
  void judge_states(const XfrmPolicyFact& policy, Direction direction);
  void judge_offload(Direction direction);
  void judge_newest(const MatchingStates& states, Direction direction);
  void missing(const PolicyPiece& piece, const PolicyDecision& decision, Direction direction);
  [[nodiscard]] bool user_space(const RouteFact* route);
  [[nodiscard]] std::string part(const Prefix& own, const Prefix& theirs) const;
  [[nodiscard]] std::string swanctl_lines() const;
  [[nodiscard]] std::string explained(std::string evidence) const;
  void add(PairProblem problem, std::optional<Direction> direction, std::string evidence,
           std::string remedy = {});
  PairAudit finish();

  const AuditInput& input_;
  const AuditIndexes& indexes_;
  const Peer& peer_;
  PairAudit audit_;
};

// judge_tunnel: a pair whose route leads into a tunnel device, and whose own policies do not
// protect it: do those for the outer packets?
// Replaces what the pair was found guilty of where the outer packets are encrypted, held back or
// blocked; else says that the tunnel does not help. A pair that its own policies protect is left
// alone: its packets never get into the device.
void judge_tunnel(const AuditIndexes& indexes, const Peer& peer, const RouteFact* route,
                  PairAudit& pair);

}  // namespace espial
