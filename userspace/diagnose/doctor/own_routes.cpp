// SPDX-License-Identifier: Apache-2.0
#include "diagnose/doctor/checks.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace espial {
namespace {

bool holds(const KernelFacts& facts, int ifindex, const Prefix& subnet) {
  return std::any_of(facts.addresses.begin(), facts.addresses.end(), [&](const AddressFact& fact) {
    return fact.ifindex == ifindex && subnet.contains(fact.address);
  });
}

// The device that the peers' packets come by: the one with the underlay that they are sent to.
const LinkFact* arrival(const Topology& topology, const RouteIndex& routes) {
  for (const auto& own : topology.self_underlays)
    if (const auto* link = routes.holder(Prefix(own.address, own.address.bits()))) return link;
  return nullptr;
}

// What is wrong with the way of packets to the subnet; "": nothing, or it is not known.
std::string trouble(const KernelFacts& facts, const RouteIndex& routes, const Prefix& subnet,
                    const LinkFact& holder, const RouteAnswer& answer) {
  const std::string what = "packets to " + subnet.text();
  switch (answer.kind) {
    case RouteAnswer::Kind::kUnknown:
      return {};
    case RouteAnswer::Kind::kNone:
      return what + " have no route, though " + holder.name + " has an address in it";
    case RouteAnswer::Kind::kRejected:
      return what + " are rejected, not delivered to " + holder.name;
    case RouteAnswer::Kind::kRoute:
      break;
  }
  if (holds(facts, answer.route->oif, subnet)) return {};
  const auto* link = routes.link(answer.route->oif);
  return what + " are sent " +
         (answer.route->gateway ? "to " + answer.route->gateway->text() + " " : "") + "through " +
         (link == nullptr ? "an unknown device" : link->name) + ", not delivered to " + holder.name;
}

}  // namespace

void check_own_routes(const Topology& topology, const KernelFacts& facts, const RouteIndex& routes,
                      DoctorReport& report) {
  const auto* iif = arrival(topology, routes);
  std::map<std::string, DoctorFinding> found;
  std::set<std::string> unknown;
  for (const auto& own : topology.self_backends) {
    const auto* holder = routes.holder(own.prefix);
    if (holder == nullptr) continue;
    for (const auto& peer : topology.peers) {
      for (const auto& theirs : peer.backends) {
        if (theirs.prefix.family() != own.prefix.family()) continue;
        const auto answer = routes.ask({own.prefix, theirs.prefix, iif});
        if (answer.kind == RouteAnswer::Kind::kUnknown)
          unknown.insert("where packets to " + own.prefix.text() + " go depends on the rule " +
                         answer.why);
        const auto wrong = trouble(facts, routes, own.prefix, *holder, answer);
        if (wrong.empty()) continue;
        auto& finding =
            found.try_emplace(wrong, DoctorFinding{.cause = Cause::OWN_ROUTE}).first->second;
        finding.summary = wrong;
        finding.family = own.prefix.family();
        if (answer.kind != RouteAnswer::Kind::kNone) {
          finding.evidence = {answer.by()};
          finding.remedies = {answer.removal(own.prefix.family())};
        } else if (!holder->up) {
          finding.evidence = {holder->name + " is down"};
          finding.remedies = {"ip link set " + holder->name + " up"};
        }
        if (finding.peers.empty() || finding.peers.back() != peer.name)
          finding.peers.push_back(peer.name);
      }
    }
  }
  for (auto& [text, finding] : found) report.findings.push_back(std::move(finding));
  report.unknown.insert(report.unknown.end(), unknown.begin(), unknown.end());
}

}  // namespace espial
