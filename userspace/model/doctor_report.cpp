// SPDX-License-Identifier: Apache-2.0
#include "model/doctor_report.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace espial {
namespace {

struct CauseEntry {
  std::string_view word;
  CauseRank rank;
  std::optional<Effect> effect;
  std::string_view meaning;
};

#define EP_X_(name, word, rank, effect, meaning) CauseEntry{word, CauseRank::rank, effect, meaning},
constexpr std::array<CauseEntry, kCauses> kCauseEntries{{EP_DOCTOR_CAUSE_LIST(EP_X_)}};
#undef EP_X_

constexpr const CauseEntry& entry_of(Cause cause) {
  return kCauseEntries[static_cast<std::size_t>(cause)];
}

constexpr std::optional<Cause> cause_called(std::string_view word) {
  for (std::size_t i = 0; i < kCauseEntries.size(); ++i)
    if (kCauseEntries[i].word == word) return static_cast<Cause>(i);
  return std::nullopt;
}

// By IkeTroubleKind; a trouble that is not a cause does not compile.
#define ESPIAL_X(name, word) cause_called(word).value(),
constexpr std::array kOfTrouble{ESPIAL_IKE_TROUBLES(ESPIAL_X)};
#undef ESPIAL_X

// The effect of a problem of the audit, by the verdict that it gives the pair.
constexpr std::optional<Effect> effect_of(PairVerdict verdict) {
  switch (verdict) {
    case PairVerdict::kExposed:
      return Effect::kLeaks;
    case PairVerdict::kMisconfigured:
    case PairVerdict::kFailClosed:
      return Effect::kLost;
    case PairVerdict::kProtected:
      return Effect::kRisk;
    case PairVerdict::kUserSpace:
    case PairVerdict::kUnknown:
      return std::nullopt;
  }
  return std::nullopt;
}

struct ProblemEntry {
  PairProblem problem;
  std::optional<Effect> effect;
  std::optional<Cause> cause;
};
#define EP_X_(name, label, verdict) \
  ProblemEntry{PairProblem::name, effect_of(PairVerdict::verdict), cause_called(label)},
constexpr std::array kOfProblem{EP_PAIR_PROBLEM_LIST(EP_X_)};
#undef EP_X_

// Nothing is wrong with a tunnel whose own packets are encrypted.
constexpr bool is_told(const ProblemEntry& entry) {
  return entry.effect.has_value() && entry.problem != PairProblem::TUNNEL_ENCRYPTED;
}
constexpr bool fits(const ProblemEntry& entry) {
  if (!is_told(entry)) return !entry.cause.has_value();
  return entry.cause.has_value() && entry_of(*entry.cause).effect == entry.effect;
}
static_assert(std::all_of(kOfProblem.begin(), kOfProblem.end(), fits),
              "a problem of the audit is not a cause, or has another effect");

// First what explains other causes, then leaks, then losses; risks last.
int place_of(const DoctorFinding& finding) {
  if (finding.effect == Effect::kRisk) return 3;
  if (entry_of(finding.cause).rank == CauseRank::kInOrder) return 0;
  return finding.effect == Effect::kLeaks ? 1 : 2;
}

}  // namespace

std::string_view to_string(Effect effect) {
  switch (effect) {
    case Effect::kLost:
      return "lost";
    case Effect::kLeaks:
      return "leaks";
    case Effect::kRisk:
      return "risk";
  }
  return "";
}

std::string_view to_string(Cause cause) { return entry_of(cause).word; }

std::string_view meaning_of(Cause cause) { return entry_of(cause).meaning; }

std::optional<Effect> effect_of(Cause cause) { return entry_of(cause).effect; }

Effect only_effect(Cause cause) {
  const auto effect = effect_of(cause);
  assert(effect.has_value());
  return effect.value_or(Effect::kLost);
}

Cause cause_of(IkeTroubleKind kind) { return kOfTrouble[static_cast<std::size_t>(kind)]; }

bool is_ike_trouble(Cause cause) {
  return std::find(kOfTrouble.begin(), kOfTrouble.end(), cause) != kOfTrouble.end();
}

std::optional<Cause> cause_of(PairProblem problem) {
  return kOfProblem[static_cast<std::size_t>(problem)].cause;
}

bool comes_before(const DoctorFinding& one, const DoctorFinding& other) {
  const int place = place_of(one);
  if (place != place_of(other)) return place < place_of(other);
  return place == 0 && one.cause < other.cause;
}

}  // namespace espial
