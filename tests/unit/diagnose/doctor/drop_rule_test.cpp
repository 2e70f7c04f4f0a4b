// SPDX-License-Identifier: Apache-2.0
// Which rule dropped what netfilter dropped: the kernel's hook, refined by the rules of now.
#include "diagnose/doctor/drop_rule.h"

#include <gtest/gtest.h>

#include "firewall/cases.h"
#include "unit/doctor_world.h"

namespace espial {
namespace {

using test::addr;
using test::firewall_case;

struct Dropping : test::DoctorWorld {
  std::string rule_of(const char* from, const char* to, Hook hook, Direction direction,
                      std::uint8_t protocol = 17) const {
    const auto audit = audit_mesh({topology, node.facts, 1'700'000'000, {}, {}});
    DropRecord drop;
    drop.source = addr(from);
    drop.destination = addr(to);
    drop.source_port = 40000;
    drop.destination_port = 53;
    drop.protocol = protocol;
    drop.direction = direction;
    drop.peer = "node2";
    drop.hook = hook;
    const auto found = DropRules(topology, node.facts, rules, audit).of(drop);
    if (!found) return "";
    return std::string(to_string(found->step.hook)) + " by " + found->rule.text();
  }
};

TEST(DropRule, TellsWhichOfTwoHooksItWas) {
  Dropping world;
  world.rules = firewall_case("docker");
  EXPECT_EQ(
      world.rule_of("10.101.1.9", "10.101.2.9", Hook::FORWARD_OR_POSTROUTING, Direction::TRANSMIT),
      "forward by ip filter FORWARD policy drop");
  EXPECT_EQ(world.rule_of("fd00:101:2::9", "fd00:101:1::9", Hook::FORWARD, Direction::RECEIVE),
            "forward by ip6 filter FORWARD policy drop");
  EXPECT_EQ(world.rule_of("10.101.1.9", "10.101.2.9", Hook::POSTROUTING, Direction::TRANSMIT), "")
      << "what FORWARD drops does not get there";
}

TEST(DropRule, SaysNothingThatTheRulesDoNotSay) {
  Dropping world;
  EXPECT_EQ(world.rule_of("10.101.1.9", "10.101.2.9", Hook::FORWARD, Direction::TRANSMIT), "");
  world.rules = firewall_case("docker");
  EXPECT_EQ(world.rule_of("10.101.1.9", "10.101.3.9", Hook::FORWARD, Direction::TRANSMIT), "")
      << "no address of that peer";
  EXPECT_EQ(world.rule_of("10.45.0.12", "10.45.0.11", Hook::INPUT, Direction::RECEIVE, 50), "");
}

TEST(DropRule, FindsEspInItsHooks) {
  Dropping world;
  world.rules = firewall_case("ufw");
  EXPECT_EQ(world.rule_of("10.45.0.12", "10.45.0.11", Hook::INPUT, Direction::RECEIVE, 50),
            "input by ip filter INPUT policy drop");
}

}  // namespace
}  // namespace espial
