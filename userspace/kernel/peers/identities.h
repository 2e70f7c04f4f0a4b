// SPDX-License-Identifier: Apache-2.0
// Identities: which counter belongs to which peer and subnet. Kept in the pinned maps ep_peer_meta
// and ep_net_meta, beside the counters, so that both live exactly as long as each other.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "kernel/maps.h"
#include "model/topology.h"

namespace espial {

// A peer's subnet, the key of one ep_net_stat entry.
struct SubnetKey {
  std::uint32_t peer = 0;
  Prefix prefix;
  std::string network;
  auto operator<=>(const SubnetKey&) const = default;
};

class Identities {
 public:
  // Reads what an earlier run remembered.
  static Result<Identities> load(const Maps& maps);

  // Gives every peer and subnet of the topology an index. Those that are not in it any more lose
  // theirs and their counters: call release() after the table without them is in place. Names are
  // unique in a topology. Returns what did not fit, one line each.
  Result<std::vector<std::string>> assign(const Topology& topology, const Maps& maps);
  Status release(const Topology& topology, const Maps& maps);

  // 0: none.
  [[nodiscard]] std::uint32_t peer(const std::string& name) const;
  [[nodiscard]] std::uint32_t subnet(const SubnetKey& key) const;
  [[nodiscard]] const std::map<std::string, std::uint32_t>& peers() const { return peers_; }
  [[nodiscard]] const std::map<SubnetKey, std::uint32_t>& subnets() const { return subnets_; }

 private:
  std::map<std::string, std::uint32_t> peers_;
  std::map<SubnetKey, std::uint32_t> subnets_;
  std::vector<bool> peer_used_;    // by index
  std::vector<bool> subnet_used_;  // by index
};

}  // namespace espial
