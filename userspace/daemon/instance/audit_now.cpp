// SPDX-License-Identifier: Apache-2.0
#include "daemon/instance/audit_now.h"

#include <chrono>

namespace espial {

MeshAudit audit_now(const Topology& topology, const KernelFacts& facts, const ViciFacts& charon,
                    const OpensvcFacts& cluster, PodNat* nat) {
  using Clock = std::chrono::system_clock;
  const auto explain = [&](const Peer& peer, const Prefix& own, const Prefix& theirs) {
    if (!charon.readable) return std::string();
    std::vector<IpAddress> underlays;
    for (const auto& underlay : peer.underlays) underlays.push_back(underlay.address);
    return explain_pair(charon, own, theirs, underlays).value_or(std::string());
  };
  AuditInput input{.topology = topology,
                   .facts = facts,
                   .now = static_cast<std::uint64_t>(Clock::to_time_t(Clock::now())),
                   .nat_before_ipsec = {},
                   .explain = explain,
                   .cluster = &cluster};
  if (nat != nullptr)
    input.nat_before_ipsec = [&](const RouteIndex& routes, const Prefix& own,
                                 const Prefix& theirs) {
      return nat->judge(facts, routes, own, theirs);
    };
  auto audit = audit_mesh(input);
  audit.nat_unchecked = nat == nullptr ? "the firewall has not been read yet" : nat->unread();
  return audit;
}

}  // namespace espial
