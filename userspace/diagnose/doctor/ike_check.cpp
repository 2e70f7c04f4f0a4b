// SPDX-License-Identifier: Apache-2.0
#include "diagnose/doctor/ike_check.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "base/time_text.h"

namespace espial {
namespace {

// A peer whose packets are not protected, or will not be when there are some.
struct Harm {
  const PeerAudit* peer = nullptr;
  Effect effect = Effect::kRisk;
  bool waits = false;  // a packet asked for an SA
};

std::vector<Harm> harm_of(const MeshAudit& audit) {
  std::vector<Harm> harms;
  for (const auto& peer : audit.peers) {
    const bool waits = peer.sas.larval > 0;
    if (peer.verdict == PairVerdict::kExposed)
      harms.push_back({&peer, Effect::kLeaks, waits});
    else if (peer.verdict == PairVerdict::kFailClosed)
      harms.push_back({&peer, waits ? Effect::kLost : Effect::kRisk, waits});
  }
  return harms;
}

Effect worst_effect(const std::vector<Harm>& harms) {
  const auto any = [&](Effect effect) {
    return std::any_of(harms.begin(), harms.end(),
                       [&](const Harm& harm) { return harm.effect == effect; });
  };
  return any(Effect::kLeaks) ? Effect::kLeaks : any(Effect::kLost) ? Effect::kLost : Effect::kRisk;
}

// Of the node, whatever the peer.
DoctorFinding of_node(const std::vector<Harm>& harms, Cause cause, const char* summary,
                      const char* evidence, const char* remedy) {
  DoctorFinding finding{cause, worst_effect(harms), summary, {evidence}, {remedy}, {}, {}};
  for (const auto& harm : harms) {
    finding.peers.push_back(harm.peer->peer);
    finding.evidence.push_back(harm.peer->peer + ": " + std::string(to_string(harm.peer->verdict)));
  }
  return finding;
}

bool is_of(const Peer& peer, const std::string& address) {
  return std::any_of(peer.underlays.begin(), peer.underlays.end(),
                     [&](const auto& underlay) { return underlay.address.text() == address; });
}

// What a problem in charon's log means, and how to fix it.
struct TroubleText {
  const char* summary;  // after "node2 and this node "
  const char* remedy;
};

TroubleText text_of(IkeTroubleKind kind) {
  switch (kind) {
    case IkeTroubleKind::kAuthentication:
      return {"do not authenticate each other: keys, certificates or identities differ",
              "compare the secrets, and local and remote id of the connection, on both nodes "
              "(swanctl --list-conns); espial mesh render writes them alike"};
    case IkeTroubleKind::kIkeProposals:
      return {
          "do not agree on an IKE_SA: its proposals differ, or the other has no connection for "
          "this one",
          "compare version and proposals of the connection on both nodes (swanctl "
          "--list-conns); espial mesh render writes them alike"};
    case IkeTroubleKind::kChildProposals:
      return {"do not agree on a CHILD_SA: its proposals differ",
              "compare esp_proposals and mode of the children on both nodes; espial mesh render "
              "writes them alike"};
    case IkeTroubleKind::kSelectors:
      return {"do not agree on a CHILD_SA: its traffic selectors differ",
              "compare local_ts and remote_ts of the children on both nodes (swanctl "
              "--list-conns); espial mesh render writes them alike"};
    case IkeTroubleKind::kCertificateTime:
      return {
          "do not authenticate each other: a certificate is not valid at the time of this "
          "node's clock",
          "timedatectl status, then the validity of the certificate (swanctl --list-certs)"};
    case IkeTroubleKind::kUnknownPeer:
      return {"make no IKE_SA: this node's charon has no connection for the other's address",
              "espial mesh render --out DIR, then swanctl --load-all with what it wrote for this "
              "node"};
  }
  return {};
}

// A trouble of some hours ago explains what is wrong now only where packets wait still.
constexpr std::chrono::minutes kFresh{10};

class Attempts {
 public:
  Attempts(const IkeInput& input, const Peer& peer) : now_(input.now) {
    const auto& charon = input.charon;
    for (const auto& sa : charon.ike_sas)
      if (is_of(peer, sa.remote_host)) (sa.state == "CONNECTING" ? going_on_ : done_) = &sa;
    for (const auto& connection : charon.connections)
      if (std::any_of(connection.remote_addresses.begin(), connection.remote_addresses.end(),
                      [&](const std::string& address) { return is_of(peer, address); }))
        connection_ = &connection;
    for (const auto& trouble : charon.troubles) {
      const bool its = trouble.connection.empty()
                           ? is_of(peer, trouble.remote_host)
                           : connection_ != nullptr && trouble.connection == connection_->name;
      if (its && (trouble_ == nullptr || trouble_->at < trouble.at)) trouble_ = &trouble;
    }
  }

