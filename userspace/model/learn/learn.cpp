// SPDX-License-Identifier: Apache-2.0
#include "model/learn/learn.h"

#include <algorithm>

#include "model/learn/learn_merger.h"

namespace espial {

bool acceptable_backend(const Prefix& prefix) {
  const auto& address = prefix.address();
  return prefix.length() >= (prefix.family() == Family::kIpv4 ? 8u : 16u) && is_global(address);
}

bool forget_peer(Topology& topology, std::string_view name) {
  const auto it = std::find_if(topology.peers.begin(), topology.peers.end(),
                               [&](const Peer& peer) { return peer.name == name; });
  if (it == topology.peers.end()) return false;
  topology.peers.erase(it);
  return true;
}

Topology merge_topology(const Config& config, const KernelFacts& facts, const Topology& saved,
                        const OpensvcFacts& opensvc) {
  static const KernelFacts kNothing;
  static const OpensvcFacts kNoOpensvc;
  Merger merger(config, config.discover ? facts : kNothing, config.discover ? opensvc : kNoOpensvc);
  merger.add_file();
  if (config.discover) {
    merger.add_opensvc(saved);
    merger.add_saved(saved);
    merger.add_policies();
    merger.add_states();
    merger.add_routes();
    merger.add_addresses();
  }
  return merger.finish();
}

}  // namespace espial
