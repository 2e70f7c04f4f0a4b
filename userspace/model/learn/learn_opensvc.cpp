// SPDX-License-Identifier: Apache-2.0
// The step of Merger that takes what OpenSVC says, and what becomes of it when OpenSVC is silent.
#include <algorithm>
#include <map>
#include <utility>

#include "model/learn/learn.h"
#include "model/learn/learn_merger.h"

namespace espial {

// What all networks say of one node.
struct Merger::OpensvcNode {
  std::string name;
  std::vector<IpAddress> addresses;
  std::vector<Prefix> subnets;
};

// The file's networks come first: what they contain is not made a second time.
void Merger::add_network(const Network& network) {
  for (const auto& known : networks_) {
    const bool same_name = known.name == network.name;
    for (const auto& prefix : network.prefixes) {
      const auto around = [&](const Prefix& p) { return p.contains(prefix); };
      if (std::any_of(known.prefixes.begin(), known.prefixes.end(), around)) return;
      const auto touches = [&](const Prefix& p) { return p.overlaps(prefix); };
      if (!same_name && std::none_of(known.prefixes.begin(), known.prefixes.end(), touches))
        continue;
      findings_.add("contradicting networks",
                    "network " + network.name + ": OpenSVC says " + prefix.text() + ", " +
                        (known.from.has(Origin::kFile) ? "the file" : "it also") + " says " +
                        (known.prefixes.empty() ? "nothing" : known.prefixes.front().text()) +
                        " of " + known.name + ": the latter counts");
      return;
    }
  }
  networks_.push_back(network);
  drafts_.add_network(network);
}

DraftId Merger::draft_of_node(const OpensvcNode& node) {
  const auto own_name = [&] {
    return opensvc_.has_node(config_.node) &&
           std::equal(node.name.begin(), node.name.end(), config_.node.begin(), config_.node.end(),
                      [](char a, char b) {
                        return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
                      });
  };
  if (own_name()) return kSelfDraft;
  for (const auto& address : node.addresses)
    if (local_addresses_.count(address) != 0) return kSelfDraft;
  for (const auto& address : node.addresses)
    if (const auto owner = drafts_.owner(address)) return *owner;
  if (const auto named = drafts_.named(node.name)) return *named;
  return drafts_.add(node.name);
}

void Merger::add_node(const OpensvcNode& node, bool& self_seen) {
  const auto id = draft_of_node(node);
  self_seen = self_seen || id == kSelfDraft;
  auto& draft = drafts_[id];
  const bool by_file = draft.configured && draft.has_underlay;
  draft.learnt = draft.in_opensvc = true;
  draft.from.add(Origin::kOpensvc);
  const std::string who = id == kSelfDraft ? "this node" : draft.name;
  for (const auto& address : node.addresses) {
    const auto owner = drafts_.owner(address);
    if (!drafts_.add_underlay(id, address, Origin::kOpensvc))
      findings_.add("contradicting underlays",
                    address.text() + ": OpenSVC names it for " + node.name + ", it belongs to " +
                        (*owner == kSelfDraft ? "this node" : drafts_[*owner].name));
    else if (by_file && !owner)
      findings_.add("underlays beside the file", who + ": OpenSVC reaches it at " + address.text() +
                                                     ", the file does not name it");
  }
  for (const auto& subnet : node.subnets) {
    if (acceptable_backend(subnet))
      drafts_.claim(id, subnet, Origin::kOpensvc);
    else
      findings_.add("selectors too wide", "OpenSVC's subnet " + subnet.text() + " of " + node.name +
                                              " is no backend subnet (shorter than /8 or /16, or "
                                              "not unicast): ignored");
  }
}

void Merger::add_opensvc(const Topology& saved) {
  if (!opensvc_.readable()) {
    if (opensvc_.state == OpensvcState::kOff) return;
    // Its last known state is kept.
    for (const auto& network : saved.networks)
      if (network.from.has(Origin::kOpensvc)) add_network(network);
    return;
  }
  std::map<std::string, OpensvcNode> by_name;
  for (const auto& network : opensvc_.networks) {
    add_network({network.name, {network.prefix}, Origin::kOpensvc});
    for (const auto& member : network.members) {
      auto& node = by_name[member.node];
      if (member.address) node.addresses.push_back(*member.address);
      if (member.subnet) node.subnets.push_back(*member.subnet);
    }
  }
  bool self_seen = false;
  for (auto& [name, node] : by_name) {
    node.name = name;
    std::sort(node.addresses.begin(), node.addresses.end());
    node.addresses.erase(std::unique(node.addresses.begin(), node.addresses.end()),
                         node.addresses.end());
    // A node without a subnet has nothing to protect and nothing to leak to.
    if (!node.subnets.empty()) add_node(node, self_seen);
  }
  if (!by_name.empty() && !self_seen)
    findings_.add("this node is not in OpenSVC's cluster",
                  config_.node +
                      ": OpenSVC names no subnet for this node (is `node` the name that "
                      "cluster.nodes has?)");
  for (const auto& problem : opensvc_.problems)
    findings_.add("problems of OpenSVC's configuration", "OpenSVC: " + problem);
}

// It was a node of the cluster, is none now, and the file does not name it.
bool Merger::has_left(const Peer& peer, std::optional<DraftId> known) const {
  if (!opensvc_.readable() || opensvc_.has_node(peer.name)) return false;
  const auto said = [](const auto& fact) { return fact.from.has(Origin::kOpensvc); };
  const bool was_member = peer.left_opensvc || peer.from.has(Origin::kOpensvc) ||
                          std::any_of(peer.underlays.begin(), peer.underlays.end(), said) ||
                          std::any_of(peer.backends.begin(), peer.backends.end(), said);
  if (!was_member) return false;
  return !known || !(drafts_[*known].in_opensvc || drafts_[*known].configured);
}

// What remains of a saved fact that no source confirms now. Facts only from the file or OpenSVC are
// removed when they no longer contain them; while OpenSVC cannot be asked, its facts are kept.
Origins Merger::kept(Origins from) const {
  from.remove(Origin::kFile);
  const bool unreadable = !opensvc_.readable() && opensvc_.state != OpensvcState::kOff;
  if (unreadable && from.has(Origin::kOpensvc)) return Origin::kOpensvc;
  if (opensvc_.readable()) from.remove(Origin::kOpensvc);
  return from.empty() ? from : Origins(Origin::kSaved);
}

}  // namespace espial
