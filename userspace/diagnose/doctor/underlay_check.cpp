// SPDX-License-Identifier: Apache-2.0
#include "diagnose/doctor/underlay_check.h"

#include <algorithm>
#include <unordered_set>

namespace espial {
namespace {

class UnderlayCheck {
 public:
  UnderlayCheck(const Topology& topology, const KernelFacts& facts, const RouteIndex& routes,
                const std::vector<UnderlayEcho>& echoes, DoctorReport& report)
      : topology_(topology),
        facts_(facts),
        routes_(routes),
        echoes_(echoes),
        report_(report),
        sources_(tunnel_sources(facts)) {
    for (const auto& policy : facts.policies) {
      if (policy.direction != PolicyDirection::kOut || !policy.has_template) continue;
      ends_.insert(policy.template_destination);
    }
  }

  void look(const Peer& peer) {
    std::vector<const UnderlayEcho*> asked;
    for (const auto& underlay : peer.underlays)
      for (const auto& echo : echoes_) {
        if (echo.address != underlay.address) continue;
        asked.push_back(&echo);
        if (echo.asked_bytes && echo.largest) black_hole(peer, echo);
      }
    // Of several addresses those count that tunnels end at; without tunnels one that answers will
    // do.
    const auto unused = std::stable_partition(asked.begin(), asked.end(), [&](const auto* echo) {
      return ends_.count(echo->address) != 0;
    });
    if (unused != asked.begin()) asked.erase(unused, asked.end());
    std::vector<const UnderlayEcho*> silent;
    for (const auto* echo : asked)
      if (!echo->answered) silent.push_back(echo);
    const bool tunnels = !asked.empty() && ends_.count(asked.front()->address) != 0;
    if (silent.empty() || (!tunnels && silent.size() != asked.size())) return;
    if (!misrouted(peer, silent)) unreachable(peer, silent);
  }

 private:
  const RouteFact* route_to(const IpAddress& address) const {
    return routes_.find(Prefix(address, address.bits()));
  }

  // ESP is routed by the underlay that it comes from.
  RouteAnswer answer_to(const IpAddress& address) const {
    RouteQuery query{Prefix(address, address.bits())};
    if (const auto from = source_to(sources_, address)) query.source = Prefix(*from, from->bits());
    return routes_.ask(query);
  }

  // The device on whose own network the address is; null: it is behind routers.
  const LinkFact* on_link(const IpAddress& address) const {
    for (const auto& own : topology_.self_underlays)
      for (const auto& fact : facts_.addresses)
        if (fact.address == own.address && fact.address.family() == address.family() &&
            Prefix(fact.address, fact.prefix_length).contains(address))
          return routes_.link(fact.ifindex);
    return nullptr;
  }

  // No route to the peer, one that rejects, or one away from the network that both are on.
  bool misrouted(const Peer& peer, const std::vector<const UnderlayEcho*>& silent) {
    DoctorFinding finding{.cause = Cause::UNDERLAY_ROUTE, .peers = {peer.name}};
    for (const auto* echo : silent) {
      const auto answer = answer_to(echo->address);
      const auto* near = on_link(echo->address);
      const std::string to = echo->address.text();
      if (answer.kind == RouteAnswer::Kind::kNone) {
        finding.summary = "no route to " + to + ", the underlay of " + peer.name;
      } else if (answer.kind == RouteAnswer::Kind::kRejected) {
        finding.summary = "packets to " + to + ", the underlay of " + peer.name + ", are rejected";
      } else if (const auto* route = answer.unicast();
                 route != nullptr && near != nullptr &&
                 (route->gateway || route->oif != near->ifindex)) {
        const auto* link = routes_.link(route->oif);
        finding.summary = "packets to " + to + " are sent " +
                          (route->gateway ? "to " + route->gateway->text() + " " : "") + "by " +
                          (link == nullptr ? "an unknown device" : link->name) + ", and " +
                          peer.name + " is on the network of " + near->name;
      } else {
        continue;
      }
      finding.evidence.push_back(to + " does not answer ping");
      if (answer.route != nullptr || answer.kind == RouteAnswer::Kind::kRejected) {
        finding.evidence.push_back(answer.by());
        finding.remedies = {answer.removal(echo->address.family())};
      }
    }
    if (finding.summary.empty()) return false;
    report_.findings.push_back(std::move(finding));
    return true;
  }

  // "10.45.0.12 does not answer ARP on eth0": then no firewall of IP packets is the cause.
  std::optional<std::string> unresolved(const IpAddress& address) const {
    const auto* route = route_to(address);
    const auto* link = route == nullptr ? nullptr : routes_.link(route->oif);
    if (link == nullptr || link->arphrd != kArphrdEther) return std::nullopt;
    const IpAddress hop = route->gateway.value_or(address);
    const bool known = std::any_of(
        facts_.neighbours.begin(), facts_.neighbours.end(), [&](const NeighbourFact& neighbour) {
          return neighbour.ifindex == link->ifindex && neighbour.address == hop;
        });
    if (known) return std::nullopt;
    return hop.text() + " does not answer " +
           (hop.family() == Family::kIpv4 ? "ARP" : "neighbour discovery") + " on " + link->name;
  }

