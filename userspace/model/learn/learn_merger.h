// SPDX-License-Identifier: Apache-2.0
// Merger: merge_topology() step by step. Call the steps in this order, each at most once: later
// ones lean on what the earlier ones named.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/config.h"
#include "model/facts/facts.h"
#include "model/facts/opensvc.h"
#include "model/learn/learn_drafts.h"
#include "model/learn/learn_evidence.h"
#include "model/topology.h"

namespace espial {

// An address that can be somebody's in the mesh: not link-local, loopback, multicast or zero.
bool is_global(const IpAddress& address);

// Refers to config, facts and opensvc; they must outlive it.
class Merger {
 public:
  Merger(const Config& config, const KernelFacts& facts, const OpensvcFacts& opensvc);

  void add_file();
  void add_opensvc(const Topology& saved);
  void add_saved(const Topology& saved);
  void add_policies();
  void add_states();
  void add_routes();
  void add_addresses();
  Topology finish();

 private:
  struct OpensvcNode;
  void add_network(const Network& network);
  DraftId draft_of_node(const OpensvcNode& node);
  void add_node(const OpensvcNode& node, bool& self_seen);
  bool has_left(const Peer& peer, std::optional<DraftId> known) const;
  [[nodiscard]] Origins kept(Origins from) const;
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
  const OpensvcFacts& opensvc_;
  std::vector<Network> networks_;
  Drafts drafts_;
  Findings findings_;
  std::unordered_set<IpAddress, AddressHash> local_addresses_;
  std::unordered_map<std::uint32_t, std::optional<DraftId>> reqids_;  // nullopt: of several peers
  std::unordered_map<IpAddress, std::string, AddressHash>
      left_;                                // names of nodes that left OpenSVC
  std::vector<IpAddress> known_underlays_;  // sorted
  std::vector<Prefix> peer_prefixes_;       // claimed by peers, sorted
};

}  // namespace espial
