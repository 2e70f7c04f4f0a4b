// SPDX-License-Identifier: Apache-2.0
// RouteIndex: where the kernel would route a packet to a subnet, by the rules that every Linux has
// and the one of strongSwan: table 220 first, then main and default. Refers to its facts.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "model/facts.h"
#include "model/prefix_map.h"

namespace espial {

class RouteIndex {
 public:
  explicit RouteIndex(const KernelFacts& facts);

  // The route to the whole prefix; null: none.
  [[nodiscard]] const RouteFact* find(const Prefix& destination) const;
  // The same in strongSwan's table alone.
  [[nodiscard]] const RouteFact* find_charon(const Prefix& destination) const;
  [[nodiscard]] const LinkFact* link(int ifindex) const;
  // What this node sends from to the prefix when an application names no address: the route's
  // preferred source, else the first global address of the device, else none.
  [[nodiscard]] std::optional<IpAddress> source_to(const Prefix& destination) const;

 private:
  using Table = PrefixMap<const RouteFact*>;
  Table charon_;
  Table main_;
  std::map<int, const LinkFact*> links_;
  std::map<int, std::vector<AddressFact>> addresses_;
};

}  // namespace espial
