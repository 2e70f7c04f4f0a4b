// SPDX-License-Identifier: Apache-2.0
#include "model/probe_result.h"

#include <array>

namespace espial {
namespace {

#define EP_X_(name, label, ...) label,
constexpr std::array<std::string_view, 0 EP_PROBE_PATH_LIST(EP_ENUM_COUNT_)> kPaths{
    EP_PROBE_PATH_LIST(EP_X_)};
constexpr std::array<std::string_view, 0 EP_PROBE_OUTCOME_LIST(EP_ENUM_COUNT_)> kOutcomeWords{
    EP_PROBE_OUTCOME_LIST(EP_X_)};
#undef EP_X_
#define EP_X_(name, label, words) words,
constexpr std::array<std::string_view, kOutcomeWords.size()> kInWords{EP_PROBE_OUTCOME_LIST(EP_X_)};
#undef EP_X_

}  // namespace

std::string_view to_string(ProbePath path) { return kPaths[static_cast<std::size_t>(path)]; }
std::string_view to_string(ProbeOutcome outcome) {
  return kOutcomeWords[static_cast<std::size_t>(outcome)];
}
std::string_view in_words(ProbeOutcome outcome) {
  return kInWords[static_cast<std::size_t>(outcome)];
}

}  // namespace espial
