// SPDX-License-Identifier: Apache-2.0
// Rules and routes as facts: where packets to a whole subnet go. Single packets are compared with
// the kernel itself (netns/route_index_kernel_test.cpp).
#include "diagnose/lookup/route_index.h"

#include <gtest/gtest.h>

#include "unit/facts_builder.h"

namespace espial {
namespace {

using test::addr;
using test::net;
using Kind = RouteAnswer::Kind;

struct World {
  World() {
    node.link(2, "eth0");
    node.link(3, "br-prd", "bridge");
    node.address(2, "10.45.0.11/24");
    node.address(3, "10.101.1.1/24");
  }
  RuleFact& rule(std::uint32_t priority, unsigned table) {
    RuleFact fact;
    fact.source = fact.destination = net("0.0.0.0/0");
    fact.priority = priority;
    fact.table = table;
    return node.facts.rules.emplace_back(fact);
  }
  RouteFact& route(const std::string& destination, unsigned table, int oif = 2) {
    return node.facts.routes.emplace_back(
        RouteFact{net(destination), oif, addr("10.45.0.12"), table, 0, {}});
  }
  RouteAnswer pods() const {
    return RouteIndex(node.facts).from_pods(net("10.101.1.0/24"), net("10.101.2.0/24"));
  }

  test::Node node;
};

TEST(RouteIndex, WithoutRulesCharonsTableComesFirstThenMainThenDefault) {
  World world;
  EXPECT_EQ(world.pods().kind, Kind::kNone);
  world.route("0.0.0.0/0", 253);
  EXPECT_EQ(world.pods().route->table, 253u);
  world.route("10.101.0.0/16", 254);
  EXPECT_EQ(world.pods().route->table, 254u);
  world.route("10.101.2.0/24", 220);
  EXPECT_EQ(world.pods().route->table, 220u);
  world.route("10.101.2.0/25", 220);
  EXPECT_EQ(world.pods().route->destination, net("10.101.2.0/24")) << "to the whole of it";
}

TEST(RouteIndex, WithoutItsRuleCharonsTableIsNotAsked) {
  World world;
  world.rule(32766, 254);
  world.route("10.101.2.0/24", 220);
  EXPECT_EQ(world.pods().kind, Kind::kNone);
}

TEST(RouteIndex, RulesOfPodsAreNotThoseOfTheNode) {
  World world;
  world.rule(10, 99).iif = "br-prd";
  world.rule(20, 98).iif = "lo";
  world.route("10.101.2.0/24", 99, 3);
  world.route("10.101.2.0/24", 98, 2);
  EXPECT_EQ(world.pods().route->table, 99u);
  EXPECT_EQ(RouteIndex(world.node.facts).find(net("10.101.2.0/24"))->table, 98u);
}

TEST(RouteIndex, ARuleOfAPartOfThePacketsCannotBeDecidedUnlessItDoesNotMatter) {
  World world;
  world.rule(10, 99).source = net("10.101.1.128/25");
  world.rule(32766, 254);
  world.route("10.101.2.0/24", 254);
  EXPECT_EQ(world.pods().kind, Kind::kRoute) << "table 99 is empty";
  world.route("10.101.2.0/24", 99);
  const auto answer = world.pods();
  EXPECT_EQ(answer.kind, Kind::kUnknown);
  EXPECT_EQ(answer.why, "10: from 10.101.1.128/25 lookup 99");
  world.node.facts.rules[0].table = 254;
  EXPECT_EQ(world.pods().kind, Kind::kRoute) << "the same either way";
}

TEST(RouteIndex, WhatAddressesDoNotTellCannotBeDecided) {
  World world;
  world.rule(10, 99).conditions = {"uidrange 0"};
  world.rule(32766, 254);
  world.route("10.101.2.0/24", 254);
  world.route("10.101.2.0/24", 99);
  EXPECT_EQ(world.pods().kind, Kind::kUnknown);
  world.node.facts.rules[0].destination = net("192.0.2.0/24");
  EXPECT_EQ(world.pods().kind, Kind::kRoute) << "not about these packets";
}

TEST(RouteIndex, VrfRulesCountWhereThereIsAVrf) {
  World world;
  auto& rule = world.rule(1000, 0);
  rule.l3mdev = true;
  world.rule(32766, 254);
  world.route("10.101.2.0/24", 254);
  EXPECT_EQ(world.pods().kind, Kind::kRoute);
  world.node.link(9, "red", "vrf");
  EXPECT_EQ(world.pods().kind, Kind::kUnknown);
}

TEST(RouteIndex, RejectionsNameTheirRuleAndRoute) {
  World world;
  world.rule(10, 99).destination = net("10.101.0.0/16");
  world.rule(32766, 254);
  world.route("10.101.2.0/24", 254);
  world.route("10.101.0.0/16", 99).kind = RouteKind::kProhibit;
  auto answer = world.pods();
  EXPECT_EQ(answer.kind, Kind::kRejected);
  EXPECT_EQ(answer.route->kind, RouteKind::kProhibit);
  EXPECT_EQ(answer.rule->priority, 10u);
  world.node.facts.rules[0].action = RuleAction::kBlackhole;
  answer = world.pods();
  EXPECT_EQ(answer.kind, Kind::kRejected);
  EXPECT_EQ(answer.route, nullptr);
}

}  // namespace
}  // namespace espial
