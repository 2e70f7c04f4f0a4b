// SPDX-License-Identifier: Apache-2.0
#include "sources/opensvc/opensvc_conf.h"

#include <gtest/gtest.h>

#include <filesystem>

#include <fstream>

#include "sources/opensvc/ini_text.h"
#include "unit/facts_builder.h"
#include "unit/own_folder.h"

namespace espial {
namespace {

using test::addr;
using test::net;

constexpr std::string_view kCluster =
    "[cluster]\nname = c1\nsecret = 0123456789abcdef\nnodes = node1 node2 node3\n";
constexpr std::string_view kBackend =
    "[network#backendnet]\ntype = routed_bridge\ntunnel = never\nnetwork = 10.101.0.0/16\n"
    "ips_per_node = 256\n";

OpensvcFacts parsed(const std::string& text) {
  auto facts = parse_cluster_conf(text);
  EXPECT_TRUE(facts.ok()) << (facts.ok() ? "" : facts.error().message);
  return facts.ok() ? *facts : OpensvcFacts{};
}

std::string conf_with(const std::string& more) {
  return std::string(kCluster) + std::string(kBackend) + more;
}

std::string subnets(const OpensvcNetwork& network) {
  std::string out;
  for (const auto& m : network.members)
    out += m.node + "=" + (m.subnet ? m.subnet->text() : "-") + (m.assigned ? "! " : " ");
  return out;
}

std::string problems(const OpensvcFacts& facts) {
  std::string out;
  for (const auto& line : facts.problems) out += line + "\n";
  return out;
}

TEST(ClusterConf, SubnetsFollowTheOrderOfTheNodes) {
  const auto facts = parsed(conf_with(""));
  EXPECT_EQ(facts.state, OpensvcState::kReadable);
  EXPECT_EQ(facts.nodes, (std::vector<std::string>{"node1", "node2", "node3"}));
  ASSERT_EQ(facts.networks.size(), 1u);
  const auto& network = facts.networks[0];
  EXPECT_EQ(network.name, "backendnet");
  EXPECT_EQ(network.prefix, net("10.101.0.0/16"));
  EXPECT_EQ(network.tunnel, OpensvcTunnel::kNever);
  EXPECT_EQ(network.tunnel_mode, "ipip");
  EXPECT_EQ(network.device, "obr_backendnet");
  EXPECT_EQ(subnets(network), "node1=10.101.0.0/24 node2=10.101.1.0/24 node3=10.101.2.0/24 ");
  EXPECT_EQ(problems(facts), "");
}

TEST(ClusterConf, DefaultsAreTheAgents) {
  const auto facts = parsed(std::string(kCluster) +
                            "[network#n]\ntype = routed_bridge\nnetwork = 10.101.0.0/16\n");
  ASSERT_EQ(facts.networks.size(), 1u);
  EXPECT_EQ(facts.networks[0].tunnel, OpensvcTunnel::kAuto);
  EXPECT_EQ(subnets(facts.networks[0]),
            "node1=10.101.0.0/22 node2=10.101.4.0/22 node3=10.101.8.0/22 ");
}

TEST(ClusterConf, OnlyRoutedBridgesCrossNodes) {
  const auto facts = parsed(std::string(kCluster) +
                            "[network#a]\nnetwork = 10.1.0.0/16\n"
                            "[network#b]\ntype = bridge\nnetwork = 10.2.0.0/16\n"
                            "[network#lo]\ntype = lo\n"
                            "[network#off]\ntype = routed_bridge\nnetwork = none\n");
  EXPECT_TRUE(facts.networks.empty());
  EXPECT_EQ(problems(facts), "");
}

TEST(ClusterConf, ScopedKeysAndNamesOfNodes) {
  const auto facts = parsed(
      "[cluster]\nnodes = Node1 node2\n\tnode3 \\\n node4\n" + std::string(kBackend) +
      "subnet@node1 = 10.101.7.0/24\nsubnet@node4 = 10.101.1.0/24\n"
      "addr@nodes = 10.45.0.99\naddr@node2 = 10.45.0.12 # the second\naddr@drpnodes = 10.9.9.9\n"
      "dev@node1 = br-none\ndev = br-prd\ntunnel_mode=gre\n");
  ASSERT_EQ(facts.networks.size(), 1u);
  const auto& network = facts.networks[0];
  EXPECT_EQ(facts.nodes.size(), 4u);
  // node2's piece is what node4 was given.
  EXPECT_EQ(subnets(network),
            "node1=10.101.7.0/24! node2=- node3=10.101.2.0/24 node4=10.101.1.0/24! ");
  EXPECT_NE(problems(facts).find("no room for a subnet of node2"), std::string::npos);
  EXPECT_NE(problems(facts).find("node3 has no subnet"), std::string::npos);
  EXPECT_EQ(network.members[0].host, "10.45.0.99");
  EXPECT_EQ(network.members[1].host, "10.45.0.12");
  EXPECT_EQ(network.device, "br-prd");
  EXPECT_EQ(network.tunnel_mode, "gre");
}

TEST(ClusterConf, Ipv6AndMasks) {
  const auto facts = parsed(std::string(kCluster) +
                            "[network#b6]\ntype: routed_bridge\nnetwork: fd00:101::/32\n"
                            "mask_per_node: 64\nips_per_node: 7\n"
                            "[network#b4]\ntype=routed_bridge\nnetwork=10.0.0.0/24\n"
                            "ips_per_node=100\n");
  ASSERT_EQ(facts.networks.size(), 2u);
  EXPECT_EQ(subnets(facts.networks[0]),
            "node1=fd00:101::/64 node2=fd00:101:0:1::/64 node3=fd00:101:0:2::/64 ");
  // 100 is rounded up to 128; the third has no room.
  EXPECT_EQ(subnets(facts.networks[1]), "node1=10.0.0.0/25 node2=10.0.0.128/25 node3=- ");
}

TEST(ClusterConf, ReferencesButNotToSecrets) {
  const auto facts =
      parsed(conf_with("addr = {short_nodename}.{env.zone}\n"
                       "dev = {rindex}-{cluster.secret}\n"
                       "[env]\nzone = {upper}x\nupper = up\n"));
  ASSERT_EQ(facts.networks.size(), 1u);
  EXPECT_EQ(facts.networks[0].members[1].host, "node2.upx");
  EXPECT_EQ(facts.networks[0].device, "backendnet-{cluster.secret}");
  EXPECT_NE(problems(facts).find("reference {cluster.secret} was not followed"), std::string::npos);
  EXPECT_EQ(problems(facts).find("0123456789abcdef"), std::string::npos);
}

TEST(ClusterConf, ACircleOfReferencesEnds) {
  const auto facts = parsed(conf_with("dev = {dev}\n"));
  EXPECT_FALSE(facts.problems.empty());
}

TEST(ClusterConf, ReferencesThatMultiplyEnd) {
  std::string more;
  const std::string letters = "abcdefgh";
  for (std::size_t i = 0; i < letters.size(); ++i) {
    more += letters.substr(i, 1) + " = ";
    for (int n = 0; n < 200 && i + 1 < letters.size(); ++n)
      more += "{env." + letters.substr(i + 1, 1) + "}";
    more += "\n";
  }
  const auto facts = parsed(conf_with("dev = {env.a}\n[env]\n" + more));
  EXPECT_FALSE(facts.problems.empty());
}

TEST(ClusterConf, ManyNodes) {
  std::string nodes;
  for (int n = 0; n < 9000; ++n) nodes += " a-rather-long-node-name-" + std::to_string(n);
  const auto facts = parsed("[cluster]\nnodes =" + nodes +
                            "\n[network#n]\ntype = routed_bridge\n"
                            "network = 10.0.0.0/8\nips_per_node = 256\n");
  EXPECT_EQ(facts.nodes.size(), 9000u);
  ASSERT_EQ(facts.networks.size(), 1u);
  EXPECT_EQ(facts.networks[0].members.back().subnet, net("10.35.39.0/24"));
}

TEST(ClusterConf, DefaultSectionIsInherited) {
  const auto facts = parsed("tunnel = always\n" + std::string(kCluster) +
                            "[network#n]\ntype = routed_bridge\nnetwork = 10.101.0.0/16\n");
  ASSERT_EQ(facts.networks.size(), 1u);
  EXPECT_EQ(facts.networks[0].tunnel, OpensvcTunnel::kAlways);
}

TEST(ClusterConf, WhatCannotBeFollowedIsSaid) {
  const auto facts =
      parsed(conf_with("tunnel = maybe\nsubnet@node2 = 10.200.0.0/24\n"
                       "subnet@node3 = fd00::/64\n"
                       "[network#bad]\ntype = routed_bridge\nnetwork = ten\n"));
  const auto said = problems(facts);
  EXPECT_NE(said.find("tunnel \"maybe\""), std::string::npos) << said;
  EXPECT_NE(said.find("10.200.0.0/24 of node2 lies outside"), std::string::npos) << said;
  EXPECT_NE(said.find("\"fd00::/64\" of node3 is not a subnet"), std::string::npos) << said;
  EXPECT_NE(said.find("network bad: network \"ten\" is not a prefix"), std::string::npos) << said;
}

TEST(ClusterConf, AFileWithoutNodesIsNotBelieved) {
  for (const std::string text : {"", "[cluster]\nnodes =\n", "[cluster]\nname = x\n"})
    EXPECT_FALSE(parse_cluster_conf(text).ok()) << text;
  const auto bad = parse_cluster_conf("[cluster]\nnodes = a\nsecret 0123456789abcdef\n");
  ASSERT_FALSE(bad.ok());
  EXPECT_NE(bad.error().message.find("line 3"), std::string::npos);
  EXPECT_EQ(bad.error().message.find("0123456789abcdef"), std::string::npos);
}

TEST(ClusterConf, FilesThatCannotBeRead) {
  const auto missing = read_cluster_conf("/nonexistent/cluster.conf");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("No such file"), std::string::npos);
  EXPECT_FALSE(read_cluster_conf("/dev/zero").ok());
  const auto folder = test::own_folder();
  const auto path = folder + "/cluster.conf";
  std::ofstream(path) << conf_with("");
  const auto facts = read_cluster_conf(path);
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->source, path);
  EXPECT_EQ(facts->networks.size(), 1u);
  std::filesystem::remove_all(folder);
}

