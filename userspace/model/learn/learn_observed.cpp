// SPDX-License-Identifier: Apache-2.0
// The steps of Merger that look at states, routes and addresses.
#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include "model/learn/learn.h"
#include "model/learn/learn_merger.h"

namespace espial {
namespace {

constexpr std::uint8_t kProtocolEsp = 50;
constexpr std::uint8_t kProtocolAh = 51;

// Bridges that only connect this machine's own pods and guests: no port but veth and tap, and no
// route with a gateway leads through them. Their addresses are no underlays.
std::set<int> local_bridges(const KernelFacts& facts) {
  std::set<int> local;
  std::set<int> ported;
  for (const auto& link : facts.links)
    if (link.kind == "bridge") local.insert(link.ifindex);
  for (const auto& link : facts.links) {
    if (link.master == 0) continue;
    ported.insert(link.master);
    if (link.kind != "veth" && link.kind != "tun") local.erase(link.master);
  }
  for (const auto& route : facts.routes)
    if (route.gateway) local.erase(route.oif);
  std::set<int> result;
  std::set_intersection(local.begin(), local.end(), ported.begin(), ported.end(),
                        std::inserter(result, result.end()));
  return result;
}

}  // namespace

void Merger::note_reqid(std::uint32_t reqid, DraftId id) {
  if (reqid == 0) return;
  const auto [it, fresh] = reqids_.try_emplace(reqid, id);
  if (!fresh && it->second != id) it->second = std::nullopt;
}

void Merger::add_states() {
  std::vector<std::pair<std::uint32_t, IpAddress>> unknown;
  for (const auto& state : facts_.states) {
    if (state.spi == 0 || (state.protocol != kProtocolEsp && state.protocol != kProtocolAh))
      continue;  // larval, or the IPComp half of a pair
    const auto own = [&](const IpAddress& a) {
      return local_addresses_.count(a) != 0 || drafts_.owner(a) == kSelfDraft;
    };
    if (own(state.source) == own(state.destination)) continue;
    const auto& remote = own(state.source) ? state.destination : state.source;
    if (!is_global(remote)) continue;
    if (const auto owner = drafts_.owner(remote)) {
      drafts_.add_underlay(*owner, remote, Origin::kState);
      note_reqid(state.reqid, *owner);
    } else {
      unknown.emplace_back(state.reqid, remote);
    }
  }
  std::sort(unknown.begin(), unknown.end());
  for (const auto& [reqid, remote] : unknown) {
    const auto it = reqids_.find(reqid);
    if (it != reqids_.end() && it->second &&
        drafts_.add_underlay(*it->second, remote, Origin::kState))
      continue;
    findings_.add("states without a peer",
                  "SA with " + remote.text() + ": belongs to no known peer");
  }
}

void Merger::add_routes() {
  sort_underlays();
  auto routes = facts_.routes;
  std::sort(routes.begin(), routes.end(), [](const RouteFact& a, const RouteFact& b) {
    if (a.gateway != b.gateway) return a.gateway < b.gateway;
    return a.destination < b.destination;
  });
  for (const auto& route : routes) add_route(route);
}

void Merger::add_route(const RouteFact& route) {
  if (!route.gateway || !acceptable_backend(route.destination) ||
      contains_underlay(route.destination))
    return;
  const auto around = drafts_.claimant_around(route.destination);
  if (around == kSelfDraft) return;
  const auto owner = drafts_.owner(*route.gateway);
  if (owner == kSelfDraft) return;
  if (owner && (drafts_[*owner].configured || drafts_[*owner].learnt)) {
    drafts_.claim(*owner, route.destination, Origin::kRoute);
    return;
  }
  if (around && around != owner) return;  // a known peer's, behind a router
  if (drafts_.network_of(route.destination) == nullptr || !is_global(*route.gateway) ||
      local_addresses_.count(*route.gateway) != 0)
    return;
  const auto id = owner ? *owner : drafts_.add(route.gateway->text());
  drafts_.add_underlay(id, *route.gateway, Origin::kRoute);
  drafts_.claim(id, route.destination, Origin::kRoute);
}

void Merger::add_addresses() {
  peer_prefixes_ = drafts_.peer_prefixes();
  for (const auto& fact : facts_.addresses) add_own_subnet(fact);
  const auto pods = local_bridges(facts_);
  for (const auto& fact : facts_.addresses) {
    if (!is_global(fact.address) || pods.count(fact.ifindex) != 0) continue;
    if (drafts_.network_of(fact.address) != nullptr || drafts_.claimant_around(fact.address))
      continue;
    const auto owner = drafts_.owner(fact.address);
    if (owner && *owner != kSelfDraft) {
      findings_.add("contradicting underlays", drafts_[*owner].name + ": its underlay " +
                                                   fact.address.text() +
                                                   " is an address of this node: ignored");
      drafts_.move_underlay(kSelfDraft, fact.address, Origin::kAddress);
    } else {
      drafts_.add_underlay(kSelfDraft, fact.address, Origin::kAddress);
    }
  }
}

// The subnet of a local address inside a configured network is an own backend subnet.
void Merger::add_own_subnet(const AddressFact& fact) {
  if (!is_global(fact.address) || fact.prefix_length > fact.address.bits()) return;
  const Prefix subnet(fact.address, fact.prefix_length);
  if (drafts_.network_of(subnet) == nullptr || drafts_.owner(fact.address)) return;
  const auto claimant = drafts_.first_claimant(subnet);
  if (claimant && *claimant != kSelfDraft) {
    findings_.add("contradicting backend subnets",
                  subnet.text() + ": belongs to " + drafts_[*claimant].name +
                      ", but this node holds " + fact.address.text());
    return;
  }
  if (contains_claim(subnet)) {
    findings_.add("own subnets around peers", subnet.text() + " on this node contains subnets of " +
                                                  "peers: not taken for an own backend subnet");
    return;
  }
  drafts_.claim(kSelfDraft, subnet, Origin::kAddress);
}

void Merger::sort_underlays() { known_underlays_ = drafts_.underlays(); }

bool Merger::contains_underlay(const Prefix& prefix) const {
  const auto it =
      std::lower_bound(known_underlays_.begin(), known_underlays_.end(), prefix.address());
  return it != known_underlays_.end() && prefix.contains(*it);
}

bool Merger::contains_claim(const Prefix& prefix) const {
  const auto it = std::lower_bound(peer_prefixes_.begin(), peer_prefixes_.end(), prefix);
  return it != peer_prefixes_.end() && prefix.contains(*it);
}

}  // namespace espial
