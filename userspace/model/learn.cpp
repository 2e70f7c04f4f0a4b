// SPDX-License-Identifier: Apache-2.0
#include "model/learn.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "model/learn_drafts.h"
#include "model/learn_evidence.h"

namespace espial {
namespace {

constexpr std::uint8_t kProtocolEsp = 50;
constexpr std::uint8_t kProtocolAh = 51;

std::vector<Network> networks_of(const Config& config) {
  std::vector<Network> networks;
  for (const auto& network : config.networks)
    networks.push_back({network.name, network.prefixes, Origin::kFile});
  return networks;
}

bool global(const IpAddress& address) {
  return !address.unspecified() && !address.link_local() && !address.loopback() &&
         !address.multicast();
}

// Bridges that only connect this machine's own pods and guests: no port but veth and tap, and no
// route with a gateway leads through them. Their addresses are no underlays.
std::set<int> local_bridges(const KernelFacts& facts) {
  std::set<int> local;
  std::set<int> ported;
  for (const auto& link : facts.links)
    if (link.kind == "bridge") local.insert(link.ifindex);
  for (const auto& link : facts.links) {
    if (link.master == 0) continue;
    ported.insert(link.master);
    if (link.kind != "veth" && link.kind != "tun") local.erase(link.master);
  }
  for (const auto& route : facts.routes)
    if (route.gateway) local.erase(route.oif);
  std::set<int> result;
  std::set_intersection(local.begin(), local.end(), ported.begin(), ported.end(),
                        std::inserter(result, result.end()));
  return result;
}

// Sources in the order of trust; later ones lean on what the earlier ones named.
class Merger {
 public:
  Merger(const Config& config, const KernelFacts& facts)
      : config_(config), facts_(facts), networks_(networks_of(config)), drafts_(networks_) {
    for (const auto& fact : facts.addresses)
      if (global(fact.address)) local_addresses_.insert(fact.address);
  }

  void add_file();
  void add_saved(const Topology& saved);
  void add_policies();
  void add_states();
  void add_routes();
  void add_addresses();
  Topology finish();

 private:
  std::optional<DraftId> draft_of_saved(const Peer& peer) const;
  DraftId draft_of_tunnel(const Tunnel& tunnel);
  void claim_selector(DraftId id, const Prefix& prefix);
  void note_reqid(std::uint32_t reqid, DraftId id);
  void add_route(const RouteFact& route);
  void add_own_subnet(const AddressFact& fact);
  void sort_underlays();
  [[nodiscard]] bool contains_underlay(const Prefix& prefix) const;
  [[nodiscard]] bool contains_claim(const Prefix& prefix) const;
  void report_remembered(const Topology& topology);

  const Config& config_;
  const KernelFacts& facts_;
  std::vector<Network> networks_;
  Drafts drafts_;
  Findings findings_;
  std::unordered_set<IpAddress, AddressHash> local_addresses_;
  std::unordered_map<std::uint32_t, std::optional<DraftId>> reqids_;  // nullopt: of several peers
  std::vector<IpAddress> known_underlays_;                            // sorted
  std::vector<Prefix> peer_prefixes_;                                 // claimed by peers, sorted
};

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
    draft.mode = peer.mode.value_or(Mode::kMonitor);
    for (const auto& address : peer.underlays)
      if (!drafts_.add_underlay(id, address, Origin::kFile))
        findings_.add("contradicting underlays",
                      address.text() + ": the file names it for two nodes: " + peer.name +
                          " does not get it");
    for (const auto& prefix : peer.backends) drafts_.claim(id, prefix, Origin::kFile);
  }
}

// What only the file said is gone when the file no longer says it.
bool worth_keeping(Origins from) {
  from.remove(Origin::kFile);
  return !from.empty();
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
    if (worth_keeping(underlay.from))
      drafts_.add_underlay(kSelfDraft, underlay.address, Origin::kSaved);
  }
  for (const auto& backend : saved.self_backends)
    if (worth_keeping(backend.from)) drafts_.claim(kSelfDraft, backend.prefix, Origin::kSaved);
  for (const auto& peer : saved.peers) {
    const auto keep = [](const auto& fact) { return worth_keeping(fact.from); };
    if (std::none_of(peer.underlays.begin(), peer.underlays.end(), keep) &&
        std::none_of(peer.backends.begin(), peer.backends.end(), keep))
      continue;
    const auto known = draft_of_saved(peer);
    if (known == kSelfDraft) continue;  // this node took over the address
    const auto id = known ? *known : drafts_.add(peer.name);
    drafts_[id].learnt = drafts_[id].learnt || peer.state != PeerState::kCandidate;
    for (const auto& underlay : peer.underlays)
      if (keep(underlay)) drafts_.add_underlay(id, underlay.address, Origin::kSaved);
    for (const auto& backend : peer.backends)
      if (keep(backend)) drafts_.claim(id, backend.prefix, Origin::kSaved);
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
    return *claimant;
  }
  return drafts_.add(tunnel.peer.text());
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

void Merger::note_reqid(std::uint32_t reqid, DraftId id) {
  if (reqid == 0) return;
  const auto [it, fresh] = reqids_.try_emplace(reqid, id);
  if (!fresh && it->second != id) it->second = std::nullopt;
}

