// SPDX-License-Identifier: Apache-2.0
#include "diagnose/rules/walk_state.h"

#include <algorithm>

namespace espial {
namespace {

// Enough to name the deciding rules; a ruleset may have many candidates.
constexpr std::size_t kNamedMax = 8;

Translation join(const Translation& one, const Translation& other) {
  Translation both = one;
  if (one.done != other.done) both.done = Tri::kUnknown;
  for (const auto& by : other.by)
    if (both.by.size() < kNamedMax &&
        std::find(both.by.begin(), both.by.end(), by) == both.by.end())
      both.by.push_back(by);
  return both;
}

}  // namespace

WalkState join(const WalkState& one, const WalkState& other) {
  return {join(one.packet, other.packet), join(one.source, other.source),
          join(one.destination, other.destination)};
}

void join_into(MaybeState& state, const MaybeState& other) {
  if (!other) return;
  state = state ? join(*state, *other) : *other;
}

void WalkResult::add_ending(Fate fate, const RuleEvidence& by) {
  // Whatever is not named has a fate that is.
  const bool named = std::any_of(endings.begin(), endings.end(),
                                 [&](const Ending& one) { return one.fate == fate; });
  if (named && endings.size() >= kNamedMax) return;
  endings.push_back({fate, by});
}

void WalkResult::add_ends(WalkResult&& other) {
  for (auto& ending : other.endings) add_ending(ending.fate, ending.by);
  for (auto& by : other.accepted_by)
    if (accepted_by.size() < kNamedMax) accepted_by.push_back(std::move(by));
  join_into(accepted, other.accepted);
  join_into(returned, other.returned);
}

}  // namespace espial
