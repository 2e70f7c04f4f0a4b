// SPDX-License-Identifier: Apache-2.0
// ChainWalk: one base chain of one table, with everything that it jumps to (nf_tables_core.c).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "diagnose/rules/packet_match.h"
#include "diagnose/rules/walk_state.h"

namespace espial {

// Bounds and reasons of a whole walk. A rule set that needs more rules than this is not followed
// on.
struct WalkLedger {
  std::size_t rules_left = 200'000;
  std::vector<std::string> reasons;  // why something is unknown, at most some

  void because(const std::string& reason);
};

class ChainWalk {
 public:
  // All outlive the walk.
  ChainWalk(const Table& table, const RulePlace& place, bool nat_chain, WalkLedger& ledger);

  // Everything that chain may do with a packet in state; on = it came to the chain's end.
  WalkResult chain(const Chain& chain, const WalkState& state);

  [[nodiscard]] RuleEvidence evidence(const Chain& chain, const Rule* rule) const;

 private:
  struct AtRule;  // a rule on its way

  WalkResult rule(const Chain& chain, const Rule& rule, const WalkState& state);
  bool step(AtRule& at, const RuleStep& step);
  bool match(AtRule& at, const Match& match);
  bool verdict(AtRule& at, const VerdictStep& verdict, const WalkState& state);
  bool verdict_map(AtRule& at, const VerdictMap& map);
  void jump(AtRule& at, const VerdictStep& verdict, const WalkState& state);
  bool nat(AtRule& at, const Nat& nat);
  void assign(AtRule& at, const Assign& assign) const;
  void no_track(AtRule& at) const;
  bool maybe(AtRule& at, const std::string& what);
  bool unknown(AtRule& at, const std::string& what);
  [[nodiscard]] const Set* set_named(const std::string& name) const;

  const Table& table_;
  const RulePlace& place_;
  bool nat_chain_;
  WalkLedger& ledger_;
  unsigned depth_ = 0;
};

}  // namespace espial
