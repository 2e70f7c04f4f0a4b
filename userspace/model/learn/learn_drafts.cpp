// SPDX-License-Identifier: Apache-2.0
#include "model/learn/learn_drafts.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace espial {
namespace {

// Whom to believe, best first.
constexpr std::array<Origin, 7> kBelief{Origin::kFile,  Origin::kOpensvc, Origin::kPolicy,
                                        Origin::kState, Origin::kRoute,   Origin::kAddress,
                                        Origin::kSaved};

int rank_of(const Origins& from) {
  const auto best =
      std::find_if(kBelief.begin(), kBelief.end(), [&](Origin o) { return from.has(o); });
  return static_cast<int>(best - kBelief.begin());
}

std::string says(const Origins& from) {
  const auto labels = from.labels();
  return labels.empty() ? "?" : std::string(labels.front());
}

PeerState state_of(const PeerDraft& draft) {
  if (draft.configured) return PeerState::kConfigured;
  return draft.learnt ? PeerState::kLearnt : PeerState::kCandidate;
}

// Configured peers first, then learnt ones, then candidates; the rest is cut off.
void cut_to(std::vector<Peer>& peers, std::size_t max_peers, Findings& findings) {
  if (peers.size() > max_peers) {
    std::sort(peers.begin(), peers.end(), [](const Peer& a, const Peer& b) {
      return std::tie(b.state, a.name) < std::tie(a.state, b.name);
    });
    findings.add("too many peers",
                 std::to_string(peers.size() - max_peers) +
                     " peers beyond max_peers=" + std::to_string(max_peers) +
                     " are not watched (raise max_peers), the first: " + peers[max_peers].name);
    peers.resize(max_peers);
  }
  std::sort(peers.begin(), peers.end(),
            [](const Peer& a, const Peer& b) { return a.name < b.name; });
}

}  // namespace

Origins without_stale(Origins from) {
  Origins now = from;
  now.remove(Origin::kSaved);
  return now.empty() ? from : now;
}

Drafts::Drafts(const std::vector<Network>& networks) {
  drafts_.emplace_back();
  for (const auto& network : networks) add_network(network);
}

void Drafts::add_network(const Network& network) {
  for (const auto& prefix : network.prefixes) networks_[prefix] = network.name;
}

DraftId Drafts::add(const std::string& name) {
  const auto id = static_cast<DraftId>(drafts_.size());
  PeerDraft draft;
  draft.name = name;
  for (int copy = 2; !names_.emplace(draft.name, id).second; ++copy)
    draft.name = name + "#" + std::to_string(copy);
  drafts_.push_back(std::move(draft));
  return id;
}

std::optional<DraftId> Drafts::named(const std::string& name) const {
  const auto it = names_.find(name);
  return it == names_.end() ? std::nullopt : std::optional(it->second);
}

std::optional<DraftId> Drafts::owner(const IpAddress& underlay) const {
  const auto it = underlays_.find(underlay);
  return it == underlays_.end() ? std::nullopt : std::optional(it->second.draft);
}

bool Drafts::add_underlay(DraftId id, const IpAddress& address, Origins from) {
  auto& owned = underlays_.try_emplace(address, Owned{id, {}}).first->second;
  if (owned.draft != id) return false;
  owned.from.add(from);
  drafts_[id].has_underlay = true;
  return true;
}

void Drafts::move_underlay(DraftId to, const IpAddress& address, Origins from) {
  underlays_[address] = Owned{to, from};
  drafts_[to].has_underlay = true;
}

