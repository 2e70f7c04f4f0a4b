// SPDX-License-Identifier: Apache-2.0
#include "model/contested.h"

#include <array>
#include <unordered_map>

#include "model/prefix_map.h"

namespace espial {
namespace {

bool surer(const Peer* owner, const Peer& learnt) {
  if (owner == nullptr) return true;
  return owner != &learnt && (owner->state == PeerState::kConfigured || owner->mode > learnt.mode);
}

class ContestedFinder {
 public:
  explicit ContestedFinder(const Topology& topology) : topology_(topology) {
    for (const auto& backend : topology.self_backends) add(backend.prefix, nullptr);
    for (const auto& peer : topology.peers)
      for (const auto& backend : peer.backends) add(backend.prefix, &peer);
  }

  Contested find() {
    for (const auto& peer : topology_.peers) {
      if (peer.state == PeerState::kConfigured) continue;
      for (const auto& backend : peer.backends) judge(peer, backend.prefix);
      for (const auto& underlay : peer.underlays)
        judge(peer, Prefix(underlay.address, underlay.address.bits()));
    }
    return std::move(contested_);
  }

 private:
  void add(const Prefix& prefix, const Peer* owner) {
    owners_[prefix].push_back(owner);
    lengths_[static_cast<std::size_t>(prefix.family())].insert(prefix.length());
  }

  void judge(const Peer& peer, const Prefix& prefix) {
    for (const auto length : lengths_[static_cast<std::size_t>(prefix.family())]) {
      if (length > prefix.length()) break;
      const Prefix around(prefix.address(), length);
      const auto found = owners_.find(around);
      if (found == owners_.end()) continue;
      for (const auto* owner : found->second) {
        if (!surer(owner, peer) || !contested_.prefixes.insert({peer.name, prefix}).second)
          continue;
        contested_.findings.push_back(
            peer.name + ": " + prefix.text() + " is learnt, but stays with " +
            (owner == nullptr ? "this node" : owner->name) + ", which has " + around.text());
      }
    }
  }

  const Topology& topology_;
  std::unordered_map<Prefix, std::vector<const Peer*>, PrefixHash> owners_;
  std::array<std::set<unsigned>, kFamilies> lengths_;
  Contested contested_;
};

}  // namespace

Contested find_contested(const Topology& topology) { return ContestedFinder(topology).find(); }

}  // namespace espial