  std::optional<DoctorFinding> finding(const Harm& harm) const {
    const auto& name = harm.peer->peer;
    if (trouble_ != nullptr && (harm.waits || now_ - trouble_->at < kFresh))
      return logged_finding(harm);
    if (going_on_ != nullptr && done_ == nullptr)
      return DoctorFinding{Cause::IKE_UNANSWERED,
                           harm.effect,
                           name + " does not answer this node's IKE",
                           {"IKE_SA " + going_on_->name + " is CONNECTING"},
                           {"espial doctor on " + name +
                            ", then charon there and UDP 500 and 4500 between the nodes"},
                           {name},
                           {}};
    if (!harm.waits || connection_ == nullptr || going_on_ != nullptr) return std::nullopt;
    return DoctorFinding{
        Cause::IKE_REFUSED,
        harm.effect,
        done_ == nullptr ? name +
                               " and this node do not agree on an IKE_SA: proposals, identities "
                               "or keys differ"
                         : name +
                               " and this node do not agree on a CHILD_SA: proposals or traffic "
                               "selectors differ",
        {"connection " + connection_->name + ": packets wait for an SA, and charon has " +
         (done_ == nullptr ? "no IKE_SA" : "IKE_SA " + done_->state)},
        {"compare swanctl --list-conns on both nodes; charon's log names it "
         "(NO_PROPOSAL_CHOSEN, AUTHENTICATION_FAILED, TS_UNACCEPTABLE), and a running espial "
         "reads it by VICI"},
        {name},
        {}};
  }

 private:
  DoctorFinding logged_finding(const Harm& harm) const {
    const auto& name = harm.peer->peer;
    const auto text = text_of(trouble_->kind);
    DoctorFinding finding{cause_of(trouble_->kind),
                          harm.effect,
                          name + " and this node " + text.summary,
                          {"charon at " + rfc3339(trouble_->at) + ": " + printable(trouble_->line)},
                          {text.remedy},
                          {name},
                          {}};
    if (!trouble_->connection.empty())
      finding.evidence.push_back("connection " + printable(trouble_->connection) +
                                 (harm.waits ? ": packets wait for an SA" : ": has no SA"));
    return finding;
  }

  std::chrono::system_clock::time_point now_;
  const CharonIkeSa* going_on_ = nullptr;
  const CharonIkeSa* done_ = nullptr;
  const CharonConnection* connection_ = nullptr;
  const IkeTrouble* trouble_ = nullptr;
};

std::string port_text(const IkeReach& reach) {
  return "UDP " + std::to_string(reach.port) + " of " + reach.address.text();
}

std::string answer_text(const IkeReach& reach) {
  switch (reach.answer) {
    case IkeAnswer::kAnswered:
      return port_text(reach) + " answers IKE";
    case IkeAnswer::kRefused:
      return "nothing listens at " + port_text(reach);
    case IkeAnswer::kRejected:
      return port_text(reach) + ": an ICMP error says it is administratively unreachable";
    case IkeAnswer::kSilent:
      return port_text(reach) + " does not answer IKE";
    case IkeAnswer::kNotSent:
      return port_text(reach) + " could not be queried";
  }
  return {};
}

// What the peer's ports said, one line each.
class Reachability {
 public:
  Reachability(const std::vector<IkeReach>& reach, const Peer& peer) {
    for (const auto& one : reach)
      if (is_of(peer, one.address.text())) asked_.push_back(&one);
  }