void Merger::add_states() {
  std::vector<std::pair<std::uint32_t, IpAddress>> unknown;
  for (const auto& state : facts_.states) {
    if (state.spi == 0 || (state.protocol != kProtocolEsp && state.protocol != kProtocolAh))
      continue;  // larval, or the IPComp half of a pair
    const auto own = [&](const IpAddress& a) {
      return local_addresses_.count(a) != 0 || drafts_.owner(a) == kSelfDraft;
    };
    if (own(state.source) == own(state.destination)) continue;
    const auto& remote = own(state.source) ? state.destination : state.source;
    if (!global(remote)) continue;
    if (const auto owner = drafts_.owner(remote)) {
      drafts_.add_underlay(*owner, remote, Origin::kState);
      note_reqid(state.reqid, *owner);
    } else {
      unknown.emplace_back(state.reqid, remote);
    }
  }
  std::sort(unknown.begin(), unknown.end());
  for (const auto& [reqid, remote] : unknown) {
    const auto it = reqids_.find(reqid);
    if (it != reqids_.end() && it->second &&
        drafts_.add_underlay(*it->second, remote, Origin::kState))
      continue;
    findings_.add("states without a peer",
                  "SA with " + remote.text() + ": belongs to no known peer");
  }
}

void Merger::add_routes() {
  sort_underlays();
  auto routes = facts_.routes;
  std::sort(routes.begin(), routes.end(), [](const RouteFact& a, const RouteFact& b) {
    if (a.gateway != b.gateway) return a.gateway < b.gateway;
    return a.destination < b.destination;
  });
  for (const auto& route : routes) add_route(route);
}

void Merger::add_route(const RouteFact& route) {
  if (!route.gateway || !acceptable_backend(route.destination) ||
      contains_underlay(route.destination))
    return;
  const auto around = drafts_.claimant_around(route.destination);
  if (around == kSelfDraft) return;
  const auto owner = drafts_.owner(*route.gateway);
  if (owner == kSelfDraft) return;
  if (owner && (drafts_[*owner].configured || drafts_[*owner].learnt)) {
    drafts_.claim(*owner, route.destination, Origin::kRoute);
    return;
  }
  if (around && around != owner) return;  // a known peer's, behind a router
  if (drafts_.network_of(route.destination) == nullptr || !global(*route.gateway) ||
      local_addresses_.count(*route.gateway) != 0)
    return;
  const auto id = owner ? *owner : drafts_.add(route.gateway->text());
  drafts_.add_underlay(id, *route.gateway, Origin::kRoute);
  drafts_.claim(id, route.destination, Origin::kRoute);
}

void Merger::add_addresses() {
  peer_prefixes_ = drafts_.peer_prefixes();
  for (const auto& fact : facts_.addresses) add_own_subnet(fact);
  const auto pods = local_bridges(facts_);
  for (const auto& fact : facts_.addresses) {
    if (!global(fact.address) || pods.count(fact.ifindex) != 0) continue;
    if (drafts_.network_of(fact.address) != nullptr || drafts_.claimant_around(fact.address))
      continue;
    const auto owner = drafts_.owner(fact.address);
    if (owner && *owner != kSelfDraft) {
      findings_.add("contradicting underlays", drafts_[*owner].name + ": its underlay " +
                                                   fact.address.text() +
                                                   " is an address of this node: ignored");
      drafts_.move_underlay(kSelfDraft, fact.address, Origin::kAddress);
    } else {
      drafts_.add_underlay(kSelfDraft, fact.address, Origin::kAddress);
    }
  }
}

// The subnet of a local address inside a configured network is an own backend subnet.
void Merger::add_own_subnet(const AddressFact& fact) {
  if (!global(fact.address) || fact.prefix_length > fact.address.bits()) return;
  const Prefix subnet(fact.address, fact.prefix_length);
  if (drafts_.network_of(subnet) == nullptr || drafts_.owner(fact.address)) return;
  const auto claimant = drafts_.first_claimant(subnet);
  if (claimant && *claimant != kSelfDraft) {
    findings_.add("contradicting backend subnets",
                  subnet.text() + ": belongs to " + drafts_[*claimant].name +
                      ", but this node holds " + fact.address.text());
    return;
  }
  if (contains_claim(subnet)) {
    findings_.add("own subnets around peers", subnet.text() + " on this node contains subnets of " +
                                                  "peers: not taken for an own backend subnet");
    return;
  }
  drafts_.claim(kSelfDraft, subnet, Origin::kAddress);
}

void Merger::sort_underlays() { known_underlays_ = drafts_.underlays(); }

bool Merger::contains_underlay(const Prefix& prefix) const {
  const auto it =
      std::lower_bound(known_underlays_.begin(), known_underlays_.end(), prefix.address());
  return it != known_underlays_.end() && prefix.contains(*it);
}

bool Merger::contains_claim(const Prefix& prefix) const {
  const auto it = std::lower_bound(peer_prefixes_.begin(), peer_prefixes_.end(), prefix);
  return it != peer_prefixes_.end() && prefix.contains(*it);
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
  topology.networks = std::move(networks_);
  std::sort(topology.networks.begin(), topology.networks.end(),
            [](const Network& a, const Network& b) { return a.name < b.name; });
  report_remembered(topology);
  topology.findings = findings_.lines();
  return topology;
}

}  // namespace

bool acceptable_backend(const Prefix& prefix) {
  const auto& address = prefix.address();
  return prefix.length() >= (prefix.family() == Family::kIpv4 ? 8u : 16u) && global(address);
}

bool forget_peer(Topology& topology, std::string_view name) {
  const auto it = std::find_if(topology.peers.begin(), topology.peers.end(),
                               [&](const Peer& peer) { return peer.name == name; });
  if (it == topology.peers.end()) return false;
  topology.peers.erase(it);
  return true;
}

Topology merge_topology(const Config& config, const KernelFacts& facts, const Topology& saved) {
  static const KernelFacts kNothing;
  Merger merger(config, config.discover ? facts : kNothing);
  merger.add_file();
  if (config.discover) {
    merger.add_saved(saved);
    merger.add_policies();
    merger.add_states();
    merger.add_routes();
    merger.add_addresses();
  }
  return merger.finish();
}

}  // namespace espial