  // An SA that has carried packets is better evidence than a ping, which may be filtered.
  bool carries(const Peer& peer) const {
    bool in = false;
    bool out = false;
    for (const auto& state : facts_.states)
      for (const auto& underlay : peer.underlays) {
        in = in || (state.source == underlay.address && state.packets > 0);
        out = out || (state.destination == underlay.address && state.packets > 0);
      }
    return in && out;
  }

  void unreachable(const Peer& peer, const std::vector<const UnderlayEcho*>& silent) {
    DoctorFinding finding{
        .cause = Cause::UNDERLAY_UNREACHABLE, .effect = Effect::kLost, .peers = {peer.name}};
    bool link_layer = true;
    for (const auto* echo : silent) {
      finding.evidence.push_back(echo->address.text() + " does not answer ping");
      const auto why = unresolved(echo->address);
      if (why) finding.evidence.push_back(*why);
      link_layer = link_layer && why;
    }
    // What answers no ARP carries nothing now, whatever its SAs did before.
    const bool works = !link_layer && carries(peer);
    if (works) finding.effect = Effect::kRisk;
    if (works)
      finding.summary = peer.name + " does not answer ping, though its SAs have carried packets";
    else if (link_layer)
      finding.summary = peer.name + " is unreachable on the underlay, even without IPsec";
    else
      finding.summary = peer.name +
                        " does not answer ping on the underlay: it is unreachable, or something "
                        "drops ICMP";
    finding.remedies = {"ping " + silent.front()->address.text() +
                        (link_layer ? ", then the node itself, its cable and its VLAN"
                                    : ", then the cable, VLAN and firewall between the nodes")};
    report_.findings.push_back(std::move(finding));
  }

  void black_hole(const Peer& peer, const UnderlayEcho& echo) {
    const std::string passes = std::to_string(*echo.largest);
    DoctorFinding finding{.cause = Cause::MTU_BLACK_HOLE,
                          .summary = "packets of more than " + passes +
                                     " bytes between this node and " + echo.address.text() +
                                     " are lost without an ICMP error",
                          .peers = {peer.name}};
    finding.evidence = {"ping of " + std::to_string(*echo.asked_bytes) + " bytes to " +
                        echo.address.text() + " is not answered, of " + passes + " bytes it is"};
    if (const auto* route = route_to(echo.address)) {
      const auto* link = routes_.link(route->oif);
      finding.remedies = {
          "ip route replace " + echo.address.text() + "/" + std::to_string(echo.address.bits()) +
          (route->gateway ? " via " + route->gateway->text() : "") +
          (link == nullptr ? "" : " dev " + link->name) +
          (route->preferred_source ? " src " + route->preferred_source->text() : "") + " mtu " +
          passes};
    }
    report_.findings.push_back(std::move(finding));
  }

  const Topology& topology_;
  const KernelFacts& facts_;
  const RouteIndex& routes_;
  const std::vector<UnderlayEcho>& echoes_;
  DoctorReport& report_;
  TunnelSources sources_;
  std::unordered_set<IpAddress, AddressHash> ends_;
};

}  // namespace

TunnelSources tunnel_sources(const KernelFacts& facts) {
  std::unordered_set<IpAddress, AddressHash> own;
  for (const auto& fact : facts.addresses) own.insert(fact.address);
  TunnelSources out;
  for (const auto& policy : facts.policies)
    if (policy.direction == PolicyDirection::kOut && policy.has_template &&
        own.count(policy.template_source) != 0)
      out.emplace(policy.template_destination, policy.template_source);
  return out;
}

std::optional<IpAddress> source_to(const TunnelSources& sources, const IpAddress& underlay) {
  const auto at = sources.find(underlay);
  return at == sources.end() ? std::nullopt : std::optional(at->second);
}

std::optional<unsigned> mtu_of(const RouteIndex& routes, const RouteFact& route) {
  if (route.mtu != 0) return route.mtu;
  const auto* link = routes.link(route.oif);
  if (link == nullptr || link->mtu <= 0) return std::nullopt;
  return static_cast<unsigned>(link->mtu);
}

std::optional<unsigned> echo_bytes(const RouteIndex& routes, const IpAddress& address) {
  constexpr unsigned kMost = 9216;  // a loopback or virtual device may claim 65,535
  const auto* route = routes.find(Prefix(address, address.bits()));
  const auto mtu = route == nullptr ? std::nullopt : mtu_of(routes, *route);
  return mtu ? std::optional(std::min(*mtu, kMost)) : std::nullopt;
}

void check_underlays(const Topology& topology, const KernelFacts& facts, const RouteIndex& routes,
                     const std::vector<UnderlayEcho>& echoes, DoctorReport& report) {
  UnderlayCheck check(topology, facts, routes, echoes, report);
  for (const auto& peer : topology.peers)
    if (peer.state != PeerState::kCandidate) check.look(peer);
}

}  // namespace espial
