// SPDX-License-Identifier: Apache-2.0
// The readers of nft's and iptables' output where they meet what they do not know.
#include <gtest/gtest.h>

#include <string>

#include "base/child_process.h"
#include "sources/firewall/iptables_save.h"
#include "sources/firewall/nft_json.h"
#include "sources/firewall/nft_text.h"

namespace espial {
namespace {

const std::string kHead =
    R"({"nftables": [{"metainfo": {"json_schema_version": 1}}, {"table": {"family": "ip", "name": "t"}},
       {"chain": {"family": "ip", "table": "t", "name": "c", "type": "filter", "hook": "forward",
                  "prio": 0, "policy": "drop"}})";

std::string with_rule(const std::string& steps) {
  return kHead +
         R"(, {"rule": {"family": "ip", "table": "t", "chain": "c", "handle": 4, "expr": [)" +
         steps + "]}}]}";
}

const RuleStep& only_step(const Ruleset& ruleset) {
  return ruleset.tables.at(0).chains.at(0).rules.at(0).steps.at(0);
}

TEST(NftJson, WhatIsNotUnderstoodIsKept) {
  for (const char* step : {R"({"tproxy": {"port": 5}})", R"("some text")", R"({"a": 1, "b": 2})",
                           R"({"vmap": {"key": 1}})", "7", "null"}) {
    const auto ruleset = ruleset_from_nft_json(with_rule(step));
    ASSERT_TRUE(ruleset.ok()) << step;
    EXPECT_TRUE(std::holds_alternative<Unknown>(only_step(*ruleset))) << step;
  }
  const auto match =
      ruleset_from_nft_json(with_rule(R"({"match": {"op": "~", "left": 1, "right": 2}})"));
  ASSERT_TRUE(match.ok());
  EXPECT_TRUE(std::holds_alternative<UnknownMatch>(only_step(*match)));
}

TEST(NftJson, RefusesWhatCannotBeARuleset) {
  EXPECT_FALSE(ruleset_from_nft_json("").ok());
  EXPECT_FALSE(ruleset_from_nft_json("[1]").ok());
  EXPECT_FALSE(ruleset_from_nft_json(std::string(100, '[')).ok());
  EXPECT_FALSE(
      ruleset_from_nft_json(R"({"nftables": [{"table": {"family": "x", "name": "y"}}]})").ok());
  EXPECT_FALSE(
      ruleset_from_nft_json(R"({"nftables": [{"metainfo": {"json_schema_version": 2}}]})").ok());
}

TEST(NftJson, PrefixesOfMarksAndGarbledSets) {
  auto ruleset = ruleset_from_nft_json(with_rule(
      R"({"match": {"op": "==", "left": {"meta": {"key": "mark"}},
          "right": {"set": [{"prefix": {"addr": 2, "len": 31}}, {"range": ["", ""]}]}}})"));
  ASSERT_TRUE(ruleset.ok());
  const auto& elements = std::get<Match>(only_step(*ruleset)).elements;
  EXPECT_TRUE(std::get<Interval>(elements.at(0).patterns.at(0)).last == 3);
  EXPECT_TRUE(std::holds_alternative<Unknown>(elements.at(1).patterns.at(0)));
}

TEST(NftText, TablesAndTheirFlags) {
  const auto tables = nft_tables_of(
      "table ip a { # handle 1\n\tflags dormant\n\n\tchain c { # handle 1\n\t}\n}\n"
      "table inet b { # handle 2\n}\n");
  ASSERT_EQ(tables.size(), 2u);
  EXPECT_TRUE(tables[0].dormant);
  EXPECT_EQ(tables[1].name, "b");
  EXPECT_FALSE(tables[1].flags);
}

TEST(IptablesSave, WhatIsNotUnderstoodIsKept) {
  const auto tables = tables_from_iptables_save(
      "*filter\n:FORWARD DROP [0:0]\n"
      "-A FORWARD -m set --match-set x src -m comment --comment \"-j DROP\" -j ACCEPT\n"
      "-A FORWARD -j SYNPROXY --mss 1460\nCOMMIT\n",
      Family::kIpv4, RuleTool::kIptablesLegacy);
  ASSERT_TRUE(tables.ok());
  const auto& rules = tables->at(0).chains.at(0).rules;
  ASSERT_EQ(rules.at(0).steps.size(), 3u);
  EXPECT_EQ(std::get<UnknownMatch>(rules[0].steps[0]).what, "-m set --match-set x src");
  EXPECT_EQ(std::get<VerdictStep>(rules[0].steps[2]).verdict, RuleVerdict::kAccept);
  EXPECT_EQ(std::get<Unknown>(rules.at(1).steps.at(0)).what, "-j SYNPROXY --mss 1460");
}

TEST(IptablesSave, NamesTheLineThatIsNoRule) {
  const auto tables = tables_from_iptables_save(
      "*filter\n:FORWARD DROP [0:0]\n-A NOWHERE -j DROP\n", Family::kIpv4, RuleTool::kIptablesNft);
  ASSERT_FALSE(tables.ok());
  EXPECT_EQ(tables.error().message, "iptables-nft: line 3 of its rules is not understood");
}

TEST(ChildProcess, IsBoundedAndSaysWhatFailed) {
  const auto said = run_child({"/bin/sh", "-c", "echo one; echo two >&2; exit 0"});
  ASSERT_TRUE(said.ok());
  EXPECT_EQ(*said, "one\n");
  EXPECT_EQ(run_child({"/bin/sh", "-c", "echo no >&2; exit 3"}).error().message, "/bin/sh: no");
  EXPECT_EQ(run_child({"/nonexistent"}).error().message,
            "/nonexistent: start: No such file or directory");
  EXPECT_EQ(run_child({"/bin/sleep", "60"}, {std::chrono::milliseconds(50), 100}).error().message,
            "/bin/sleep: still running after 50 ms, stopped");
  EXPECT_EQ(run_child({"/bin/sh", "-c", "while :; do echo x; done"},
                      {std::chrono::milliseconds(10'000), 100})
                .error()
                .message,
            "/bin/sh: output larger than 100 bytes, stopped");
}

}  // namespace
}  // namespace espial
