// SPDX-License-Identifier: Apache-2.0
#include "model/mesh.h"

#include <algorithm>
#include <array>

namespace espial {

namespace {

constexpr std::array<std::string_view, kPairVerdicts> kVerdictLabels{
    "exposed", "misconfigured", "unknown", "fail_closed", "user_space", "protected"};

struct Problem {
  std::string_view label;
  PairVerdict verdict;
};
#define EP_X_(name, label, verdict) Problem{label, PairVerdict::verdict},
constexpr std::array kProblems{EP_PAIR_PROBLEM_LIST(EP_X_)};
#undef EP_X_

const Problem& problem_of(PairProblem problem) {
  return kProblems[static_cast<std::size_t>(problem)];
}

}  // namespace

std::string_view to_string(PairVerdict verdict) {
  return kVerdictLabels[static_cast<std::size_t>(verdict)];
}

std::string_view to_string(PairProblem problem) { return problem_of(problem).label; }

PairVerdict verdict_of(PairProblem problem) { return problem_of(problem).verdict; }

const PeerAudit* MeshAudit::find(std::string_view peer) const {
  const auto at = std::lower_bound(
      peers.begin(), peers.end(), peer,
      [](const PeerAudit& audit, std::string_view name) { return audit.peer < name; });
  return at != peers.end() && at->peer == peer ? &*at : nullptr;
}

}  // namespace espial
