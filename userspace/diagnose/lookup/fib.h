// SPDX-License-Identifier: Apache-2.0
// Fib: what an address is to this node and where its routes lead, as rules ask it (nft_fib_ipv4.c,
// nft_fib_ipv6.c, xt_addrtype.c). Made of addresses and routes; a local, broadcast or anycast route
// that somebody added by hand is not known. Refers to what it was built from. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "diagnose/lookup/route_index.h"
#include "model/facts/facts.h"

namespace espial {

class Fib {
 public:
  Fib(const KernelFacts& facts, const RouteIndex& routes);

  // RTN_* of linux/rtnetlink.h; of a device: only what is there counts as this node's; "": any.
  // Nothing: a routing rule decides by what is not known.
  [[nodiscard]] std::optional<std::uint8_t> type_of(const IpAddress& address,
                                                    const std::string& device) const;

  // The device of the unicast route to an address, for packets from `source`; "": there is none, or
  // it is another than `only`, where that is not empty. This node's own addresses have none.
  [[nodiscard]] std::optional<std::string> device_to(const IpAddress& address,
                                                     const std::optional<IpAddress>& source,
                                                     const std::string& only) const;

 private:
  [[nodiscard]] std::optional<std::uint8_t> type_v4(const IpAddress& address,
                                                    const std::string& device) const;
  [[nodiscard]] std::optional<std::uint8_t> type_v6(const IpAddress& address,
                                                    const std::string& device) const;
  [[nodiscard]] bool own(const IpAddress& address, const std::string& device) const;
  [[nodiscard]] bool next_hop(const RouteFact& route, const std::string& device) const;
  [[nodiscard]] std::string name_of(int ifindex) const;

  const KernelFacts& facts_;
  const RouteIndex& routes_;
};

}  // namespace espial