std::vector<IpAddress> Drafts::underlays() const {
  std::vector<IpAddress> all;
  all.reserve(underlays_.size());
  for (const auto& [address, owned] : underlays_) all.push_back(address);
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<Prefix> Drafts::peer_prefixes() const {
  std::vector<Prefix> all;
  for (const auto& [claim, from] : claims_)
    if (claim.draft != kSelfDraft) all.push_back(claim.prefix);
  std::sort(all.begin(), all.end());
  return all;
}

void Drafts::claim(DraftId id, const Prefix& prefix, Origins from) {
  claims_[Claim{prefix, id}].add(from);
  if (first_claims_.emplace(prefix, id).second) around_[prefix] = id;
}

std::optional<DraftId> Drafts::first_claimant(const Prefix& prefix) const {
  const auto it = first_claims_.find(prefix);
  return it == first_claims_.end() ? std::nullopt : std::optional(it->second);
}

std::optional<DraftId> Drafts::claimant_around(const Prefix& prefix) const {
  const auto* id = around_.find(prefix);
  return id == nullptr ? std::nullopt : std::optional(*id);
}

std::optional<DraftId> Drafts::claimant_around(const IpAddress& address) const {
  const auto* id = around_.find(address);
  return id == nullptr ? std::nullopt : std::optional(*id);
}

const std::string* Drafts::network_of(const Prefix& prefix) const { return networks_.find(prefix); }
const std::string* Drafts::network_of(const IpAddress& address) const {
  return networks_.find(address);
}

// All claims, by prefix, the best of a prefix first.
std::vector<Drafts::Ranked> Drafts::ranked_claims() const {
  std::vector<Ranked> ranked;
  ranked.reserve(claims_.size());
  for (const auto& [claim, from] : claims_)
    ranked.push_back({claim, without_stale(from), rank_of(from)});
  std::sort(ranked.begin(), ranked.end(), [&](const Ranked& a, const Ranked& b) {
    if (const auto order = a.claim.prefix <=> b.claim.prefix; order != 0) return order < 0;
    return std::tie(a.rank, drafts_[a.claim.draft].name) <
           std::tie(b.rank, drafts_[b.claim.draft].name);
  });
  return ranked;
}

// One owner per prefix. A prefix that this node and a peer claim with equal evidence belongs to
// neither.
std::vector<Drafts::Ranked> Drafts::settle(Findings& findings) const {
  const auto ranked = ranked_claims();
  std::vector<Ranked> settled;
  settled.reserve(ranked.size());
  for (std::size_t i = 0; i < ranked.size();) {
    std::size_t end = i + 1;
    while (end < ranked.size() && ranked[end].claim.prefix == ranked[i].claim.prefix) ++end;
    const auto& best = ranked[i];
    bool disputed = false;
    for (std::size_t j = i + 1; j < end; ++j) {
      const auto& other = ranked[j];
      const bool with_self = best.claim.draft == kSelfDraft || other.claim.draft == kSelfDraft;
      disputed = disputed || (other.rank == best.rank && with_self);
      findings.add("contradicting backend subnets",
                   best.claim.prefix.text() + ": " + drafts_[best.claim.draft].name + " (" +
                       says(best.from) + ") and " + drafts_[other.claim.draft].name + " (" +
                       says(other.from) + ") claim it: " +
                       (disputed ? "it is given to neither" : "it is given to the first"));
    }
    if (!disputed) settled.push_back(best);
    i = end;
  }
  return settled;
}

// settled is sorted by prefix: whatever contains an entry precedes it.
void Drafts::report_nesting(const std::vector<Ranked>& settled, Findings& findings) const {
  std::vector<const Ranked*> around;
  for (const auto& entry : settled) {
    while (!around.empty() && !around.back()->claim.prefix.contains(entry.claim.prefix))
      around.pop_back();
    if (!around.empty() && around.back()->claim.draft != entry.claim.draft) {
      const auto& outer = around.back()->claim;
      findings.add("nested backend subnets",
                   entry.claim.prefix.text() + " of " + drafts_[entry.claim.draft].name +
                       " lies inside " + outer.prefix.text() + " of " + drafts_[outer.draft].name +
                       ": the longer prefix wins");
    }
    around.push_back(&entry);
  }
}

void Drafts::finish(Topology& topology, std::size_t max_peers, Findings& findings) {
  drafts_[kSelfDraft].name = "this node";
  const auto settled = settle(findings);
  report_nesting(settled, findings);

  std::vector<Peer> peers(drafts_.size());
  for (std::size_t id = 0; id < drafts_.size(); ++id) {
    peers[id].name = drafts_[id].name;
    peers[id].state = state_of(drafts_[id]);
    if (drafts_[id].mode) peers[id].by_file = {*drafts_[id].mode, ModeSource::kFile};
    peers[id].from = drafts_[id].from;
    peers[id].left_opensvc = drafts_[id].left_opensvc;
  }
  for (const auto& [address, owned] : underlays_) {
    const auto from = without_stale(owned.from);
    peers[owned.draft].underlays.push_back({address, from});
    peers[owned.draft].from.add(from);
    if (const auto around = claimant_around(address))
      findings.add("underlays inside backend subnets",
                   address.text() + ": underlay of " + drafts_[owned.draft].name +
                       " inside a backend subnet of " + drafts_[*around].name);
  }
  for (const auto& entry : settled) {
    const auto* network = network_of(entry.claim.prefix);
    auto& peer = peers[entry.claim.draft];
    peer.backends.push_back(
        {entry.claim.prefix, network ? *network : entry.claim.prefix.text(), entry.from});
    peer.from.add(entry.from);
  }
  for (auto& peer : peers) {
    peer.from = without_stale(peer.from);
    std::sort(peer.underlays.begin(), peer.underlays.end(),
              [](const Underlay& a, const Underlay& b) { return a.address < b.address; });
  }
  topology.self_underlays = std::move(peers[kSelfDraft].underlays);
  topology.self_backends = std::move(peers[kSelfDraft].backends);
  peers.erase(peers.begin());
  cut_to(peers, max_peers, findings);
  topology.peers = std::move(peers);
}

}  // namespace espial
