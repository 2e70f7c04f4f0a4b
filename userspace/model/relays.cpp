// SPDX-License-Identifier: Apache-2.0
#include "model/relays.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "model/prefix_map.h"

namespace espial {
namespace {

// Whose tunnels the policies of one source prefix name.
struct Tunnels {
  std::set<std::size_t> peers;
  std::set<IpAddress> remotes;
};

class Finder {
 public:
  explicit Finder(const Topology& topology) : topology_(topology) {
    for (std::size_t i = 0; i < topology.peers.size(); ++i) {
      // Of two peers with one underlay address the first has it, as in the peer table.
      for (const auto& underlay : topology.peers[i].underlays)
        peer_at_.emplace(underlay.address, i);
      for (const auto& backend : topology.peers[i].backends) subnets_[backend.prefix] = i;
    }
  }

  Relays find(const std::vector<XfrmPolicyFact>& policies, const Relays& former) {
    for (const auto& source : former.sources)
      if (subnets_.find(source) != nullptr) relays_[source];
    for (const auto& policy : policies) sort_out(policy);
    for (const auto& peer : topology_.peers)
      for (const auto& backend : peer.backends) judge_wider(backend.prefix);
    Relays found;
    for (const auto& remote : former.remotes)
      if (peer_at_.count(remote) != 0) found.remotes.push_back(remote);
    for (const auto& [source, remotes] : relays_) {
      found.sources.push_back(source);
      found.remotes.insert(found.remotes.end(), remotes.begin(), remotes.end());
    }
    std::sort(found.remotes.begin(), found.remotes.end());
    found.remotes.erase(std::unique(found.remotes.begin(), found.remotes.end()),
                        found.remotes.end());
    return found;
  }

 private:
  void sort_out(const XfrmPolicyFact& policy) {
    if (policy.direction == PolicyDirection::kOut || !policy.allow || !policy.has_template ||
        !policy.tunnel_mode)
      return;
    const auto peer = peer_at_.find(policy.template_source);
    if (peer == peer_at_.end()) return;  // the SA's remote is no peer: nothing is ever spoofed then
    const auto* owner = subnets_.find(policy.source);
    if (owner == nullptr) {
      auto& tunnels = wider_[policy.source];
      tunnels.peers.insert(peer->second);
      tunnels.remotes.insert(policy.template_source);
    } else if (*owner != peer->second) {
      relays_[policy.source].insert(policy.template_source);
    } else {
      direct_.insert(policy.source);
    }
  }

  void judge_wider(const Prefix& subnet) {
    const auto* tunnels = wider_.find(subnet);
    if (tunnels == nullptr || direct_.count(subnet) != 0) return;
    if (tunnels->peers.count(*subnets_.find(subnet)) != 0) return;
    relays_[subnet].insert(tunnels->remotes.begin(), tunnels->remotes.end());
  }

  const Topology& topology_;
  std::unordered_map<IpAddress, std::size_t, AddressHash> peer_at_;
  PrefixMap<std::size_t> subnets_;  // of peers: whose
  PrefixMap<Tunnels> wider_;        // policies whose source is in no peer's subnet
  std::set<Prefix> direct_;         // sources of policies that name their own peer
  std::map<Prefix, std::set<IpAddress>> relays_;
};

}  // namespace

Relays find_relays(const Topology& topology, const std::vector<XfrmPolicyFact>& policies,
                   const Relays& former) {
  return Finder(topology).find(policies, former);
}

}  // namespace espial
