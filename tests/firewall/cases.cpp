// SPDX-License-Identifier: Apache-2.0
#include "firewall/cases.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "sources/firewall/iptables_save.h"
#include "sources/firewall/nft_json.h"
#include "sources/firewall/nft_text.h"

namespace espial::test {
namespace {

std::vector<Table> tables(const nlohmann::json& printed, const char* key, Family family,
                          RuleTool tool) {
  auto parsed = tables_from_iptables_save(printed.at(key).get<std::string>(), family, tool);
  EXPECT_TRUE(parsed.ok()) << key << ": " << (parsed.ok() ? "" : parsed.error().message);
  return parsed.ok() ? *parsed : std::vector<Table>();
}

}  // namespace

Ruleset firewall_case(const std::string& name) {
  std::ifstream file(std::string(ESPIAL_FIREWALL_CASES) + "/" + name + ".json");
  EXPECT_TRUE(file.good()) << name;
  const auto printed = nlohmann::json::parse(file);
  auto ruleset = ruleset_from_nft_json(printed.at("nft").get<std::string>());
  EXPECT_TRUE(ruleset.ok()) << name << ": " << (ruleset.ok() ? "" : ruleset.error().message);
  if (!ruleset.ok()) return {};
  add_nft_text(*ruleset, printed.at("nft_text").get<std::string>());
  explain_xt(*ruleset, tables(printed, "iptables_nft", Family::kIpv4, RuleTool::kIptablesNft));
  explain_xt(*ruleset, tables(printed, "ip6tables_nft", Family::kIpv6, RuleTool::kIptablesNft));
  for (auto& table : tables(printed, "iptables_legacy", Family::kIpv4, RuleTool::kIptablesLegacy))
    ruleset->tables.push_back(std::move(table));
  return *ruleset;
}

}  // namespace espial::test
