// SPDX-License-Identifier: Apache-2.0
// NAT before IPsec, asked per pair of subnets: which rules are named, and whether the remedies
// work.
#include "diagnose/audit/pod_nat.h"

#include <gtest/gtest.h>

#include <utility>

#include "firewall/cases.h"
#include "sources/firewall/iptables_save.h"
#include "unit/facts_builder.h"

namespace espial {
namespace {

using test::firewall_case;
using test::net;

struct World {
  World() {
    node.link(2, "eth0");
    node.link(3, "br-prd", "bridge");
    node.address(2, "10.45.0.11/24");
    node.address(3, "10.101.1.1/24");
    node.route("10.101.2.0/24", "10.45.0.12", 2);
  }

  std::optional<NatJudgement> ask(Ruleset rules) const {
    PodNat nat(std::move(rules));
    const RouteIndex routes(node.facts);
    auto first = nat.judge(node.facts, routes, net("10.101.1.0/24"), net("10.101.2.0/24"));
    const auto again = nat.judge(node.facts, routes, net("10.101.1.0/24"), net("10.101.2.0/24"));
    EXPECT_EQ(first.has_value(), again.has_value()) << "what is remembered is the same";
    return first;
  }
  std::optional<NatJudgement> legacy(const std::string& rules) const {
    auto tables = tables_from_iptables_save(
        "*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n" + rules + "COMMIT\n",
        Family::kIpv4, RuleTool::kIptablesLegacy);
    EXPECT_TRUE(tables.ok());
    return ask({*tables, {}});
  }

  test::Node node;
};

TEST(PodNat, NamesTheRuleAndTheCommandOfItsTool) {
  const auto nat = World().legacy("-A POSTROUTING -s 10.101.0.0/16 -o eth0 -j MASQUERADE\n");
  ASSERT_TRUE(nat);
  EXPECT_TRUE(nat->certain);
  EXPECT_EQ(nat->evidence,
            "source rewritten by ip nat POSTROUTING: -A POSTROUTING -s 10.101.0.0/16 -o eth0 -j "
            "MASQUERADE");
  EXPECT_EQ(nat->remedy,
            "iptables-legacy -t nat -I POSTROUTING -s 10.101.1.0/24 -d 10.101.2.0/24 -j ACCEPT");
}

TEST(PodNat, WhatDoesNotConcernThePairIsNoFinding) {
  const World world;
  EXPECT_FALSE(world.ask(firewall_case("docker"))) << "a busy Docker";
  EXPECT_FALSE(world.ask(firewall_case("masquerade_nft"))) << "rt ipsec missing exempts it";
  EXPECT_FALSE(world.ask({}));
  EXPECT_FALSE(world.legacy("-A POSTROUTING -s 10.101.1.0/24 -o eth1 -j MASQUERADE\n"));
  EXPECT_FALSE(
      world.legacy("-A POSTROUTING -m policy --dir out --pol ipsec -j ACCEPT\n"
                   "-A POSTROUTING -j MASQUERADE\n"));
  EXPECT_FALSE(world.legacy("-A POSTROUTING -s 10.101.1.0/24 -j SNAT --to-source 10.101.1.1\n"))
      << "the source stays inside of the selector";
}

TEST(PodNat, TheAddressOfAMasqueradeIsThatOfTheDevice) {
  World world;
  world.node.facts.addresses.clear();
  world.node.address(2, "10.101.1.1/24");
  world.node.link(2, "eth0");
  const std::string rule = "-A POSTROUTING -s 10.101.1.0/24 -d 10.101.2.0/24 -j MASQUERADE\n";
  EXPECT_FALSE(world.legacy(rule)) << "it stays inside of the own subnet";
  world.node.address(2, "10.45.0.11/24");
  EXPECT_TRUE(world.legacy(rule)) << "the address beside the gateway's is taken";
}

TEST(PodNat, WhatCannotBeToldIsUncertain) {
  const World world;
  for (const char* match : {"-p tcp --dport 25", "-m statistic --mode random --probability 0.5"}) {
    const auto nat =
        world.legacy("-A POSTROUTING " + std::string(match) + " -j SNAT --to-source 192.0.2.1\n");
    ASSERT_TRUE(nat) << match;
    EXPECT_FALSE(nat->certain) << match;
    EXPECT_NE(nat->evidence.find("perhaps rewritten by ip nat POSTROUTING"), std::string::npos)
        << nat->evidence;
  }
}

TEST(PodNat, ARemedyGetsPastEveryRule) {
  const World world;
  auto rules = firewall_case("masquerade_iptables");
  auto tables = tables_from_iptables_save(
      "*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -o eth0 -j MASQUERADE\nCOMMIT\n",
      Family::kIpv4, RuleTool::kIptablesLegacy);
  ASSERT_TRUE(tables.ok());
  rules.tables = *tables;
  Table second = rules.tables.front();
  second.tool = RuleTool::kNft;
  second.name = "mine";
  rules.tables.push_back(second);
  const auto nat = world.ask(rules);
  ASSERT_TRUE(nat);
  EXPECT_NE(nat->remedy.find("iptables-legacy -t nat -I POSTROUTING"), std::string::npos)
      << nat->remedy;
  EXPECT_NE(nat->remedy.find("nft insert rule ip mine POSTROUTING ip saddr 10.101.1.0/24 ip "
                             "daddr 10.101.2.0/24 accept"),
            std::string::npos)
      << nat->remedy;
}

TEST(PodNat, WithoutAPodsDeviceOrARouteNothingIsSaid) {
  World world;
  const std::string rule = "-A POSTROUTING -j MASQUERADE\n";
  EXPECT_TRUE(world.legacy(rule));
  auto addresses = std::exchange(world.node.facts.addresses, {});
  EXPECT_FALSE(world.legacy(rule));
  world.node.facts.addresses = std::move(addresses);
  world.node.facts.routes.clear();
  EXPECT_FALSE(world.legacy(rule));
}

}  // namespace
}  // namespace espial
