// SPDX-License-Identifier: Apache-2.0
#include "diagnose/audit/pair_judge.h"

#include <algorithm>

#include "base/protocols.h"
#include "diagnose/lookup/outer_flow.h"

namespace espial {
namespace {

bool encrypts(const XfrmPolicyFact& policy) {
  return policy.allow && policy.has_template && !policy.level_use &&
         policy.template_protocol == kProtocolEsp;
}

// What an encrypted tunnel corrects: packets that no policy of their own takes before the device.
// One with AH, a null cipher or transport mode takes them, and the device never gets them.
bool corrected(const PairFinding& finding, Direction direction) {
  if (finding.direction != direction) return false;
  switch (finding.problem) {
    case PairProblem::NO_POLICY:
    case PairProblem::BYPASS_POLICY:
    case PairProblem::NAT_BEFORE_IPSEC:
    case PairProblem::NAT_UNKNOWN:
    case PairProblem::RECEIVE_POLICY_MISSING:
    case PairProblem::MARKED_ONLY:
      return true;
    case PairProblem::LEVEL_USE:
      return direction == Direction::RECEIVE;
    case PairProblem::NOT_ESP:
    case PairProblem::NULL_ENCRYPTION:
    case PairProblem::REDIRECTS:
    case PairProblem::BLOCK_POLICY:
    case PairProblem::WRONG_ENDPOINT:
    case PairProblem::TRANSPORT_MODE:
    case PairProblem::NO_ROUTE:
    case PairProblem::ROUTE_REJECTS:
    case PairProblem::ROUTE_UNKNOWN:
    case PairProblem::SA_EXPIRING:
    case PairProblem::SEQUENCE:
    case PairProblem::NO_SA:
    case PairProblem::TUNNEL_SETTING:
    case PairProblem::TUNNEL_ENCRYPTED:
    case PairProblem::PACKET_OFFLOAD:
    case PairProblem::TOO_MANY_POLICIES:
    case PairProblem::XFRM_UNREADABLE:
    case PairProblem::USER_SPACE:
      break;
  }
  return false;
}

std::string selector(const OuterFlow& flow, const XfrmPolicyFact* policy) {
  return policy == nullptr ? flow.text()
                           : policy->source.text() + " > " + policy->destination.text();
}

// A template in transport mode has the packet's own addresses.
XfrmPolicyFact with_ends(XfrmPolicyFact policy, const OuterFlow& flow, Direction direction) {
  const bool out = direction == Direction::TRANSMIT;
  if (policy.template_source.unspecified()) policy.template_source = out ? flow.local : flow.remote;
  if (policy.template_destination.unspecified())
    policy.template_destination = out ? flow.remote : flow.local;
  return policy;
}

PairFinding blocked(const OuterFlow& flow, const XfrmPolicyFact* policy, Direction direction) {
  return {PairProblem::BLOCK_POLICY, direction,
          flow.text() + ": policy " + selector(flow, policy) + " blocks the tunnel's packets", ""};
}

// What the policy for the outer packets makes of them.
PairFinding outer_finding(const AuditIndexes& indexes, const Peer& peer, const OuterFlow& flow,
                          const XfrmPolicyFact& policy, Direction direction) {
  if (std::none_of(peer.underlays.begin(), peer.underlays.end(),
                   [&](const Underlay& u) { return u.address == flow.remote; }))
    return {PairProblem::WRONG_ENDPOINT, direction,
            "the route leads into " + flow.text() + ", which does not end at " + peer.name,
            "a route through a tunnel to " + peer.name};
  const auto whole = with_ends(policy, flow, direction);
  const auto states = indexes.states.of_template(whole);
  const std::string through =
      "through " + flow.text() + ", whose packets policy " + selector(flow, &policy);
  if (states.installed.empty())
    return {PairProblem::NO_SA, direction,
            through + " holds: no SA " + whole.template_source.text() + " > " +
                whole.template_destination.text(),
            "see in swanctl --log why it fails"};
  const bool null = std::any_of(states.installed.begin(), states.installed.end(),
                                [](const XfrmStateFact* s) { return s->null_encryption; });
  if (null)
    return {PairProblem::NULL_ENCRYPTION, direction,
            through + " sends through an SA that does not encrypt", "esp_proposals without null"};
  return {PairProblem::TUNNEL_ENCRYPTED, direction, through + " encrypts", ""};
}

std::string no_help(const OuterFlow& flow, const XfrmPolicyFact* policy, Direction direction) {
  std::string text = "; " + flow.text();
  text += direction == Direction::TRANSMIT ? " carries them in clear: " : " brings them in clear: ";
  return text + (policy == nullptr ? "no policy covers its packets either"
                                   : "policy " + selector(flow, policy) + " does not encrypt");
}

void judge_direction(const AuditIndexes& indexes, const Peer& peer, const OuterFlow& flow,
                     Direction direction, PairAudit& pair) {
  const auto guilty = [&](const PairFinding& finding) { return corrected(finding, direction); };
  if (std::none_of(pair.findings.begin(), pair.findings.end(), guilty)) return;
  const bool out = direction == Direction::TRANSMIT;
  const auto* policy = out ? deciding_policy(indexes.out, PolicyDirection::kOut, flow)
                           : deciding_policy(indexes.in, PolicyDirection::kIn, flow);
  if (policy == nullptr || (policy->allow && !encrypts(*policy))) {
    for (auto& finding : pair.findings)
      if (guilty(finding)) finding.evidence += no_help(flow, policy, direction);
    return;
  }
  std::erase_if(pair.findings, guilty);
  pair.policy_missing[static_cast<std::size_t>(direction)] = false;
  pair.findings.push_back(policy->allow ? outer_finding(indexes, peer, flow, *policy, direction)
                                        : blocked(flow, policy, direction));
}

}  // namespace

void judge_tunnel(const AuditIndexes& indexes, const Peer& peer, const RouteFact* route,
                  PairAudit& pair) {
  const auto flow = outer_flow(indexes.routes, route, pair.theirs.family());
  if (!flow) return;
  judge_direction(indexes, peer, *flow, Direction::TRANSMIT, pair);
  judge_direction(indexes, peer, *flow, Direction::RECEIVE, pair);
}

}  // namespace espial
