// SPDX-License-Identifier: Apache-2.0
#include "diagnose/lookup/fib.h"

#include <algorithm>

namespace espial {
namespace {

// linux/rtnetlink.h
constexpr std::uint8_t kUnicast = 1;
constexpr std::uint8_t kLocal = 2;
constexpr std::uint8_t kBroadcast = 3;
constexpr std::uint8_t kAnycast = 4;
constexpr std::uint8_t kMulticast = 5;
constexpr std::uint8_t kBlackhole = 6;
constexpr std::uint8_t kUnreachable = 7;
constexpr std::uint8_t kProhibit = 8;
constexpr std::uint8_t kThrow = 9;

// A subnet of two addresses or one has no broadcast address (RFC 3021).
constexpr unsigned kSmallestWithBroadcast = 30;
constexpr unsigned kLargestAnycastPrefix = 126;  // rt6_is_gw_or_nonexthop(), RFC 6164

IpAddress last_of(const Prefix& prefix) {
  auto bytes = prefix.address().bytes();
  for (unsigned bit = prefix.length(); bit < prefix.address().bits(); ++bit)
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] | (0x80u >> (bit % 8)));
  return {prefix.family(), bytes.data()};
}

std::uint8_t type_of(RouteKind kind) {
  switch (kind) {
    case RouteKind::kUnicast:
      return kUnicast;
    case RouteKind::kBlackhole:
      return kBlackhole;
    case RouteKind::kUnreachable:
      return kUnreachable;
    case RouteKind::kProhibit:
      return kProhibit;
    case RouteKind::kThrow:
      return kThrow;
  }
  return kUnreachable;
}

std::uint8_t type_of(RuleAction action) {
  if (action == RuleAction::kBlackhole) return kBlackhole;
  return action == RuleAction::kProhibit ? kProhibit : kUnreachable;
}

}  // namespace

Fib::Fib(const KernelFacts& facts, const RouteIndex& routes) : facts_(facts), routes_(routes) {}

std::string Fib::name_of(int ifindex) const {
  const auto* link = routes_.link(ifindex);
  return link == nullptr ? std::string() : link->name;
}

bool Fib::own(const IpAddress& address, const std::string& device) const {
  return std::any_of(facts_.addresses.begin(), facts_.addresses.end(), [&](const auto& fact) {
    return fact.address == address && (device.empty() || name_of(fact.ifindex) == device);
  });
}

std::optional<std::uint8_t> Fib::type_of(const IpAddress& address,
                                         const std::string& device) const {
  return address.family() == Family::kIpv4 ? type_v4(address, device) : type_v6(address, device);
}

// inet_dev_addr_type() asks the local table alone: whatever is elsewhere is unicast.
std::optional<std::uint8_t> Fib::type_v4(const IpAddress& address,
                                         const std::string& device) const {
  const auto& bytes = address.bytes();
  if (bytes[0] == 0 ||
      std::all_of(bytes.begin(), bytes.begin() + 4, [](std::uint8_t byte) { return byte == 0xff; }))
    return kBroadcast;
  if (address.multicast()) return kMulticast;
  if (address.loopback()) return device.empty() || device == "lo" ? kLocal : kUnicast;
  if (own(address, device)) return kLocal;
  for (const auto& fact : facts_.addresses) {
    if (fact.address.family() != Family::kIpv4 || fact.prefix_length > kSmallestWithBroadcast)
      continue;
    if (!device.empty() && name_of(fact.ifindex) != device) continue;
    const Prefix subnet(fact.address, fact.prefix_length);
    if (last_of(subnet) == address) return kBroadcast;
    // Kernels before 5.14 have a broadcast route for the first address, too.
    if (subnet.address() == address && address != fact.address) return std::nullopt;
  }
  return kUnicast;
}

std::optional<std::uint8_t> Fib::type_v6(const IpAddress& address,
                                         const std::string& device) const {
  if (own(address, device)) return kLocal;
  // Limited to a device an address of another one is no local one, but its route is found.
  if (own(address, {}) || address.loopback()) return device.empty() ? kLocal : kUnicast;
  if (address.multicast()) return kMulticast;
  if (address.link_local()) return kUnicast;
  const auto answer = routes_.ask({host_prefix(address), {}, nullptr});
  switch (answer.kind) {
    case RouteAnswer::Kind::kNone:
      return kUnreachable;
    case RouteAnswer::Kind::kUnknown:
      return std::nullopt;
    case RouteAnswer::Kind::kRejected:
      return answer.route != nullptr ? espial::type_of(answer.route->kind)
                                     : espial::type_of(answer.rule->action);
    case RouteAnswer::Kind::kRoute:
      break;
  }
  const auto& route = *answer.route;
  const bool anycast = !route.gateway && route.destination.length() <= kLargestAnycastPrefix &&
                       route.destination.address() == address;
  return anycast ? kAnycast : kUnicast;
}

// Routes of several next hops are one fact each.
bool Fib::next_hop(const RouteFact& route, const std::string& device) const {
  return std::any_of(facts_.routes.begin(), facts_.routes.end(), [&](const auto& other) {
    return other.destination == route.destination && other.table == route.table &&
           other.metric == route.metric && name_of(other.oif) == device;
  });
}

std::optional<std::string> Fib::device_to(const IpAddress& address,
                                          const std::optional<IpAddress>& source,
                                          const std::string& only) const {
  const auto type = type_of(address, {});
  if (!type) return std::nullopt;
  if (*type == kLocal || *type == kBroadcast || *type == kMulticast || *type == kAnycast)
    return std::string();
  // Every device has a route of its own to its link.
  if (address.link_local() && address.family() == Family::kIpv6)
    return only.empty() ? std::nullopt : std::optional(only);
  RouteQuery query{host_prefix(address), {}, nullptr};
  if (source) query.source = host_prefix(*source);
  const auto answer = routes_.ask(query);
  if (answer.kind == RouteAnswer::Kind::kUnknown) return std::nullopt;
  const auto* route = answer.unicast();
  if (route == nullptr) return std::string();
  const auto device = name_of(route->oif);
  if (only.empty() || device == only) return device;
  return next_hop(*route, only) ? only : std::string();
}

}  // namespace espial
