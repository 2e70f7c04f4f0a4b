// SPDX-License-Identifier: Apache-2.0
#include "diagnose/lookup/policy_index.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace espial {
namespace {

// Of two that overlap, one contains the other.
const Prefix& longer(const Prefix& a, const Prefix& b) { return a.length() >= b.length() ? a : b; }

// What is left of `whole` without `part`, which it contains: one prefix per bit between them.
std::vector<Prefix> without(const Prefix& whole, const Prefix& part) {
  std::vector<Prefix> rest;
  for (unsigned length = whole.length() + 1; length <= part.length(); ++length) {
    auto bytes = part.address().bytes();
    bytes[(length - 1) / 8] ^= static_cast<std::uint8_t>(0x80u >> ((length - 1) % 8));
    rest.emplace_back(IpAddress(part.family(), bytes.data()), length);
  }
  return rest;
}

bool of_a_slice(const XfrmPolicyFact& policy) {
  return policy.protocol != 0 || policy.source_port.mask != 0 || policy.destination_port.mask != 0;
}

bool policy_in_scope(const XfrmPolicyFact& policy, const PolicyScope& scope) {
  return policy.mark.matches_unmarked() && (policy.if_id != 0) == scope.xfrm_device &&
         (policy.selector_device == 0 || policy.selector_device == scope.device);
}

}  // namespace

PolicyIndex::PolicyIndex(const std::vector<XfrmPolicyFact>& policies, PolicyDirection direction)
    : direction_(direction) {
  for (const auto& policy : policies)
    if (policy.direction == direction) entries_.push_back({their_end(policy), &policy});
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.theirs < b.theirs; });
  for (const auto& entry : entries_)
    lengths_[static_cast<std::size_t>(entry.theirs.family())].push_back(entry.theirs.length());
  for (auto& lengths : lengths_) {
    std::sort(lengths.begin(), lengths.end());
    lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  }
}

const Prefix& PolicyIndex::own_end(const XfrmPolicyFact& policy) const {
  return direction_ == PolicyDirection::kOut ? policy.source : policy.destination;
}

const Prefix& PolicyIndex::their_end(const XfrmPolicyFact& policy) const {
  return direction_ == PolicyDirection::kOut ? policy.destination : policy.source;
}

// Those around the prefix, one look per length, and those inside, which stand side by side.
std::vector<const XfrmPolicyFact*> PolicyIndex::overlapping(const Prefix& theirs) const {
  std::vector<const XfrmPolicyFact*> found;
  const auto first_from = [&](const Prefix& prefix) {
    return std::lower_bound(entries_.begin(), entries_.end(), prefix,
                            [](const Entry& e, const Prefix& p) { return e.theirs < p; });
  };
  for (const unsigned length : lengths_[static_cast<std::size_t>(theirs.family())]) {
    if (length >= theirs.length()) break;
    const Prefix around(theirs.address(), length);
    for (auto at = first_from(around); at != entries_.end() && at->theirs == around; ++at)
      found.push_back(at->policy);
  }
  for (auto at = first_from(theirs); at != entries_.end() && theirs.contains(at->theirs); ++at)
    found.push_back(at->policy);
  return found;
}

void PolicyIndex::cut(const PolicyPiece& piece,
                      const std::vector<const XfrmPolicyFact*>& candidates, std::size_t from,
                      PolicyDecision& decision) const {
  if (decision.pieces.size() >= kMaxPieces) {
    decision.too_many = true;
    return;
  }
  for (std::size_t i = from; i < candidates.size(); ++i) {
    const auto& policy = *candidates[i];
    if (!own_end(policy).overlaps(piece.own) || !their_end(policy).overlaps(piece.theirs)) continue;
    if (of_a_slice(policy)) {
      decision.slices.push_back(&policy);
      continue;
    }
    const Prefix own = longer(own_end(policy), piece.own);
    const Prefix theirs = longer(their_end(policy), piece.theirs);
    decision.pieces.push_back({own, theirs, &policy});
    for (const auto& rest : without(piece.own, own))
      cut({rest, piece.theirs, nullptr}, candidates, i + 1, decision);
    for (const auto& rest : without(piece.theirs, theirs))
      cut({own, rest, nullptr}, candidates, i + 1, decision);
    return;
  }
  decision.pieces.push_back(piece);
}

PolicyDecision PolicyIndex::decide(const Prefix& own, const Prefix& theirs,
                                   const PolicyScope& scope) const {
  PolicyDecision decision;
  std::vector<const XfrmPolicyFact*> candidates;
  for (const auto* policy : overlapping(theirs)) {
    if (!own_end(*policy).overlaps(own)) continue;
    (policy_in_scope(*policy, scope) ? candidates : decision.elsewhere).push_back(policy);
  }
  std::sort(candidates.begin(), candidates.end(), [](const auto* a, const auto* b) {
    return std::tie(a->priority, a->added, a->index) < std::tie(b->priority, b->added, b->index);
  });
  cut({own, theirs, nullptr}, candidates, 0, decision);
  auto& slices = decision.slices;
  std::sort(slices.begin(), slices.end());
  slices.erase(std::unique(slices.begin(), slices.end()), slices.end());
  return decision;
}

}  // namespace espial
