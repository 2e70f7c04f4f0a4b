// SPDX-License-Identifier: Apache-2.0
// Legacy ebtables: what version 2.0.11 printed on Linux 6.12, read and walked.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "diagnose/rules/rule_walk.h"
#include "sources/firewall/ebtables_list.h"

namespace espial {
namespace {

constexpr WalkStep kIn[] = {{Layer::kBridge, PacketHook::kInput}};
constexpr WalkStep kThrough[] = {{Layer::kBridge, PacketHook::kForward}};
constexpr WalkStep kArrives[] = {{Layer::kBridge, PacketHook::kPrerouting}};
constexpr WalkStep kOut[] = {{Layer::kBridge, PacketHook::kOutput}};
constexpr WalkStep kLeaves[] = {{Layer::kBridge, PacketHook::kPostrouting}};

// As recorded, the blanks at the ends of the lines included.
const std::string kFilter =
    "ebtables -t filter -N guard\n"
    "ebtables -t filter -N loose\n"
    "ebtables -t filter -N shut\n"
    "ebtables -t filter -A INPUT -p IPv4 -i eth0 --logical-in br+ -j guard\n"
    "ebtables -t filter -A INPUT -p IPv4 --ip-src 10.101.0.0/16 --ip-dst ! 10.102.0.0/16 "
    "--ip-proto udp --ip-sport ! 53 --ip-dport 500:4500 -j DROP \n"
    "ebtables -t filter -A INPUT -p IPv4 --ip-proto esp -j ACCEPT \n"
    "ebtables -t filter -A INPUT -p IPv4 --ip-proto icmp --ip-icmp-type fragmentation-needed -j "
    "DROP \n"
    "ebtables -t filter -A INPUT -p IPv6 --ip6-src fd00:101::/32 --ip6-dst fd00:102::1 --ip6-proto "
    "tcp --ip6-dport 80 -j DROP \n"
    "ebtables -t filter -A INPUT -p IPv6 --ip6-src ! fd00:101::/32 --ip6-proto ipv6-icmp "
    "--ip6-icmp-type ! echo-request -j DROP \n"
    "ebtables -t filter -A INPUT -p IPv6 --ip6-proto ipv6-icmp --ip6-icmp-type 135/0 -j DROP \n"
    "ebtables -t filter -A INPUT -p ! ARP -i ! eth+ --logical-in ! br0 -j CONTINUE \n"
    "ebtables -t filter -A INPUT -p Length --802_3-sap 0x42 -j DROP \n"
    "ebtables -t filter -A INPUT -p Length -j DROP \n"
    "ebtables -t filter -A INPUT -p 802_1Q --vlan-id 5 -j ACCEPT \n"
    "ebtables -t filter -A INPUT -p LLDP -j ACCEPT \n"
    "ebtables -t filter -A INPUT --mark ! 0x5/0xff -j shut\n"
    "ebtables -t filter -A INPUT -j CONTINUE \n"
    "ebtables -t filter -P FORWARD DROP\n"
    "ebtables -t filter -A FORWARD -i eth0 --logical-in br1 --logical-out br0 -o eth1 -j ACCEPT \n"
    "ebtables -t filter -A guard -p IPv4 --ip-src 10.0.0.1 -j RETURN \n"
    "ebtables -t filter -A guard -p IPv4 --ip-proto tcp --ip-dport 22 -j DROP \n"
    "ebtables -t filter -P guard RETURN\n"
    "ebtables -t filter -P loose RETURN\n"
    "ebtables -t filter -P shut DROP\n";

Ruleset read(const std::string& text) {
  auto tables = tables_from_ebtables_list(text);
  EXPECT_TRUE(tables.ok()) << (tables.ok() ? "" : tables.error().message);
  Ruleset ruleset;
  if (tables.ok()) ruleset.tables = *tables;
  return ruleset;
}

// One rule of INPUT, its words behind the chain's name.
Ruleset ebtables_rule(const std::string& words) {
  return read("ebtables -t filter -A INPUT " + words + "\n");
}

Packet frame(const char* source, const char* destination, std::uint8_t protocol) {
  Packet packet;
  packet.source = IpAddress::parse(source);
  packet.destination = IpAddress::parse(destination);
  packet.family = packet.source->family();
  packet.protocol = protocol;
  packet.source_port = 40000;
  packet.destination_port = 80;
  packet.iif = "eth0";
  packet.oif = "";
  packet.bridge = "br-prd";
  packet.mark = 5;
  return packet;
}

Packet tcp_frame() { return frame("10.101.1.10", "10.101.2.10", 6); }

Packet arp() {
  Packet packet = tcp_frame();
  packet.arp = true;
  return packet;
}

Fate in(const Ruleset& rules, const Packet& packet = tcp_frame()) {
  return walk_rules(rules, packet, kIn).fate;
}

std::string culprit(const Walk& walk) {
  return walk.fate != Fate::kDropped || walk.culprits.size() != 1
             ? std::string(to_string(walk.fate))
             : walk.culprits[0].text();
}

std::string why(const Ruleset& rules, const Packet& packet = tcp_frame()) {
  const auto walk = walk_rules(rules, packet, kIn);
  return walk.fate == Fate::kUnknown && walk.reasons.size() == 1
             ? walk.reasons[0]
             : std::string(to_string(walk.fate));
}

TEST(Ebtables, ChainsAreWhereTheKernelHooksThem) {
  const auto rules = read(kFilter +
                          "ebtables -t nat -A PREROUTING -d 2:0:0:0:0:1 -j dnat --to-dst "
                          "2:0:0:0:0:2 --dnat-target ACCEPT\n"
                          "ebtables -t nat -A OUTPUT -j DROP \n"
                          "ebtables -t nat -A POSTROUTING -j snat --to-src 2:0:0:0:0:2 --snat-arp "
                          "--snat-target ACCEPT\n"
                          "ebtables -t filter -A OUTPUT -j DROP \n"
                          "ebtables -t broute -A BROUTING -p IPv4 -j DROP \n");
  std::string hooks;
  for (const auto& table : rules.tables) {
    EXPECT_EQ(table.family, TableFamily::kBridge);
    EXPECT_EQ(table.tool, RuleTool::kEbtablesLegacy);
    for (const auto& chain : table.chains) {
      if (!chain.base) continue;
      EXPECT_EQ(chain.base->type, ChainType::kFilter);
      hooks += table.name + " " + chain.name + " " + std::string(to_string(chain.base->hook)) +
               " " + std::to_string(chain.base->priority) +
               (chain.base->policy_drop ? " drop\n" : "\n");
    }
  }
  EXPECT_EQ(hooks,
            "filter INPUT input -200\nfilter FORWARD forward -200 drop\n"
            "nat PREROUTING prerouting -300\nnat OUTPUT output 100\n"
            "nat POSTROUTING postrouting 300\nfilter OUTPUT output 200\n"
            "broute BROUTING prerouting -2147483648\n");
}

TEST(Ebtables, ARecordedTableIsWalked) {
  const auto rules = read(kFilter);
  EXPECT_EQ(in(rules), Fate::kPassed) << why(rules);
  auto ssh = tcp_frame();
  ssh.destination_port = 22;
  EXPECT_EQ(culprit(walk_rules(rules, ssh, kIn)),
            "bridge filter guard: -A guard -p IPv4 --ip-proto tcp --ip-dport 22 -j DROP");
  ssh.source = IpAddress::parse("10.0.0.1");
  EXPECT_EQ(in(rules, ssh), Fate::kPassed) << "RETURN";
  ssh = tcp_frame();
  ssh.destination_port = 22;
  ssh.bridge = "lan";
  EXPECT_EQ(in(rules, ssh), Fate::kPassed) << "--logical-in br+";
  auto ike = frame("10.101.1.10", "10.101.2.10", 17);
  ike.destination_port = 4500;
  EXPECT_EQ(in(rules, ike), Fate::kDropped);
  ike.source_port = 53;
  EXPECT_EQ(in(rules, ike), Fate::kPassed);
  auto too_big = frame("10.101.1.10", "10.101.2.10", 1);
  too_big.icmp_type = 3;
  too_big.icmp_code = 4;
  EXPECT_EQ(in(rules, too_big), Fate::kDropped);
  too_big.icmp_code = 3;
  EXPECT_EQ(in(rules, too_big), Fate::kPassed);
  EXPECT_EQ(in(rules, frame("fd00:101::1", "fd00:102::1", 6)), Fate::kDropped);
  auto neighbour = frame("fd00:101::1", "fd00:102::1", 58);
  neighbour.icmp_type = 135;
  neighbour.icmp_code = 0;
  EXPECT_EQ(in(rules, neighbour), Fate::kDropped);
  neighbour.source = IpAddress::parse("fe80::1");
  neighbour.icmp_type = 128;
  EXPECT_EQ(in(rules, neighbour), Fate::kPassed) << "! echo-request";
  EXPECT_EQ(in(rules, arp()), Fate::kPassed);
  auto marked = tcp_frame();
  marked.mark = 0x106;
  EXPECT_EQ(culprit(walk_rules(rules, marked, kIn)), "bridge filter shut policy drop");
  auto through = tcp_frame();
  through.oif = "eth1";
  EXPECT_EQ(culprit(walk_rules(rules, through, kThrough)), "bridge filter FORWARD policy drop");
  through.bridge = "br1";
  EXPECT_EQ(walk_rules(rules, through, kThrough).fate, Fate::kDropped) << "--logical-out br0";
}

TEST(Ebtables, AnEmptyTableIsNoTable) {
  EXPECT_TRUE(read("").tables.empty());
  EXPECT_TRUE(read("\n").tables.empty());
}

TEST(Ebtables, TheEndOfAUserChainIsItsPolicy) {
  const std::string jump =
      "ebtables -t filter -N own\nebtables -t filter -A INPUT -j own\n"
      "ebtables -t filter -A INPUT -j DROP \n";
  EXPECT_EQ(in(read(jump)), Fate::kPassed) << "ACCEPT is not printed and ends the base chain";
  EXPECT_EQ(in(read(jump + "ebtables -t filter -P own RETURN\n")), Fate::kDropped);
  EXPECT_EQ(culprit(walk_rules(read(jump + "ebtables -t filter -P own DROP\n"), tcp_frame(), kIn)),
            "bridge filter own policy drop");
  EXPECT_EQ(in(read(jump + "ebtables -t filter -A own -p ARP -j ACCEPT \n"
                           "ebtables -t filter -A own -j CONTINUE \n"
                           "ebtables -t filter -P own RETURN\n")),
            Fate::kDropped);
}

TEST(Ebtables, BaseChainsAcceptOnlyForThemselves) {
  const auto rules =
      read("ebtables -t nat -A OUTPUT -j ACCEPT \nebtables -t filter -A OUTPUT -p IPv4 -j DROP \n");
  const auto walk = walk_rules(rules, tcp_frame(), kOut);
  EXPECT_EQ(walk.fate, Fate::kDropped);
  ASSERT_EQ(walk.trace.size(), 2u);
  EXPECT_EQ(walk.trace[0].substr(0, 20), "output, priority 100");
}

TEST(Ebtables, PortsAndTheirBridge) {
  const auto out = [](const std::string& match) {
    return walk_rules(read("ebtables -t filter -A OUTPUT " + match + " -j DROP \n"), tcp_frame(),
                      kOut)
        .fate;
  };
  EXPECT_EQ(out("--logical-out br-prd"), Fate::kDropped);
  EXPECT_EQ(out("--logical-out br+"), Fate::kDropped);
  EXPECT_EQ(out("--logical-out ! br-prd"), Fate::kPassed);
  EXPECT_EQ(out("--logical-out eth0"), Fate::kPassed);
  EXPECT_EQ(in(ebtables_rule("--logical-in br-prd -j DROP ")), Fate::kDropped);
  EXPECT_EQ(in(ebtables_rule("--logical-in eth0 -j DROP ")), Fate::kPassed);
  EXPECT_EQ(in(ebtables_rule("-i eth0 -j DROP ")), Fate::kDropped);
  EXPECT_EQ(in(ebtables_rule("-i ! eth+ -j DROP ")), Fate::kPassed);
}

TEST(Ebtables, ProtocolsByNameAndNumber) {
  EXPECT_EQ(in(ebtables_rule("-p IPv4 -j DROP ")), Fate::kDropped);
  EXPECT_EQ(in(ebtables_rule("-p 0x0800 -j DROP ")), Fate::kDropped);
  EXPECT_EQ(in(ebtables_rule("-p ! IPv4 -j DROP ")), Fate::kPassed);
  EXPECT_EQ(in(ebtables_rule("-p ARP -j DROP ")), Fate::kPassed);
  EXPECT_EQ(in(ebtables_rule("-p ARP -j DROP "), arp()), Fate::kDropped);
  EXPECT_EQ(in(ebtables_rule("-p LLDP -j DROP ")), Fate::kPassed);
  EXPECT_EQ(in(ebtables_rule("-p Length -j DROP ")), Fate::kPassed);
  EXPECT_EQ(in(ebtables_rule("-p Length -j DROP "), arp()), Fate::kPassed);
  EXPECT_EQ(in(ebtables_rule("-p ! Length -j DROP ")), Fate::kDropped);
  EXPECT_EQ(in(ebtables_rule("-p ! Length -j DROP "), frame("fd00::1", "fd00::2", 6)),
            Fate::kDropped);
  EXPECT_EQ(why(ebtables_rule("-p OTHER -j DROP ")),
            "-p OTHER (bridge filter INPUT: -A INPUT -p OTHER -j DROP)");
}

TEST(Ebtables, WhatTheModelDoesNotKnowIsUnknown) {
  for (const std::string match :
       {"-s 2:0:0:0:0:1", "-d ! Multicast", "-s 2:0:0:0:0:0/ff:0:0:0:0:0", "-d Broadcast",
        "--pkttype-type otherhost", "--limit 5/sec", "-d BGA", "--stp-type config",
        "--among-dst 2:0:0:0:0:1=10.0.0.1,", "--ip-tos 0x10", "--ip6-icmp-type 1:4/0:255",
        "--vlan-id 5"})
    EXPECT_EQ(why(ebtables_rule(match + " -j DROP ")),
              match + " (bridge filter INPUT: -A INPUT " + match + " -j DROP)");
  EXPECT_EQ(in(ebtables_rule("-p ARP --arp-op Request --arp-ip-src 10.0.0.1 -j DROP ")),
            Fate::kPassed);
  EXPECT_EQ(in(ebtables_rule("-p ARP --arp-op Request -j DROP "), arp()), Fate::kUnknown);
  EXPECT_EQ(in(ebtables_rule("--pkttype-type otherhost -j CONTINUE ")), Fate::kPassed)
      << "decides nothing";
}

TEST(Ebtables, MarksAreComparedAndSet) {
  EXPECT_EQ(in(ebtables_rule("--mark 0x5 -j DROP ")), Fate::kDropped);
  EXPECT_EQ(in(ebtables_rule("--mark ! 0x5/0xff -j DROP ")), Fate::kPassed);
  EXPECT_EQ(in(ebtables_rule("--mark /0x4 -j DROP ")), Fate::kDropped);
  EXPECT_EQ(in(ebtables_rule("--mark /0x8 -j DROP ")), Fate::kPassed);
  EXPECT_EQ(in(ebtables_rule("--mark ! /0x8 -j DROP ")), Fate::kDropped);
  const auto marks = [](const std::string& option, const std::string& then) {
    return ebtables_rule("-j mark " + option + "\nebtables -t filter -A INPUT --mark " + then +
                         " -j DROP ");
  };
  EXPECT_EQ(in(marks("--mark-set 0x7 --mark-target CONTINUE", "0x7")), Fate::kDropped);
  EXPECT_EQ(in(marks("--mark-set 0x7 --mark-target ACCEPT", "0x7")), Fate::kPassed);
  EXPECT_EQ(in(marks("--mark-or 0x2 --mark-target CONTINUE", "0x7")), Fate::kDropped);
  EXPECT_EQ(in(marks("--mark-and 0x4 --mark-target CONTINUE", "0x4")), Fate::kDropped);
  EXPECT_EQ(in(marks("--mark-xor 0x1 --mark-target CONTINUE", "0x4")), Fate::kDropped);
  EXPECT_EQ(in(ebtables_rule("-j mark --mark-or 0x7 --mark-target DROP")), Fate::kDropped);
}

TEST(Ebtables, WatchersOnlyWatch) {
  for (const std::string watcher :
       {"--log-level info --log-prefix \"dropped here\" --log-ip --log-arp --log-ip6",
        "--log-level notice --log-prefix \"\"", "--log-level notice --log-prefix \"a -j ACCEPT\"",
        "--log-level notice --log-prefix \"  -j\"", "--log-level notice --log-prefix \"-j\"",
        // Printed so, without a blank.
        "--nflog-prefix \"x y\"--nflog-group 3"})
    EXPECT_EQ(culprit(walk_rules(ebtables_rule(watcher + " -j DROP "), tcp_frame(), kIn)),
              "bridge filter INPUT: -A INPUT " + watcher + " -j DROP");
}

TEST(Ebtables, WordsThatCannotBeToldAreUnknown) {
  for (const std::string words :
       {R"(--log-level notice --log-prefix "a\" -j DROP)", R"(-i e"x -j DROP)",
        R"(--string "a\"b\\c" --string-algo bm --string-to 65535 -j DROP)"})
    EXPECT_EQ(why(ebtables_rule(words)), words + " (bridge filter INPUT: -A INPUT " + words + ")");
  EXPECT_EQ(
      in(ebtables_rule("--string \"abc -j ACCEPT\" --string-algo bm --string-to 65535 -j DROP ")),
      Fate::kUnknown);
  EXPECT_EQ(in(ebtables_rule("-j mark --mark-set 0x7 --mark-what ACCEPT")), Fate::kUnknown);
}

TEST(Ebtables, WhoChangesMacAddresses) {
  const auto at = [](const std::string& table, const std::string& words) {
    return read("ebtables -t " + table + " -A " + words + "\n");
  };
  EXPECT_EQ(walk_rules(at("nat", "POSTROUTING -j snat --to-src 2:0:0:0:0:2 --snat-target CONTINUE"),
                       tcp_frame(), kLeaves)
                .fate,
            Fate::kPassed);
  EXPECT_EQ(walk_rules(at("nat", "POSTROUTING -j snat --to-src 2:0:0:0:0:2 --snat-target DROP"),
                       tcp_frame(), kLeaves)
                .fate,
            Fate::kDropped);
  for (const std::string target :
       {"dnat --to-dst 2:0:0:0:0:2 --dnat-target ACCEPT", "redirect  --redirect-target DROP",
        "arpreply --arpreply-mac 2:0:0:0:0:3 --arpreply-target CONTINUE",
        "arpreply --arpreply-mac 2:0:0:0:0:3", "other"})
    EXPECT_EQ(walk_rules(at("nat", "PREROUTING -j " + target), tcp_frame(), kArrives).fate,
              Fate::kUnknown)
        << target;
}

TEST(Ebtables, BrouteDoesNotDropButRoute) {
  for (const std::string text :
       {"ebtables -t broute -A BROUTING -p IPv4 -j DROP \n",
        "ebtables -t broute -P BROUTING DROP\n",
        "ebtables -t broute -N own\nebtables -t broute -A BROUTING -j own\n"
        "ebtables -t broute -P own DROP\n",
        "ebtables -t broute -A BROUTING -p IPv4 -j redirect  --redirect-target DROP\n"}) {
    const auto rules = read(text);
    EXPECT_EQ(walk_rules(rules, tcp_frame(), kArrives).fate, Fate::kUnknown) << text;
  }
  const auto rules = read("ebtables -t broute -A BROUTING -p IPv6 -j DROP \n");
  EXPECT_EQ(walk_rules(rules, tcp_frame(), kArrives).fate, Fate::kPassed);
}

TEST(Ebtables, TheLineThatIsNoneIsNamed) {
  const std::string good = "ebtables -t filter -N own\n";
  for (const std::string bad : {"-A INPUT -j DROP",
                                "ebtables",
                                "ebtables -t",
                                "ebtables -t filter",
                                "ebtables -t filter -A",
                                "ebtables -t filter -A INPUT",
                                "ebtables -t filter -A NOWHERE -j DROP",
                                "ebtables -t filter -A PREROUTING -j DROP",
                                "ebtables -t filter -P INPUT RETURN",
                                "ebtables -t filter -P INPUT",
                                "ebtables -t filter -P own QUEUE",
                                "ebtables -t filter -P nowhere DROP",
                                "ebtables -t filter -N own",
                                "ebtables -t filter -N INPUT",
                                "ebtables -t filter -N two words",
                                "ebtables -t filter -X own",
                                "ebtables -t broute -P BROUTING RETURN",
                                "ebtables  -t filter -N x",
                                "Bridge table: filter",
                                "ebtables -t  -A INPUT -j DROP"}) {
    const auto tables = tables_from_ebtables_list(good + bad);
    ASSERT_FALSE(tables.ok()) << bad;
    EXPECT_EQ(tables.error().message, "ebtables-legacy: line 2 of its rules is not understood");
  }
}

}  // namespace
}  // namespace espial
