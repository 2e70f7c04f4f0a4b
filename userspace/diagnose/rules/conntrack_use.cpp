// SPDX-License-Identifier: Apache-2.0
#include "diagnose/rules/conntrack_use.h"

#include <algorithm>

namespace espial {
namespace {

bool of_connection(const Key& key) {
  return key.field == Field::kCtState || key.field == Field::kCtMark ||
         key.field == Field::kCtDirection || key.field == Field::kCtDnat;
}

bool any(const std::vector<Key>& keys) {
  return std::any_of(keys.begin(), keys.end(), of_connection);
}

bool needs_it(const RuleStep& step) {
  if (std::holds_alternative<Nat>(step)) return true;
  if (const auto* match = std::get_if<Match>(&step)) return any(match->keys);
  if (const auto* map = std::get_if<VerdictMap>(&step)) return any(map->keys);
  return false;
}

bool needs_it(const Table& table) {
  for (const auto& chain : table.chains)
    for (const auto& rule : chain.rules)
      if (std::any_of(rule.steps.begin(), rule.steps.end(),
                      [](const RuleStep& step) { return needs_it(step); }))
        return true;
  return false;
}

}  // namespace

Tri conntrack_runs(const Ruleset& ruleset, Family family) {
  const auto own = family == Family::kIpv4 ? TableFamily::kIp : TableFamily::kIp6;
  for (const auto& table : ruleset.tables)
    if ((table.family == own || table.family == TableFamily::kInet) && needs_it(table))
      return Tri::kYes;
  return Tri::kUnknown;
}

}  // namespace espial
