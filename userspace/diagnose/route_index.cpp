// SPDX-License-Identifier: Apache-2.0
#include "diagnose/route_index.h"

#include <algorithm>

namespace espial {
namespace {

constexpr unsigned kCharonTable = 220;
constexpr unsigned kMainTable = 254;
constexpr unsigned kDefaultTable = 253;

void keep_best(const RouteFact*& slot, const RouteFact& route) {
  if (slot == nullptr || route.metric < slot->metric) slot = &route;
}

}  // namespace

RouteIndex::RouteIndex(const KernelFacts& facts) {
  for (const auto& route : facts.routes) {
    if (route.table == kCharonTable) keep_best(charon_[route.destination], route);
    if (route.table == kMainTable) keep_best(main_[route.destination], route);
  }
  for (const auto& route : facts.routes)
    if (route.table == kDefaultTable && main_.find(route.destination) == nullptr)
      keep_best(main_[route.destination], route);
  for (const auto& link : facts.links) links_[link.ifindex] = &link;
  for (const auto& address : facts.addresses) addresses_[address.ifindex].push_back(address);
}

const RouteFact* RouteIndex::find_charon(const Prefix& destination) const {
  const auto* route = charon_.find(destination);
  return route == nullptr ? nullptr : *route;
}

const RouteFact* RouteIndex::find(const Prefix& destination) const {
  if (const auto* route = find_charon(destination)) return route;
  const auto* route = main_.find(destination);
  return route == nullptr ? nullptr : *route;
}

const LinkFact* RouteIndex::link(int ifindex) const {
  const auto at = links_.find(ifindex);
  return at == links_.end() ? nullptr : at->second;
}

// RFC 6724 in full needs the kernel; a device rarely has two global addresses of a family, and the
// one that shares the gateway's subnet is taken then.
std::optional<IpAddress> RouteIndex::source_to(const Prefix& destination) const {
  const auto* route = find(destination);
  if (route == nullptr) return std::nullopt;
  if (route->preferred_source) return route->preferred_source;
  const auto at = addresses_.find(route->oif);
  if (at == addresses_.end()) return std::nullopt;
  std::optional<IpAddress> first;
  for (const auto& fact : at->second) {
    const auto& address = fact.address;
    if (address.family() != destination.family() || address.link_local()) continue;
    if (route->gateway && Prefix(address, fact.prefix_length).contains(*route->gateway))
      return address;
    if (!first) first = address;
  }
  return first;
}

}  // namespace espial
