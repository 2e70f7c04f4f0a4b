// SPDX-License-Identifier: Apache-2.0
// PolicyIndex: which XFRM policy the kernel would apply to the packets between two subnets
// (net/xfrm/xfrm_policy.c: the lowest priority value wins, of equal ones the older policy).
//
// Selectors are prefixes, so a pair of subnets can be cut into pieces that different policies
// decide. Refers to the policies that it was built from. For packets without a mark.
#pragma once

#include <cstddef>
#include <vector>

#include "model/facts/facts.h"

namespace espial {

// A part of the pair, and the policy that decides it; null: no policy, the default counts.
struct PolicyPiece {
  Prefix own;
  Prefix theirs;
  const XfrmPolicyFact* policy = nullptr;
};

struct PolicyDecision {
  std::vector<PolicyPiece> pieces;  // disjoint; together the whole pair
  // Policies for one protocol or port that are asked before some piece's own: they decide a slice.
  std::vector<const XfrmPolicyFact*> slices;
  // Policies that fit, but only packets with a mark, another XFRM interface or another device.
  std::vector<const XfrmPolicyFact*> elsewhere;
  bool too_many = false;  // more pieces than kMaxPieces: the rest is left out
};

// Where the packets go, as far as selectors ask for it.
struct PolicyScope {
  int device = 0;            // ifindex of the route
  bool xfrm_device = false;  // that is an XFRM interface: its policies have an interface id
};

class PolicyIndex {
 public:
  static constexpr std::size_t kMaxPieces = 512;

  PolicyIndex(const std::vector<XfrmPolicyFact>& policies, PolicyDirection direction);

  [[nodiscard]] PolicyDecision decide(const Prefix& own, const Prefix& theirs,
                                      const PolicyScope& scope) const;

 private:
  struct Entry {
    Prefix theirs;  // destination of an out policy, else source
    const XfrmPolicyFact* policy;
  };
  [[nodiscard]] std::vector<const XfrmPolicyFact*> overlapping(const Prefix& theirs) const;
  [[nodiscard]] const Prefix& own_end(const XfrmPolicyFact& policy) const;
  [[nodiscard]] const Prefix& their_end(const XfrmPolicyFact& policy) const;
  void cut(const PolicyPiece& piece, const std::vector<const XfrmPolicyFact*>& candidates,
           std::size_t from, PolicyDecision& decision) const;

  PolicyDirection direction_;
  std::vector<Entry> entries_;        // sorted by prefix
  std::vector<unsigned> lengths_[2];  // distinct lengths of entries_, by family
};

}  // namespace espial
