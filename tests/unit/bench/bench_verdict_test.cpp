// SPDX-License-Identifier: Apache-2.0
// What the gate of tools/bench says of a row.
#include "bench/versus/verdict.h"

#include <gtest/gtest.h>

namespace espial::bench {
namespace {

TEST(BenchVerdict, EqualLoadsAreTheSame) {
  EXPECT_EQ((Versus{"r", {40, 41}, {41, 40}}.verdict()), Verdict::kSame);
}

TEST(BenchVerdict, WorseIsWhatEveryLoadAgreesOn) {
  EXPECT_EQ((Versus{"r", {40, 41}, {46, 47}}.verdict()), Verdict::kWorse);
  EXPECT_EQ((Versus{"r", {46, 47}, {40, 41}}.verdict()), Verdict::kBetter);
}

TEST(BenchVerdict, WithinTheToleranceNothingIsWorse) {
  EXPECT_EQ((Versus{"r", {100, 100}, {105, 105}}.verdict()), Verdict::kSame);
  EXPECT_EQ((Versus{"r", {105, 105}, {100, 100}}.verdict()), Verdict::kSame);
}

TEST(BenchVerdict, LoadsThatLieApartAsMuchAsTheSidesAreUnclear) {
  const Versus row{"r", {40, 60}, {50, 62}};
  EXPECT_EQ(row.verdict(), Verdict::kUnclear);
  EXPECT_DOUBLE_EQ(row.spread(), 0.5);
}

TEST(BenchVerdict, OneDisturbedLoadOfManyDoesNotHideWhatTheOthersSay) {
  const std::vector<double> tree(8, 48);
  EXPECT_EQ((Versus{"r", {40, 40, 40, 40, 40, 40, 40, 60}, tree}.verdict()), Verdict::kWorse);
  EXPECT_EQ((Versus{"r", {40, 40, 40, 40, 40, 40, 60, 60}, tree}.verdict()), Verdict::kUnclear);
}

TEST(BenchVerdict, AnAcceptedCostIsNotWorseUpToItsRatio) {
  const auto accepted = parse_accepted("# why\nesp_10 1.20 asks a clock\n");
  ASSERT_TRUE(accepted.ok()) << accepted.error().message;
  const Versus row{"esp_10_hot", {40, 40}, {46, 46}};
  EXPECT_EQ(judged(row, {}), Verdict::kWorse);
  EXPECT_EQ(judged(row, *accepted), Verdict::kAccepted);
  EXPECT_TRUE(unneeded({row}, *accepted).empty());
  const Versus dearer{"esp_10_hot", {40, 40}, {50, 50}};
  EXPECT_EQ(judged(dearer, *accepted), Verdict::kWorse);
  EXPECT_EQ(unneeded({dearer}, *accepted).size(), 1U);
  const Versus other{"cleartext_10_hot", {40, 40}, {46, 46}};
  EXPECT_EQ(judged(other, *accepted), Verdict::kWorse);
}

TEST(BenchVerdict, AcceptedNeedsARatioAndAReason) {
  EXPECT_FALSE(parse_accepted("esp_10 1.2\n").ok());
  EXPECT_FALSE(parse_accepted("esp_10 because\n").ok());
  EXPECT_FALSE(parse_accepted("esp_10 0.9 because\n").ok());
}

}  // namespace
}  // namespace espial::bench