TEST(IniText, ValuesAsTheAgentReadsThem) {
  const IniText ini(
      "\xef\xbb\xbf; comment\na = 1\r\n[s]  ; behind\r\nq = \"x # y\" \n b = in\n"
      "m = \n  one\n  # no\n  two\n\nd = first\nd = last\nh = a#b #c\nx = 1 \\\n2\n[s]\nz=\n");
  EXPECT_EQ(ini.value("DEFAULT", "a"), "1");
  EXPECT_EQ(ini.value("s", "m"), "one\ntwo");
  EXPECT_EQ(ini.value("s", "d"), "last");
  EXPECT_EQ(ini.value("s", "h"), "a#b");
  EXPECT_EQ(ini.value("s", "x"), "1\n2");
  EXPECT_EQ(ini.value("s", "z"), "");
  EXPECT_EQ(ini.value("S", "z"), std::nullopt);
  EXPECT_EQ(ini.sections().size(), 1u);
  EXPECT_TRUE(ini.bad_lines().empty());
}

TEST(ResolveMembers, TheFirstAddressThatCanBeAnotherNodes) {
  auto facts = parsed(conf_with("addr@node1 = 10.45.0.11\n"));
  int asked = 0;
  resolve_members(facts, [&](const std::string& host, Family family) {
    ++asked;
    EXPECT_EQ(family, Family::kIpv4);
    if (host == "node2") return std::vector{addr("127.0.1.1"), addr("10.45.0.12")};
    return std::vector<IpAddress>{};
  });
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(facts.networks[0].members[0].address, addr("10.45.0.11"));
  EXPECT_EQ(facts.networks[0].members[1].address, addr("10.45.0.12"));
  EXPECT_FALSE(facts.networks[0].members[2].address);
  EXPECT_NE(problems(facts).find("\"node3\" has no ipv4 address"), std::string::npos);
}

}  // namespace
}  // namespace espial
