// SPDX-License-Identifier: Apache-2.0
// A table "t" with one base chain "c" that does one thing, at a hook of any family.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/facts/firewall.h"

namespace espial::test {

struct Hooked {
  TableFamily family;
  PacketHook hook;
  std::vector<std::string> devices{};
};

inline Table one_rule(const Hooked& where, std::vector<RuleStep> steps) {
  Table table;
  table.family = where.family;
  table.name = "t";
  Chain chain;
  chain.name = "c";
  chain.base = BaseChain{ChainType::kFilter, where.hook, 0, false, where.devices};
  chain.rules = {Rule{7, std::move(steps), "by hand"}};
  table.chains = {chain};
  return table;
}

inline Table dropping(const Hooked& where) {
  return one_rule(where, {VerdictStep{RuleVerdict::kDrop, {}}});
}

// Drops what has this in this field.
inline Table dropping(const Hooked& where, Field field, Pattern pattern) {
  Match match;
  Key key;
  key.field = field;
  match.keys.push_back(std::move(key));
  match.elements.push_back({{std::move(pattern)}, {}, {}, {}});
  return one_rule(where, {std::move(match), VerdictStep{RuleVerdict::kDrop, {}}});
}

}  // namespace espial::test
