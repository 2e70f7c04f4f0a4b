// SPDX-License-Identifier: Apache-2.0
#include "diagnose/audit/pair_judge.h"

#include <algorithm>

#include "base/protocols.h"
#include "model/traffic/offload.h"

namespace espial {
namespace {

constexpr std::uint64_t kExpirySeconds = 60;  // without a successor: a rekey takes a second or two
constexpr double kSequenceShare = 0.9;

const char* direction_word(PolicyDirection direction) {
  switch (direction) {
    case PolicyDirection::kIn:
      return "in";
    case PolicyDirection::kOut:
      return "out";
    case PolicyDirection::kForward:
      return "fwd";
  }
  return "";
}

std::string removal(const XfrmPolicyFact& policy) {
  std::string text =
      "ip xfrm policy delete src " + policy.source.text() + " dst " + policy.destination.text();
  if (policy.protocol != 0) text += " proto " + std::to_string(policy.protocol);
  if (policy.source_port.mask != 0) text += " sport " + std::to_string(policy.source_port.value);
  if (policy.destination_port.mask != 0)
    text += " dport " + std::to_string(policy.destination_port.value);
  return text + " dir " + direction_word(policy.direction);
}

bool has_underlay(const std::vector<Underlay>& underlays, const IpAddress& address) {
  return std::any_of(underlays.begin(), underlays.end(),
                     [&](const Underlay& u) { return u.address == address; });
}

// Would it let packets through in clear? Then as which problem.
std::optional<PairProblem> opens(const XfrmPolicyFact& policy) {
  if (!policy.allow) return std::nullopt;
  if (!policy.has_template) return PairProblem::BYPASS_POLICY;
  if (policy.level_use) return PairProblem::LEVEL_USE;
  if (policy.template_protocol != kProtocolEsp) return PairProblem::NOT_ESP;
  return std::nullopt;
}

std::string why_open(PairProblem problem, const XfrmPolicyFact& policy) {
  const std::string name = policy.text();
  if (problem == PairProblem::LEVEL_USE)
    return "policy " + name + " has level use: without an SA, packets pass in clear";
  if (problem == PairProblem::NOT_ESP)
    return "policy " + name + " asks for " + protocol_text(policy.template_protocol) +
           ", which does not encrypt";
  return "bypass policy " + name + " passes packets in clear";
}

}  // namespace

PairJudge::PairJudge(const AuditInput& input, const AuditIndexes& indexes, const Peer& peer,
                     const BackendSubnet& own, const BackendSubnet& theirs)
    : input_(input), indexes_(indexes), peer_(peer) {
  audit_.own = own.prefix;
  audit_.theirs = theirs.prefix;
  audit_.network = theirs.network;
}

PairAudit PairJudge::judge() {
  const auto answer = indexes_.routes.from_pods(audit_.own, audit_.theirs);
  const auto* route = answer.unicast();
  const auto* link = route == nullptr ? nullptr : indexes_.routes.link(route->oif);
  const PolicyScope scope{route == nullptr ? 0 : route->oif,
                          link != nullptr && link->kind == "xfrm"};
  if (user_space(route)) return finish();
  judge_route(answer);
  judge_transmit(scope);
  judge_receive(scope);
  judge_tunnel(indexes_, peer_, route, audit_);
  return finish();
}

void PairJudge::add(PairProblem problem, std::optional<Direction> direction, std::string evidence,
                    std::string remedy) {
  PairFinding finding{problem, direction, std::move(evidence), std::move(remedy)};
  if (std::find(audit_.findings.begin(), audit_.findings.end(), finding) == audit_.findings.end())
    audit_.findings.push_back(std::move(finding));
}

PairAudit PairJudge::finish() {
  audit_.verdict = PairVerdict::kProtected;
  for (const auto& finding : audit_.findings)
    audit_.verdict = std::min(audit_.verdict, verdict_of(finding.problem));
  std::stable_sort(audit_.findings.begin(), audit_.findings.end(),
                   [](const PairFinding& a, const PairFinding& b) {
                     return verdict_of(a.problem) < verdict_of(b.problem);
                   });
  return std::move(audit_);
}

// charon with kernel-libipsec: no policies, but a route in its table into a TUN device.
bool PairJudge::user_space(const RouteFact* route) {
  if (route == nullptr || route->table != kCharonTable) return false;
  const auto* link = indexes_.routes.link(route->oif);
  if (link == nullptr || link->kind != "tun") return false;
  add(PairProblem::USER_SPACE, std::nullopt,
      route->destination.text() + " goes into " + link->name +
          ": charon encrypts in user space (kernel-libipsec), the kernel has no policies for it");
  return true;
}

void PairJudge::judge_route(const RouteAnswer& answer) {
  switch (answer.kind) {
    case RouteAnswer::Kind::kRoute:
      break;
    case RouteAnswer::Kind::kNone:
      add(PairProblem::NO_ROUTE, Direction::TRANSMIT,
          "no route to " + audit_.theirs.text() + ", not even a default route",
          peer_.underlays.empty() ? std::string()
                                  : "ip route add " + audit_.theirs.text() + " via " +
                                        peer_.underlays.front().address.text());
      break;
    case RouteAnswer::Kind::kRejected:
      add(PairProblem::ROUTE_REJECTS, Direction::TRANSMIT,
          "the packets are rejected by " + answer.by(), answer.removal(audit_.theirs.family()));
      break;
    case RouteAnswer::Kind::kUnknown:
      add(PairProblem::ROUTE_UNKNOWN, Direction::TRANSMIT,
          "where packets to " + audit_.theirs.text() + " go depends on the rule " + answer.why, "");
      break;
  }
  if (!input_.nat_before_ipsec) return;
  if (auto nat = input_.nat_before_ipsec(indexes_.routes, audit_.own, audit_.theirs))
    add(nat->certain ? PairProblem::NAT_BEFORE_IPSEC : PairProblem::NAT_UNKNOWN,
        Direction::TRANSMIT,
        nat->evidence + (nat->certain ? " before IPsec: the selector no longer matches"
                                      : "; whether before IPsec is not known"),
        std::move(nat->remedy));
}

// The whole pair is not repeated in every line; a part of it is named.
std::string PairJudge::part(const Prefix& own, const Prefix& theirs) const {
  if (own == audit_.own && theirs == audit_.theirs) return {};
  return own.text() + " > " + theirs.text() + ": ";
}

std::string PairJudge::swanctl_lines() const {
  return "swanctl.conf, connections." + peer_.name + ".children: " + audit_.network +
         (audit_.own.family() == Family::kIpv4 ? "-v4" : "-v6") +
         " { local_ts = " + audit_.own.text() + "; remote_ts = " + audit_.theirs.text() +
         "; start_action = trap } on both nodes, then swanctl --load-conns";
}

std::string PairJudge::explained(std::string evidence) const {
  if (!input_.explain) return evidence;
  const auto why = input_.explain(peer_, audit_.own, audit_.theirs);
  return why.empty() ? evidence : evidence + "; " + why;
}

void PairJudge::missing(const PolicyPiece& piece, const PolicyDecision& decision,
                        Direction direction) {
  const bool out = direction == Direction::TRANSMIT;
  const auto& defaults = input_.facts.xfrm_defaults;
  if (out ? defaults.block_out : defaults.block_forward) {
    add(PairProblem::BLOCK_POLICY, direction,
        part(piece.own, piece.theirs) +
            "no policy, and the kernel's default is block: nothing passes",
        swanctl_lines());
    return;
  }
  audit_.policy_missing[static_cast<std::size_t>(direction)] = true;
  std::string evidence = part(piece.own, piece.theirs) +
                         (out ? "no policy: packets leave in clear"
                              : "no inbound policy requires IPsec: packets in clear are accepted");
  if (!decision.elsewhere.empty())
    evidence += " (" + decision.elsewhere.front()->text() +
                (decision.elsewhere.front()->mark.matches_unmarked()
                     ? " is for another device or XFRM interface)"
                     : " is for packets with a mark only)");
  const bool marked =
      !decision.elsewhere.empty() && !decision.elsewhere.front()->mark.matches_unmarked();
  add(out ? PairProblem::NO_POLICY : PairProblem::RECEIVE_POLICY_MISSING, direction,
      explained(std::move(evidence)), swanctl_lines());
  if (marked)
    add(PairProblem::MARKED_ONLY, direction,
        "policy " + decision.elsewhere.front()->text() + " takes packets with mark " +
            std::to_string(decision.elsewhere.front()->mark.value) + " only");
}

void PairJudge::judge_newest(const MatchingStates& states, Direction direction) {
  // What counts is the SA that lasts longest: after a rekey the old one may end.
  std::optional<std::uint64_t> last;
  const XfrmStateFact* newest = nullptr;
  for (const auto* state : states.installed) {
    const auto end = expiry_of(*state);
    if (!end) return;
    if (!last || *end > *last) {
      last = end;
      newest = state;
    }
  }
  if (last && *last <= input_.now + kExpirySeconds && newest->soft.seconds_added != 0 &&
      newest->added + newest->soft.seconds_added < input_.now)
    add(PairProblem::SA_EXPIRING, direction,
        "the last SA ends in " + std::to_string(*last > input_.now ? *last - input_.now : 0) +
            " s, and it has not been rekeyed");
}

void PairJudge::judge_states(const XfrmPolicyFact& policy, Direction direction) {
  const auto states = indexes_.states.of_template(policy);
  const std::string ends =
      policy.template_source.text() + " > " + policy.template_destination.text();
  if (states.installed.empty()) {
    add(PairProblem::NO_SA, direction,
        explained(states.larval ? "no SA " + ends + ": traffic triggered an acquire and waits"
                                : "no SA " + ends + ": nothing passes until traffic triggers one"),
        "swanctl --initiate --ike " + peer_.name + ", or see in swanctl --log why it fails");
    return;
  }
  for (const auto* state : direction == Direction::TRANSMIT ? states.in_use : states.installed) {
    if (state->offload_packet) judge_offload(direction);
    if (state->null_encryption)
      add(PairProblem::NULL_ENCRYPTION, direction,
          "the SA " + ends + " does not encrypt (" + state->algorithm + ")",
          "esp_proposals of connections." + peer_.name + " without null ciphers");
    if (sequence_share(*state) > kSequenceShare)
      add(PairProblem::SEQUENCE, direction,
          "the SA " + ends + " has used " + std::to_string(state->sequence_sent) +
              " of 2^32 sequence numbers",
          "rekey_packets or extended sequence numbers (esn) in esp_proposals");
  }
  judge_newest(states, direction);
}

void PairJudge::judge_offload(Direction direction) {
  audit_.offloaded = true;
  if (direction == Direction::RECEIVE) {
    add(PairProblem::PACKET_OFFLOAD, direction,
        "offloaded: the device decrypts before XDP and tc, which see these packets in clear; "
        "espial cannot prove what the wire carried");
    return;
  }
  const bool enforced = peer_.mode == Mode::ENFORCE;
  add(PairProblem::PACKET_OFFLOAD, direction,
      std::string("offloaded: the device encrypts after tc, which sees these packets in clear; ") +
          (enforced ? "enforce drops them there" : "espial cannot prove what the wire carries"),
      enforced ? offload_remedies(peer_.name) : std::string());
}

void PairJudge::judge_policy(const PolicyPiece& piece, Direction direction) {
  const auto& policy = *piece.policy;
  const std::string where = part(piece.own, piece.theirs);
  if (!policy.allow) {
    add(PairProblem::BLOCK_POLICY, direction,
        where + "policy " + policy.text() + " blocks everything", removal(policy));
    return;
  }
  if (const auto problem = opens(policy)) {
    add(*problem, direction, where + why_open(*problem, policy), removal(policy));
    return;
  }
  if (!policy.tunnel_mode) {
    add(PairProblem::TRANSPORT_MODE, direction,
        where + "policy " + policy.text() + " is in transport mode, between two subnets",
        "mode = tunnel in swanctl.conf");
    return;
  }
  const bool out = policy.direction == PolicyDirection::kOut;
  const auto& far = out ? policy.template_destination : policy.template_source;
  const auto& near = out ? policy.template_source : policy.template_destination;
  if (!has_underlay(peer_.underlays, far) ||
      (!near.unspecified() && !has_underlay(input_.topology.self_underlays, near))) {
    add(PairProblem::WRONG_ENDPOINT, direction,
        where + "policy " + policy.text() + " has the tunnel " + policy.template_source.text() +
            " > " + policy.template_destination.text() +
            ", which is not one between this node and " + peer_.name,
        "local_addrs and remote_addrs of connections." + peer_.name);
    return;
  }
  if (policy.direction != PolicyDirection::kForward) judge_states(policy, direction);
}

void PairJudge::judge_transmit(const PolicyScope& scope) {
  const auto decision = indexes_.out.decide(audit_.own, audit_.theirs, scope);
  for (const auto& piece : decision.pieces)
    if (piece.policy == nullptr)
      missing(piece, decision, Direction::TRANSMIT);
    else
      judge_policy(piece, Direction::TRANSMIT);
  for (const auto* slice : decision.slices)
    if (const auto problem = opens(*slice))
      add(*problem, Direction::TRANSMIT, why_open(*problem, *slice), removal(*slice));
  if (decision.too_many)
    add(PairProblem::TOO_MANY_POLICIES, Direction::TRANSMIT,
        "the policies cut the pair into more than " + std::to_string(PolicyIndex::kMaxPieces) +
            " pieces");
}

void PairJudge::judge_received(const PolicyDecision& decision, const char* hook) {
  for (const auto& piece : decision.pieces) {
    if (piece.policy == nullptr)
      missing(piece, decision, Direction::RECEIVE);
    else
      judge_policy(piece, Direction::RECEIVE);
  }
  for (const auto* slice : decision.slices)
    if (const auto problem = opens(*slice))
      add(*problem, Direction::RECEIVE, std::string(hook) + ": " + why_open(*problem, *slice),
          removal(*slice));
}

void PairJudge::judge_receive(const PolicyScope& scope) {
  judge_received(indexes_.in.decide(audit_.own, audit_.theirs, scope), "in");
  judge_received(indexes_.forward.decide(audit_.own, audit_.theirs, scope), "fwd");
}

}  // namespace espial
