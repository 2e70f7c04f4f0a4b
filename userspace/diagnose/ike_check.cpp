// SPDX-License-Identifier: Apache-2.0
#include "diagnose/ike_check.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

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

Effect worst(const std::vector<Harm>& harms) {
  const auto any = [&](Effect effect) {
    return std::any_of(harms.begin(), harms.end(),
                       [&](const Harm& harm) { return harm.effect == effect; });
  };
  return any(Effect::kLeaks) ? Effect::kLeaks : any(Effect::kLost) ? Effect::kLost : Effect::kRisk;
}

// Of the node, whatever the peer.
DoctorFinding of_node(const std::vector<Harm>& harms, const char* cause, const char* summary,
                      const char* evidence, const char* remedy) {
  DoctorFinding finding{cause, worst(harms), summary, {evidence}, {remedy}, {}, {}};
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

class Attempts {
 public:
  Attempts(const ViciFacts& charon, const Peer& peer) {
    for (const auto& sa : charon.ike_sas)
      if (is_of(peer, sa.remote_host)) (sa.state == "CONNECTING" ? going_on_ : done_) = &sa;
    for (const auto& connection : charon.connections)
      if (std::any_of(connection.remote_addresses.begin(), connection.remote_addresses.end(),
                      [&](const std::string& address) { return is_of(peer, address); }))
        connection_ = &connection;
  }

  std::optional<DoctorFinding> finding(const Harm& harm) const {
    const auto& name = harm.peer->peer;
    if (going_on_ != nullptr && done_ == nullptr)
      return DoctorFinding{"ike_unanswered",
                           harm.effect,
                           name + " does not answer this node's IKE",
                           {"IKE_SA " + going_on_->name + " is CONNECTING"},
                           {"espial doctor on " + name +
                            ", then charon there and UDP 500 and 4500 between the nodes"},
                           {name},
                           {}};
    if (!harm.waits || connection_ == nullptr || going_on_ != nullptr) return std::nullopt;
    return DoctorFinding{
        "ike_refused",
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
         "(NO_PROPOSAL_CHOSEN, AUTHENTICATION_FAILED, TS_UNACCEPTABLE)"},
        {name},
        {}};
  }

 private:
  const ViciIkeSa* going_on_ = nullptr;
  const ViciIkeSa* done_ = nullptr;
  const ViciConnection* connection_ = nullptr;
};

}  // namespace

void check_ike(const IkeInput& input, DoctorReport& report) {
  const auto harms = harm_of(input.audit);
  if (!input.audit.readable || harms.empty()) return;
  if (input.host.esp == false)
    report.findings.push_back(of_node(
        harms, "kernel_without_esp", "this node's kernel has no ESP: it cannot encrypt",
        "no function of esp4 in /proc/kallsyms, and no module of that name",
        "install a kernel with CONFIG_INET_ESP and CONFIG_INET6_ESP, as Debian's have them"));
  if (input.host.ike_listens == false && !input.charon.readable)
    report.findings.push_back(
        of_node(harms, "no_ike_daemon", "charon does not run on this node",
                "no socket has UDP port 500 or 4500",
                "systemctl start strongswan, or start the OpenSVC service that runs charon"));
  if (!input.charon.readable) return;
  for (const auto& harm : harms)
    if (const auto* peer = input.topology.find(harm.peer->peer))
      if (auto finding = Attempts(input.charon, *peer).finding(harm))
        report.findings.push_back(std::move(*finding));
}

}  // namespace espial
