// SPDX-License-Identifier: Apache-2.0
// The causes of the doctor: one word each, and the order in which findings are told.
#include "model/doctor_report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace espial {
namespace {

TEST(DoctorCauses, EachHasAWordAndAMeaningOfItsOwn) {
  std::set<std::string_view> words;
  std::set<std::string_view> meanings;
  for (std::size_t i = 0; i < kCauses; ++i) {
    const auto cause = static_cast<Cause>(i);
    EXPECT_TRUE(words.insert(to_string(cause)).second) << to_string(cause);
    EXPECT_TRUE(meanings.insert(meaning_of(cause)).second) << meaning_of(cause);
    EXPECT_EQ(meaning_of(cause).find('\n'), std::string_view::npos);
  }
  EXPECT_EQ(words.count(""), 0u);
  EXPECT_EQ(meanings.count(""), 0u);
}

TEST(DoctorCauses, ProblemsAndTroublesKeepTheirWords) {
  EXPECT_EQ(cause_of(PairProblem::REDIRECTS), Cause::REDIRECTS);
  EXPECT_EQ(to_string(Cause::REDIRECTS), to_string(PairProblem::REDIRECTS));
  EXPECT_EQ(cause_of(PairProblem::TUNNEL_ENCRYPTED), std::nullopt) << "nothing is wrong";
  EXPECT_EQ(cause_of(PairProblem::NAT_UNKNOWN), std::nullopt) << "not known";
  EXPECT_EQ(cause_of(PairProblem::USER_SPACE), std::nullopt);
  EXPECT_EQ(cause_of(IkeTroubleKind::kSelectors), Cause::TRAFFIC_SELECTORS);
  EXPECT_TRUE(is_ike_trouble(Cause::IKE_UNKNOWN_PEER));
  EXPECT_FALSE(is_ike_trouble(Cause::IKE_REFUSED));
}

TEST(DoctorCauses, TheEffectIsTheCausesWhereItIsOne) {
  EXPECT_EQ(DoctorFinding{.cause = Cause::XFRM_DISABLED}.effect, Effect::kLeaks);
  EXPECT_EQ(DoctorFinding{.cause = Cause::NO_SA}.effect, Effect::kLost);
  EXPECT_EQ(effect_of(Cause::UNDERLAY_UNREACHABLE), std::nullopt);
}

TEST(DoctorCauses, ExplainingOnesAreToldFirstThenLeaksLossesAndRisks) {
  std::vector<DoctorFinding> findings = {
      {.cause = Cause::POLICY_DISABLED},
      {.cause = Cause::KERNEL_WITHOUT_ESP, .effect = Effect::kRisk},
      {.cause = Cause::NO_SA},
      {.cause = Cause::PATH_MTU_BLOCKED, .effect = Effect::kLost},
      {.cause = Cause::NO_POLICY},
      {.cause = Cause::ONE_WAY_ESP},
      {.cause = Cause::BRIDGE_RULES},
      {.cause = Cause::ROUTE_REJECTS},
      {.cause = Cause::IKE_REFUSED, .effect = Effect::kLeaks},
      {.cause = Cause::REVERSE_PATH_FILTER},
  };
  std::stable_sort(findings.begin(), findings.end(), comes_before);
  std::vector<std::string_view> order;
  for (const auto& finding : findings) order.push_back(to_string(finding.cause));
  EXPECT_EQ(order, (std::vector<std::string_view>{"reverse_path_filter", "ike_refused",
                                                  "route_rejects", "bridge_rules", "no_policy",
                                                  "one_way_esp", "no_sa", "path_mtu_blocked",
                                                  "policy_disabled", "kernel_without_esp"}))
      << "of one rank in the order in which they were found";
}

}  // namespace
}  // namespace espial
