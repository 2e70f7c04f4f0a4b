// SPDX-License-Identifier: Apache-2.0
// Drafts: the topology while it is being merged. An underlay address has one owner; a backend
// subnet may be claimed by several and is given to the best claim at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/learn/learn_evidence.h"
#include "model/prefix_map.h"
#include "model/topology.h"

namespace espial {

using DraftId = std::uint32_t;
inline constexpr DraftId kSelfDraft = 0;  // this node

// Not `Draft`: that is the configuration's, in the same namespace.
struct PeerDraft {
  std::string name;
  bool configured = false;  // named by the file
  bool learnt = false;      // named by a policy, now or earlier
  bool current = false;     // a policy names one of its underlays now
  bool has_underlay = false;
  bool in_opensvc = false;    // named by OpenSVC now
  bool left_opensvc = false;  // named by OpenSVC once, and not now
  std::optional<Mode> mode;   // by the file
  Origins from;
};

class Drafts {
 public:
  explicit Drafts(const std::vector<Network>& networks);

  // name: made unique when it is taken.
  DraftId add(const std::string& name);
  PeerDraft& operator[](DraftId id) { return drafts_[id]; }
  const PeerDraft& operator[](DraftId id) const { return drafts_[id]; }
  [[nodiscard]] std::optional<DraftId> named(const std::string& name) const;

  [[nodiscard]] std::optional<DraftId> owner(const IpAddress& underlay) const;
  // false: the address belongs to another draft already, which keeps it.
  bool add_underlay(DraftId id, const IpAddress& address, Origins from);
  // Takes the address away from whoever owns it.
  void move_underlay(DraftId to, const IpAddress& address, Origins from);

  [[nodiscard]] std::vector<IpAddress> underlays() const;  // everybody's, sorted

  void claim(DraftId id, const Prefix& prefix, Origins from);
  // Who claimed exactly this prefix first.
  [[nodiscard]] std::optional<DraftId> first_claimant(const Prefix& prefix) const;
  // Who claimed the longest prefix around it.
  [[nodiscard]] std::optional<DraftId> claimant_around(const Prefix& prefix) const;
  [[nodiscard]] std::optional<DraftId> claimant_around(const IpAddress& address) const;

  [[nodiscard]] std::vector<Prefix> peer_prefixes() const;  // claimed by peers, sorted

  // The network that contains it, or null.
  [[nodiscard]] const std::string* network_of(const Prefix& prefix) const;
  [[nodiscard]] const std::string* network_of(const IpAddress& address) const;

  void add_network(const Network& network);

  // Fills everything but node and networks, at most max_peers peers. The drafts are spent.
  void finish(Topology& topology, std::size_t max_peers, Findings& findings);

 private:
  struct Owned {
    DraftId draft = 0;
    Origins from;
  };
  struct Claim {
    Prefix prefix;
    DraftId draft = 0;
    bool operator==(const Claim&) const = default;
  };
  struct ClaimHash {
    std::size_t operator()(const Claim& c) const noexcept {
      return PrefixHash{}(c.prefix) * 31 + c.draft;
    }
  };
  struct Ranked {
    Claim claim;
    Origins from;
    int rank = 0;
  };

  std::vector<Ranked> settle(Findings& findings) const;
  [[nodiscard]] std::vector<Ranked> ranked_claims() const;
  void report_nesting(const std::vector<Ranked>& settled, Findings& findings) const;

  PrefixMap<std::string> networks_;
  std::vector<PeerDraft> drafts_;
  std::unordered_map<std::string, DraftId> names_;
  std::unordered_map<IpAddress, Owned, AddressHash> underlays_;
  std::unordered_map<Claim, Origins, ClaimHash> claims_;
  std::unordered_map<Prefix, DraftId, PrefixHash> first_claims_;
  PrefixMap<DraftId> around_;
};

// Only current sources, or "saved" if there are none.
Origins without_stale(Origins from);

}  // namespace espial