  std::vector<std::string> evidence() const {
    std::vector<std::string> lines;
    for (const auto* one : asked_) lines.push_back(answer_text(*one));
    return lines;
  }

  // Nothing: every port of some address answers, or it was not probed.
  std::optional<DoctorFinding> finding(const Harm& harm) const {
    const auto* first = worst_effect();
    if (first == nullptr) return std::nullopt;
    const auto& name = harm.peer->peer;
    DoctorFinding found{Cause::IKE_UNREACHABLE, harm.effect, {}, evidence(), {}, {name}, {}};
    const bool refused = first->answer == IkeAnswer::kRefused;
    found.summary = refused ? "no IKE daemon runs on " + name + ": " + answer_text(*first)
                            : name + " cannot be reached by IKE: " + answer_text(*first);
    const std::string filter = std::to_string(first->port);
    found.remedies = {refused ? "start charon on " + name + ": systemctl start strongswan there"
                              : "espial doctor on " + name + ", then what filters UDP " + filter +
                                    " between the nodes"};
    return found;
  }

 private:
  // Of the address that answers best the port that is worst.
  const IkeReach* worst_effect() const {
    const auto lost = [](const IkeReach* one) {
      return one->answer != IkeAnswer::kAnswered && one->answer != IkeAnswer::kNotSent;
    };
    const IkeReach* first = nullptr;
    for (const auto* one : asked_) {
      const auto whole = std::none_of(asked_.begin(), asked_.end(), [&](const auto* other) {
        return other->address == one->address && lost(other);
      });
      if (whole) return nullptr;
      if (first == nullptr && lost(one)) first = one;
    }
    return first;
  }

  std::vector<const IkeReach*> asked_;
};

// Does the report say already why packets to the peer's underlay, or its IKE, are lost?
bool explained(const DoctorReport& report, const std::string& peer) {
  constexpr Cause kReasons[] = {Cause::UNDERLAY_ROUTE, Cause::UNDERLAY_UNREACHABLE,
                                Cause::IKE_BLOCKED,    Cause::IKE_REFUSED,
                                Cause::IKE_UNANSWERED, Cause::NEIGHBOURS_BLOCKED};
  return std::any_of(
      report.findings.begin(), report.findings.end(), [&](const DoctorFinding& finding) {
        const bool its =
            std::find(finding.peers.begin(), finding.peers.end(), peer) != finding.peers.end();
        return its && finding.effect != Effect::kRisk &&
               (is_ike_trouble(finding.cause) || std::find(std::begin(kReasons), std::end(kReasons),
                                                           finding.cause) != std::end(kReasons));
      });
}

void check_peer(const IkeInput& input, const Harm& harm, const Peer& peer, DoctorReport& report) {
  const Reachability reach(input.reach, peer);
  if (input.charon.readable)
    if (auto finding = Attempts(input, peer).finding(harm)) {
      const auto more = reach.evidence();
      finding->evidence.insert(finding->evidence.end(), more.begin(), more.end());
      report.findings.push_back(std::move(*finding));
    }
  if (explained(report, peer.name)) return;
  if (auto finding = reach.finding(harm)) report.findings.push_back(std::move(*finding));
}

}  // namespace

void check_ike(const IkeInput& input, DoctorReport& report) {
  const auto harms = harm_of(input.audit);
  if (!input.audit.readable || harms.empty()) return;
  if (input.host.esp == false)
    report.findings.push_back(of_node(
        harms, Cause::KERNEL_WITHOUT_ESP, "this node's kernel has no ESP: it cannot encrypt",
        "no function of esp4 in /proc/kallsyms, and no module of that name",
        "install a kernel with CONFIG_INET_ESP and CONFIG_INET6_ESP, as Debian's have them"));
  if (input.host.ike_listens == false && !input.charon.readable)
    report.findings.push_back(
        of_node(harms, Cause::NO_IKE_DAEMON, "charon does not run on this node",
                "no socket has UDP port 500 or 4500",
                "systemctl start strongswan, or start the OpenSVC service that runs charon"));
  for (const auto& harm : harms)
    if (const auto* peer = input.topology.find(harm.peer->peer))
      check_peer(input, harm, *peer, report);
}

}  // namespace espial
