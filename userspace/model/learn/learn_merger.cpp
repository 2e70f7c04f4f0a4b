// SPDX-License-Identifier: Apache-2.0
// The steps of Merger that take explicit statements: the file, the saved topology, the policies.
#include "model/learn/learn_merger.h"

#include <algorithm>
#include <utility>

#include "model/learn/learn.h"

namespace espial {
namespace {

std::vector<Network> networks_of(const Config& config) {
  std::vector<Network> networks;
  for (const auto& network : config.networks)
    networks.push_back({network.name, network.prefixes, Origin::kFile, network.unknown_node});
  return networks;
}

// What the file says of the peer's mode, its default included. A candidate is only a guess of ours.
void choose_mode(Peer& peer, const Config& config) {
  if (peer.state == PeerState::kCandidate)
    peer.by_file = {};
  else if (peer.by_file.from == ModeSource::kDefault)
    peer.by_file.mode = default_mode(config);
  peer.mode = peer.by_file.mode;
  peer.mode_from = peer.by_file.from;
}

}  // namespace

bool is_global(const IpAddress& address) {
  return !address.unspecified() && !address.link_local() && !address.loopback() &&
         !address.multicast();
}

Merger::Merger(const Config& config, const KernelFacts& facts, const OpensvcFacts& opensvc)
    : config_(config),
      facts_(facts),
      opensvc_(opensvc),
      networks_(networks_of(config)),
      drafts_(networks_) {
  for (const auto& fact : facts.addresses)
    if (is_global(fact.address)) local_addresses_.insert(fact.address);
}

void Merger::add_file() {
  for (const auto& address : config_.self_underlays)
    drafts_.add_underlay(kSelfDraft, address, Origin::kFile);
  for (const auto& prefix : config_.self_backends) drafts_.claim(kSelfDraft, prefix, Origin::kFile);
  for (const auto& peer : config_.peers) {
    // The same file may serve every node: the entry of this node's own name is this node.
    const bool self = !config_.node.empty() && peer.name == config_.node;
    const auto id = self ? kSelfDraft : drafts_.add(peer.name);
    auto& draft = drafts_[id];
    draft.configured = true;
    draft.from.add(Origin::kFile);
    draft.mode = peer.mode;
    for (const auto& address : peer.underlays)
      if (!drafts_.add_underlay(id, address, Origin::kFile))
        findings_.add("contradicting underlays",
                      address.text() + ": the file names it for two nodes: " + peer.name +
                          " is not given it");
    for (const auto& prefix : peer.backends) drafts_.claim(id, prefix, Origin::kFile);
  }
}

std::optional<DraftId> Merger::draft_of_saved(const Peer& peer) const {
  for (const auto& underlay : peer.underlays)
    if (const auto owner = drafts_.owner(underlay.address)) return owner;
  if (const auto named = drafts_.named(peer.name)) return named;
  for (const auto& backend : peer.backends) {
    const auto claimant = drafts_.first_claimant(backend.prefix);
    if (claimant && *claimant != kSelfDraft && !drafts_[*claimant].has_underlay) return claimant;
  }
  return std::nullopt;
}

void Merger::add_saved(const Topology& saved) {
  for (auto underlay : saved.self_underlays) {
    // An address of a device says no more than the device says today.
    underlay.from.remove(Origin::kAddress);
    if (const auto from = kept(underlay.from); !from.empty())
      drafts_.add_underlay(kSelfDraft, underlay.address, from);
  }
  for (const auto& backend : saved.self_backends)
    if (const auto from = kept(backend.from); !from.empty())
      drafts_.claim(kSelfDraft, backend.prefix, from);
  for (const auto& peer : saved.peers) {
    const auto known = draft_of_saved(peer);
    if (has_left(peer, known)) {
      for (const auto& underlay : peer.underlays) left_.emplace(underlay.address, peer.name);
      continue;
    }
    const auto keep = [this](const auto& fact) { return !kept(fact.from).empty(); };
    if (std::none_of(peer.underlays.begin(), peer.underlays.end(), keep) &&
        std::none_of(peer.backends.begin(), peer.backends.end(), keep))
      continue;
    if (known == kSelfDraft) continue;  // this node took over the address
    const auto id = known ? *known : drafts_.add(peer.name);
    drafts_[id].learnt = drafts_[id].learnt || peer.state != PeerState::kCandidate;
    drafts_[id].left_opensvc = peer.left_opensvc && !opensvc_.readable();
    for (const auto& underlay : peer.underlays)
      if (keep(underlay)) drafts_.add_underlay(id, underlay.address, kept(underlay.from));
    for (const auto& backend : peer.backends)
      if (keep(backend)) drafts_.claim(id, backend.prefix, kept(backend.from));
  }
}

// A policy for the subnet of a known peer whose own addresses no policy names any more: the peer
// has moved (MOBIKE, a new address), or the file is behind.
DraftId Merger::draft_of_tunnel(const Tunnel& tunnel) {
  if (const auto owner = drafts_.owner(tunnel.peer)) return *owner;
  const auto claimant = drafts_.first_claimant(tunnel.peer_subnet);
  if (claimant && *claimant != kSelfDraft && !drafts_[*claimant].current) {
    const auto& draft = drafts_[*claimant];
    if (draft.configured && draft.has_underlay)
      findings_.add("underlays beside the file",
                    draft.name + ": a policy for " + tunnel.peer_subnet.text() +
                        " names underlay " + tunnel.peer.text() + ", the file does not");
    else if (draft.in_opensvc && draft.has_underlay)
      findings_.add("underlays beside OpenSVC", draft.name + ": a policy for " +
                                                    tunnel.peer_subnet.text() + " names underlay " +
                                                    tunnel.peer.text() + ", OpenSVC does not");
    return *claimant;
  }
  const auto left = left_.find(tunnel.peer);
  if (left == left_.end()) return drafts_.add(tunnel.peer.text());
  const auto id = drafts_.add(left->second);
  drafts_[id].left_opensvc = true;
  findings_.add("nodes that left OpenSVC",
                drafts_[id].name + ": left the OpenSVC cluster, but a policy for " +
                    tunnel.peer_subnet.text() + " still names it (remove it from strongSwan)");
  return id;
}

void Merger::add_policies() {
  const auto tunnels = tunnels_of(facts_.policies, findings_);
  for (const auto& tunnel : tunnels)
    if (const auto owner = drafts_.owner(tunnel.peer)) drafts_[*owner].current = true;
  std::vector<std::pair<const Tunnel*, DraftId>> owners;
  owners.reserve(tunnels.size());
  for (const auto& tunnel : tunnels) {
    if (local_addresses_.count(tunnel.peer) != 0 || drafts_.owner(tunnel.peer) == kSelfDraft) {
      findings_.add("policies towards this node", "policy for " + tunnel.peer_subnet.text() +
                                                      ": its peer " + tunnel.peer.text() +
                                                      " is an address of this node");
      continue;
    }
    const auto id = draft_of_tunnel(tunnel);
    drafts_[id].current = true;
    drafts_[id].learnt = true;
    drafts_.add_underlay(id, tunnel.peer, Origin::kPolicy);
    note_reqid(tunnel.reqid, id);
    if (tunnel.self && !drafts_.add_underlay(kSelfDraft, *tunnel.self, Origin::kPolicy))
      findings_.add("contradicting underlays",
                    tunnel.self->text() + ": a policy names it as this node's, it belongs to " +
                        drafts_[*drafts_.owner(*tunnel.self)].name);
    owners.emplace_back(&tunnel, id);
  }
  sort_underlays();
  for (const auto& [tunnel, id] : owners) {
    claim_selector(id, tunnel->peer_subnet);
    claim_selector(kSelfDraft, tunnel->own_subnet);
  }
}

void Merger::claim_selector(DraftId id, const Prefix& prefix) {
  if (!acceptable_backend(prefix)) {
    findings_.add("selectors too wide", "policy selector " + prefix.text() +
                                            " is no backend subnet (shorter than /8 or /16, or "
                                            "not unicast): ignored");
  } else if (contains_underlay(prefix)) {
    findings_.add("selectors around underlays",
                  "policy selector " + prefix.text() +
                      " contains underlay addresses: not taken for a backend subnet");
  } else {
    drafts_.claim(id, prefix, Origin::kPolicy);
  }
}

void Merger::report_remembered(const Topology& topology) {
  if (!facts_.xfrm_readable) return;
  for (const auto& peer : topology.peers) {
    if (peer.from == Origins(Origin::kSaved)) {
      findings_.add(
          "remembered peers",
          peer.name + ": known from earlier only: no policy, state or route names it now");
      continue;
    }
    for (const auto& backend : peer.backends)
      if (backend.from == Origins(Origin::kSaved))
        findings_.add("remembered subnets", backend.prefix.text() + " of " + peer.name +
                                                ": known from earlier only: no policy or route "
                                                "names it now");
  }
}

Topology Merger::finish() {
  Topology topology;
  topology.node = config_.node;
  drafts_.finish(topology, config_.max_peers, findings_);
  for (auto& peer : topology.peers) choose_mode(peer, config_);
  topology.networks = std::move(networks_);
  std::sort(topology.networks.begin(), topology.networks.end(),
            [](const Network& a, const Network& b) { return a.name < b.name; });
  report_remembered(topology);
  topology.findings = findings_.lines();
  return topology;
}

}  // namespace espial
