// SPDX-License-Identifier: Apache-2.0
// RouteIndex: where the kernel would route a packet, or all packets to a subnet: the rules in their
// order, each table by the longest prefix, as far as addresses, devices and a mark of 0 decide
// (net/core/fib_rules.c, net/ipv4/fib_rules.c, net/ipv6/fib6_rules.c). Refers to its facts.
//
// The local table is not looked at: what is asked about is elsewhere. Of several next hops the
// first counts.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/facts/facts.h"
#include "model/prefix_map.h"

namespace espial {

inline constexpr unsigned kCharonTable = 220;

struct RouteQuery {
  Prefix destination;
  std::optional<Prefix> source{};  // nothing: an application that names none
  const LinkFact* iif = nullptr;   // where it came from; null: this node sends it
};

struct RouteAnswer {
  enum class Kind : std::uint8_t { kRoute, kNone, kRejected, kUnknown };
  Kind kind = Kind::kNone;
  const RouteFact* route = nullptr;  // of kRoute, and of kRejected where a route does it
  const RuleFact* rule = nullptr;    // that asked its table, or rejects; null: the built-in ones
  std::string why;                   // of kUnknown: the rule that cannot be decided

  // Who says so: "route blackhole 10.101.2.0/24 table 99, asked by rule 50: from all lookup 99", or
  // "rule 50: from all prohibit". Not of kNone and kUnknown.
  [[nodiscard]] std::string by() const;
  // The command that takes the route, or the rule that rejects, away.
  [[nodiscard]] std::string removal(Family family) const;
  [[nodiscard]] const RouteFact* unicast() const { return kind == Kind::kRoute ? route : nullptr; }
  [[nodiscard]] bool same(const RouteAnswer& other) const {
    return kind == other.kind && route == other.route;
  }
};

class RouteIndex {
 public:
  explicit RouteIndex(const KernelFacts& facts);

  // Of a subnet: the route to the whole of it; longer prefixes inside are not looked at. A rule
  // that only a part of the packets meets is one that cannot be decided.
  [[nodiscard]] RouteAnswer ask(const RouteQuery& query) const;
  // What pods in `own` send to `theirs`: from the device that holds an address of `own`.
  [[nodiscard]] RouteAnswer from_pods(const Prefix& own, const Prefix& theirs) const;
  // The route of what this node sends without naming a source; null: none, or not known.
  [[nodiscard]] const RouteFact* find(const Prefix& destination) const;

  [[nodiscard]] const LinkFact* link(int ifindex) const;
  // The device that holds an address of the subnet; null: none does.
  [[nodiscard]] const LinkFact* holder(const Prefix& subnet) const;
  // What this node sends from to the prefix when an application names no address: the route's
  // preferred source, else the first global address of the device, else none.
  [[nodiscard]] std::optional<IpAddress> source_to(const Prefix& destination) const;

 private:
  using Table = PrefixMap<const RouteFact*>;
  using Rules = std::vector<const RuleFact*>;

  [[nodiscard]] RouteAnswer walk(const Rules& rules, std::size_t at, const RouteQuery& query) const;
  [[nodiscard]] RouteAnswer apply(const RuleFact& rule, const RouteQuery& query) const;

  std::map<unsigned, Table> tables_;
  std::vector<RuleFact> usual_;  // where no rules were read
  Rules rules_[2];               // by Family
  std::map<int, const LinkFact*> links_;
  std::map<int, std::vector<AddressFact>> addresses_;
  bool vrf_ = false;
};

}  // namespace espial
