// SPDX-License-Identifier: Apache-2.0
#include "model/doctor_report.h"

namespace espial {

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

std::string_view to_string(Cause cause) {
#define EP_X_(name, label, ...) \
  case Cause::name:             \
    return label;
  switch (cause) { EP_DOCTOR_CAUSE_LIST(EP_X_) EP_PAIR_PROBLEM_LIST(EP_X_) }
#undef EP_X_
  return "";
}

Cause cause_of(PairProblem problem) {
#define EP_X_(name, ...)  \
  case PairProblem::name: \
    return Cause::name;
  switch (problem) { EP_PAIR_PROBLEM_LIST(EP_X_) }
#undef EP_X_
  return Cause::NO_POLICY;
}

}  // namespace espial
