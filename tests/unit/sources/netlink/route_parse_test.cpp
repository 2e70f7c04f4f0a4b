// SPDX-License-Identifier: Apache-2.0
#include "sources/netlink/route_parse.h"

#include <gtest/gtest.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <random>

#include "sources/netlink/kernel_watch.h"
#include "unit/facts_builder.h"
#include "unit/netlink_message.h"

namespace espial {
namespace {

using test::addr;
using test::Attributes;
using test::for_each_truncation;
using test::message;
using test::net;
using Buffer = std::vector<std::uint8_t>;

constexpr Mac kMac{0x0a, 0x58, 10, 45, 0, 11};

ifinfomsg link_head(int ifindex, unsigned char family = AF_UNSPEC) {
  ifinfomsg head{};
  head.ifi_family = family;
  head.ifi_index = ifindex;
  head.ifi_type = 1;
  head.ifi_flags = IFF_UP;
  return head;
}

Buffer vlan_link() {
  Attributes data;
  data.value(IFLA_VLAN_ID, std::uint16_t{100});
  Attributes info;
  info.text(IFLA_INFO_KIND, "vlan")
      .nested(IFLA_INFO_DATA, data)
      .text(IFLA_INFO_SLAVE_KIND, "bridge");
  Attributes all;
  all.text(IFLA_IFNAME, "eth0.100")
      .value(IFLA_MTU, std::uint32_t{1500})
      .value(IFLA_MASTER, std::uint32_t{7})
      .value(IFLA_LINK, std::uint32_t{2})
      .raw(IFLA_ADDRESS, kMac.data(), kMac.size())
      .nested(IFLA_LINKINFO | NLA_F_NESTED, info);
  return message(RTM_NEWLINK, link_head(5), all);
}

TEST(ParseLink, ReadsKindMasterVlanAndLower) {
  const auto link = parse_link(vlan_link());
  ASSERT_TRUE(link);
  EXPECT_EQ(link->ifindex, 5);
  EXPECT_EQ(link->name, "eth0.100");
  EXPECT_EQ(link->kind, "vlan");
  EXPECT_EQ(link->slave_kind, "bridge");
  EXPECT_EQ(link->vlan_id, 100);
  EXPECT_EQ(link->master, 7);
  EXPECT_EQ(link->lower, 2);
  EXPECT_EQ(link->mtu, 1500);
  EXPECT_EQ(link->mac, kMac);
  EXPECT_EQ(link->arphrd, 1);
  EXPECT_TRUE(link->up);
  EXPECT_FALSE(link->lower_elsewhere);
}

std::optional<TunnelEnds> ends_of(const std::string& kind, std::uint16_t local_type,
                                  const std::string& local, std::uint16_t remote_type,
                                  const std::string& remote) {
  Attributes data;
  for (const auto& [type, text] : {std::pair{local_type, local}, {remote_type, remote}}) {
    const auto address = addr(text);
    data.raw(type, address.bytes().data(), address.family() == Family::kIpv4 ? 4 : 16);
  }
  Attributes info;
  info.text(IFLA_INFO_KIND, kind).nested(IFLA_INFO_DATA, data);
  Attributes all;
  all.text(IFLA_IFNAME, "tun2").nested(IFLA_LINKINFO | NLA_F_NESTED, info);
  return parse_link(message(RTM_NEWLINK, link_head(5), all))->tunnel;
}

TEST(ParseLink, TunnelsTellTheirEnds) {
  using std::string;
  for (const string kind : {"ipip", "sit"})
    EXPECT_EQ(ends_of(kind, IFLA_IPTUN_LOCAL, "10.45.0.11", IFLA_IPTUN_REMOTE, "10.45.0.12"),
              (TunnelEnds{addr("10.45.0.11"), addr("10.45.0.12"), false}));
  EXPECT_EQ(ends_of("ip6tnl", IFLA_IPTUN_LOCAL, "fd00::1", IFLA_IPTUN_REMOTE, "fd00::2"),
            (TunnelEnds{addr("fd00::1"), addr("fd00::2"), false}));
  EXPECT_EQ(ends_of("gre", IFLA_GRE_LOCAL, "0.0.0.0", IFLA_GRE_REMOTE, "10.45.0.12"),
            (TunnelEnds{addr("0.0.0.0"), addr("10.45.0.12"), true}));
  EXPECT_FALSE(ends_of("ipip", IFLA_IPTUN_LOCAL, "10.45.0.11", IFLA_IPTUN_REMOTE, "0.0.0.0"));
  EXPECT_FALSE(ends_of("veth", IFLA_IPTUN_LOCAL, "10.45.0.11", IFLA_IPTUN_REMOTE, "10.45.0.12"));
}

TEST(ParseLink, LowerInAnotherNamespaceIsNoLowerHere) {
  Attributes all;
  all.text(IFLA_IFNAME, "veth0").value(IFLA_LINK, 9).value(IFLA_LINK_NETNSID, 0);
  const auto link = parse_link(message(RTM_NEWLINK, link_head(5), all));
  ASSERT_TRUE(link);
  EXPECT_EQ(link->lower, 0);
  EXPECT_TRUE(link->lower_elsewhere);
}

TEST(ParseLink, ABridgeMayFilterVlans) {
  for (const bool on : {false, true}) {
    Attributes data, info, all;
    data.value(IFLA_BR_VLAN_FILTERING, static_cast<std::uint8_t>(on));
    info.text(IFLA_INFO_KIND, "bridge").nested(IFLA_INFO_DATA, data);
    all.text(IFLA_IFNAME, "br0").nested(IFLA_LINKINFO, info);
    EXPECT_EQ(parse_link(message(RTM_NEWLINK, link_head(5), all))->vlan_filtering, on);
  }
}

// What `bridge vlan show` of a port prints: 7, the pvid 45, and 100 to 103.
TEST(ParseBridgeVlans, AreSingleOnesAndRanges) {
  const auto vlan = [](int flags, std::uint16_t vid) {
    return bridge_vlan_info{static_cast<std::uint16_t>(flags), vid};
  };
  Attributes spec, all;
  spec.value(IFLA_BRIDGE_VLAN_INFO, vlan(0, 7))
      .value(IFLA_BRIDGE_VLAN_INFO, vlan(BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED, 45))
      .value(IFLA_BRIDGE_VLAN_INFO, vlan(BRIDGE_VLAN_INFO_RANGE_BEGIN, 100))
      .value(IFLA_BRIDGE_VLAN_INFO, vlan(BRIDGE_VLAN_INFO_RANGE_END, 103))
      .value(IFLA_BRIDGE_VLAN_INFO, vlan(BRIDGE_VLAN_INFO_RANGE_END, 200))  // without a begin
      .value(IFLA_BRIDGE_VLAN_INFO, vlan(0, 0))
      .value(IFLA_BRIDGE_VLAN_INFO, vlan(0, 4095));
  all.nested(IFLA_AF_SPEC, spec);
  const auto found = parse_bridge_vlans(message(RTM_NEWLINK, link_head(3, AF_BRIDGE), all));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->ifindex, 3);
  EXPECT_EQ(found->vids, (std::vector<std::uint16_t>{7, 45, 100, 101, 102, 103, 200}));
  EXPECT_FALSE(parse_bridge_vlans(message(RTM_NEWLINK, link_head(3), all)));
}

TEST(ParseLink, TheBridgesViewOfAPortIsNoLink) {
  Attributes all;
  all.text(IFLA_IFNAME, "veth0");
  EXPECT_FALSE(parse_link(message(RTM_NEWLINK, link_head(5, AF_BRIDGE), all)));
  EXPECT_FALSE(parse_link(message(RTM_NEWLINK, link_head(0), all)));
  EXPECT_FALSE(parse_link(message(RTM_NEWLINK, link_head(5))));  // nameless
}

TEST(ParseLinkEvent, LeavingABridgeIsNotBeingDeleted) {
  EXPECT_TRUE(parse_link_event(message(RTM_DELLINK, link_head(5)))->gone);
  EXPECT_FALSE(parse_link_event(message(RTM_DELLINK, link_head(5, AF_BRIDGE)))->gone);
  EXPECT_FALSE(parse_link_event(message(RTM_NEWLINK, link_head(5)))->gone);
  EXPECT_FALSE(parse_link_event(message(RTM_NEWADDR, link_head(5))));
}

ifaddrmsg address_head(unsigned char family, unsigned char length) {
  ifaddrmsg head{};
  head.ifa_family = family;
  head.ifa_prefixlen = length;
  head.ifa_index = 3;
  return head;
}

TEST(ParseAddress, LocalBeatsThePeerOfAPointToPointLink) {
  Attributes both;
  both.address(IFA_ADDRESS, "10.0.0.2").address(IFA_LOCAL, "10.0.0.1");
  const auto fact = parse_address(message(RTM_NEWADDR, address_head(AF_INET, 32), both));
  ASSERT_TRUE(fact);
  EXPECT_EQ(fact->address, addr("10.0.0.1"));
  EXPECT_EQ(fact->ifindex, 3);
  EXPECT_EQ(fact->prefix_length, 32u);
  Attributes v6;
  v6.address(IFA_ADDRESS, "fd00:45::11");
  EXPECT_EQ(parse_address(message(RTM_NEWADDR, address_head(AF_INET6, 64), v6))->address,
            addr("fd00:45::11"));
}

TEST(ParseAddress, RefusesWhatContradictsItself) {
  Attributes v4;
  v4.address(IFA_LOCAL, "10.0.0.1");
  EXPECT_FALSE(parse_address(message(RTM_NEWADDR, address_head(AF_INET, 33), v4)));
  EXPECT_FALSE(parse_address(message(RTM_NEWADDR, address_head(AF_INET6, 64), v4)));
  EXPECT_FALSE(parse_address(message(RTM_NEWADDR, address_head(AF_PACKET, 24), v4)));
  EXPECT_FALSE(parse_address(message(RTM_NEWADDR, address_head(AF_INET, 24))));
}

rtmsg route_head(unsigned char length, unsigned char type = RTN_UNICAST,
                 unsigned char family = AF_INET) {
  rtmsg head{};
  head.rtm_family = family;
  head.rtm_dst_len = length;
  head.rtm_table = RT_TABLE_MAIN;
  head.rtm_type = type;
  return head;
}

Attributes via(const std::string& gateway, int oif) {
  Attributes all;
  all.address(RTA_DST, "10.101.2.0").address(RTA_GATEWAY, gateway).value(RTA_OIF, oif);
  return all;
}

TEST(ParseRoute, ReadsDestinationGatewayTableAndMetric) {
  auto all = via("10.45.0.12", 4);
  all.value(RTA_TABLE, std::uint32_t{220}).value(RTA_PRIORITY, std::uint32_t{30});
  const auto routes = parse_route(message(RTM_NEWROUTE, route_head(24), all));
  ASSERT_EQ(routes.size(), 1u);
  EXPECT_EQ(routes[0].destination, net("10.101.2.0/24"));
  EXPECT_EQ(routes[0].gateway, addr("10.45.0.12"));
  EXPECT_EQ(routes[0].oif, 4);
  EXPECT_EQ(routes[0].table, 220u);
  EXPECT_EQ(routes[0].metric, 30u);
}

TEST(ParseRoute, NoDestinationIsTheDefaultRouteOfItsFamily) {
  Attributes all;
  all.address(RTA_GATEWAY, "fd00::1").value(RTA_OIF, 4);
  const auto routes = parse_route(message(RTM_NEWROUTE, route_head(0, RTN_UNICAST, AF_INET6), all));
  ASSERT_EQ(routes.size(), 1u);
  EXPECT_EQ(routes[0].destination, net("::/0"));
}

TEST(ParseRoute, AGatewayOfTheOtherFamily) {
  const std::uint16_t family = AF_INET6;
  const auto gateway = addr("fd00:45::12");
  Buffer payload(sizeof family + 16);
  std::memcpy(payload.data(), &family, sizeof family);
  std::memcpy(payload.data() + sizeof family, gateway.bytes().data(), 16);
  Attributes all;
  all.address(RTA_DST, "10.101.2.0").raw(RTA_VIA, payload.data(), payload.size()).value(RTA_OIF, 4);
  EXPECT_EQ(parse_route(message(RTM_NEWROUTE, route_head(24), all)).at(0).gateway, gateway);
}

TEST(ParseRoute, MultipathIsExpanded) {
  Buffer hops;
  for (int oif = 4; oif <= 5; ++oif) {
    Attributes inner;
    inner.address(RTA_GATEWAY, "10.45.0.1" + std::to_string(oif));
    rtnexthop hop{};
    hop.rtnh_ifindex = oif;
    hop.rtnh_len = static_cast<unsigned short>(sizeof hop + inner.bytes().size());
    const auto* raw = reinterpret_cast<const std::uint8_t*>(&hop);
    hops.insert(hops.end(), raw, raw + sizeof hop);
    hops.insert(hops.end(), inner.bytes().begin(), inner.bytes().end());
  }
  Attributes all;
  all.address(RTA_DST, "10.101.2.0").raw(RTA_MULTIPATH, hops.data(), hops.size());
  const auto whole = message(RTM_NEWROUTE, route_head(24), all);
  const auto routes = parse_route(whole);
  ASSERT_EQ(routes.size(), 2u);
  EXPECT_EQ(routes[0].oif, 4);
  EXPECT_EQ(routes[0].gateway, addr("10.45.0.14"));
  EXPECT_EQ(routes[1].oif, 5);
  EXPECT_EQ(routes[1].gateway, addr("10.45.0.15"));
  for_each_truncation(whole, [](const Buffer& cut) { EXPECT_LE(parse_route(cut).size(), 2u); });
}

TEST(ParseRoute, WhatIsNoRouteToSomewhereElse) {
  const auto all = via("10.45.0.12", 4);
  EXPECT_TRUE(parse_route(message(RTM_NEWROUTE, route_head(24, RTN_LOCAL), all)).empty());
  EXPECT_TRUE(parse_route(message(RTM_NEWROUTE, route_head(33), all)).empty());
  auto cloned = route_head(24);
  cloned.rtm_flags = RTM_F_CLONED;
  EXPECT_TRUE(parse_route(message(RTM_NEWROUTE, cloned, all)).empty());
  auto local = all;
  local.value(RTA_TABLE, std::uint32_t{RT_TABLE_LOCAL});
  EXPECT_TRUE(parse_route(message(RTM_NEWROUTE, route_head(24), local)).empty());
  EXPECT_TRUE(parse_route(message(RTM_NEWROUTE, route_head(24))).empty());  // no device
}

TEST(ParseRoute, WhatRejectsIsKeptWithoutADevice) {
  const auto all = via("10.45.0.12", 1);  // of IPv6 the kernel names lo
  for (const auto& [type, kind] : {std::pair{RTN_BLACKHOLE, RouteKind::kBlackhole},
                                   {RTN_UNREACHABLE, RouteKind::kUnreachable},
                                   {RTN_PROHIBIT, RouteKind::kProhibit},
                                   {RTN_THROW, RouteKind::kThrow}}) {
    const auto routes = parse_route(message(RTM_NEWROUTE, route_head(24, type), all));
    ASSERT_EQ(routes.size(), 1u);
    EXPECT_EQ(routes[0].kind, kind);
    EXPECT_EQ(routes[0].oif, 0);
    EXPECT_FALSE(routes[0].gateway);
    EXPECT_EQ(routes[0].text(), std::string(to_string(kind)) + " 10.101.2.0/24");
  }
}

TEST(ParseRoute, WhatOnlySomePacketsTakeIsLeftOut) {
  const auto all = via("10.45.0.12", 4);
  auto head = route_head(24);
  head.rtm_tos = 8;
  EXPECT_TRUE(parse_route(message(RTM_NEWROUTE, head, all)).empty());
  head = route_head(24);
  head.rtm_src_len = 24;
  EXPECT_TRUE(parse_route(message(RTM_NEWROUTE, head, all)).empty());
  head = route_head(24);
  head.rtm_flags = RTNH_F_DEAD;
  EXPECT_TRUE(parse_route(message(RTM_NEWROUTE, head, all)).empty());
}

fib_rule_hdr rule_head(unsigned char action, unsigned char from = 0, unsigned char to = 0) {
  fib_rule_hdr head{};
  head.family = AF_INET;
  head.src_len = from;
  head.dst_len = to;
  head.action = action;
  head.table = RT_TABLE_MAIN;
  return head;
}

Buffer full_rule() {
  Attributes all;
  all.address(FRA_SRC, "10.101.1.0")
      .address(FRA_DST, "10.101.2.0")
      .text(FRA_IIFNAME, "br-prd")
      .value(FRA_PRIORITY, std::uint32_t{100})
      .value(FRA_FWMARK, std::uint32_t{1})
      .value(FRA_FWMASK, std::uint32_t{0xff})
      .value(FRA_TABLE, std::uint32_t{1000})
      .value(FRA_SUPPRESS_PREFIXLEN, std::uint32_t{0})
      .value(FRA_SUPPRESS_IFGROUP, std::int32_t{-1})
      .value(FRA_IP_PROTO, std::uint8_t{6})
      .value(FRA_DPORT_RANGE, fib_rule_port_range{80, 90})
      .value(FRA_UID_RANGE, fib_rule_uid_range{0, 0});
  auto head = rule_head(FR_ACT_TO_TBL, 24, 24);
  head.flags = FIB_RULE_INVERT;
  return message(RTM_NEWRULE, head, all);
}

TEST(ParseRule, ReadsWhatItAsksForAndWhatItDoes) {
  const auto rule = parse_rule(full_rule());
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->source, net("10.101.1.0/24"));
  EXPECT_EQ(rule->table, 1000u);
  EXPECT_EQ(rule->text(),
            "100: not from 10.101.1.0/24 to 10.101.2.0/24 fwmark 0x1/0xff iif br-prd ipproto 6 "
            "dport 80-90 uidrange 0 lookup 1000 suppress_prefixlength 0");
  for_each_truncation(full_rule(), [](const Buffer& cut) { (void)parse_rule(cut); });
}

TEST(ParseRule, EveryActionAndWhatIsNewer) {
  const auto text = [](unsigned char action, const Attributes& all = {}) {
    return parse_rule(message(RTM_NEWRULE, rule_head(action), all))->text();
  };
  EXPECT_EQ(text(FR_ACT_TO_TBL), "0: from all lookup main");
  EXPECT_EQ(text(FR_ACT_BLACKHOLE), "0: from all blackhole");
  EXPECT_EQ(text(FR_ACT_UNREACHABLE), "0: from all unreachable");
  EXPECT_EQ(text(FR_ACT_PROHIBIT), "0: from all prohibit");
  EXPECT_EQ(text(FR_ACT_NOP), "0: from all nop");
  EXPECT_EQ(text(FR_ACT_GOTO, Attributes().value(FRA_GOTO, std::uint32_t{5})),
            "0: from all goto 5");
  EXPECT_EQ(parse_rule(message(RTM_NEWRULE, rule_head(99)))->action, RuleAction::kOther);
  // Before there were masks a mark alone meant all of its bits; an attribute nobody knows decides.
  EXPECT_EQ(text(FR_ACT_TO_TBL, Attributes().value(FRA_FWMARK, std::uint32_t{7})),
            "0: from all fwmark 0x7 lookup main");
  EXPECT_EQ(text(FR_ACT_TO_TBL, Attributes().value(200, std::uint8_t{1})),
            "0: from all condition 200 lookup main");
  EXPECT_EQ(text(FR_ACT_TO_TBL, Attributes().value(FRA_L3MDEV, std::uint8_t{1})),
            "0: from all lookup [l3mdev-table]");
}

TEST(ParseRule, RefusesWhatContradictsItself) {
  EXPECT_FALSE(parse_rule(message(RTM_NEWRULE, rule_head(FR_ACT_TO_TBL, 33))));
  EXPECT_FALSE(parse_rule(message(RTM_NEWRULE, rule_head(FR_ACT_TO_TBL, 0, 33))));
  auto other = rule_head(FR_ACT_TO_TBL);
  other.family = AF_PACKET;
  EXPECT_FALSE(parse_rule(message(RTM_NEWRULE, other)));
}

ndmsg neighbour_head(unsigned char family, int state) {
  ndmsg head{};
  head.ndm_family = family;
  head.ndm_ifindex = 3;
  head.ndm_state = static_cast<std::uint16_t>(state);
  return head;
}

Attributes neighbour(const std::string& address) {
  Attributes all;
  all.address(NDA_DST, address).raw(NDA_LLADDR, kMac.data(), kMac.size());
  return all;
}

TEST(ParseNeighbour, OnlyUsableStates) {
  const auto all = neighbour("10.45.0.12");
  for (const int state : {NUD_REACHABLE, NUD_STALE, NUD_DELAY, NUD_PROBE, NUD_PERMANENT}) {
    const auto fact = parse_neighbour(message(RTM_NEWNEIGH, neighbour_head(AF_INET, state), all));
    ASSERT_TRUE(fact) << state;
    EXPECT_EQ(fact->address, addr("10.45.0.12"));
    EXPECT_EQ(fact->mac, kMac);
  }
  for (const int state : {NUD_INCOMPLETE, NUD_FAILED, NUD_NOARP, NUD_NONE})
    EXPECT_FALSE(parse_neighbour(message(RTM_NEWNEIGH, neighbour_head(AF_INET, state), all)))
        << state;
}

TEST(ParseFdb, OnlyWhatABridgeReports) {
  Attributes all;
  all.raw(NDA_LLADDR, kMac.data(), kMac.size()).value(NDA_MASTER, 2);
  const auto learnt =
      parse_fdb(message(RTM_NEWNEIGH, neighbour_head(AF_BRIDGE, NUD_REACHABLE), all));
  ASSERT_TRUE(learnt);
  EXPECT_EQ(learnt->bridge, 2);
  EXPECT_EQ(learnt->port, 3);
  EXPECT_FALSE(learnt->local);
  EXPECT_TRUE(
      parse_fdb(message(RTM_NEWNEIGH, neighbour_head(AF_BRIDGE, NUD_PERMANENT), all))->local);
  Attributes self;
  self.raw(NDA_LLADDR, kMac.data(), kMac.size());
  EXPECT_FALSE(parse_fdb(message(RTM_NEWNEIGH, neighbour_head(AF_BRIDGE, NUD_PERMANENT), self)));
  EXPECT_FALSE(parse_fdb(message(RTM_NEWNEIGH, neighbour_head(AF_INET, NUD_REACHABLE), all)));
}

void parse_all(const Buffer& bytes) {
  (void)parse_link(bytes);
  (void)parse_link_event(bytes);
  (void)parse_address(bytes);
  (void)parse_route(bytes);
  (void)parse_neighbour(bytes);
  (void)parse_fdb(bytes);
}

TEST(RouteParsers, SurviveEveryTruncationAndNoise) {
  std::mt19937 random(7);
  for (const auto& whole :
       {vlan_link(), message(RTM_NEWROUTE, route_head(24), via("10.45.0.12", 4)),
        message(RTM_NEWNEIGH, neighbour_head(AF_INET, NUD_STALE), neighbour("10.45.0.12"))}) {
    for_each_truncation(whole, parse_all);
    for (int round = 0; round < 2000; ++round) {
      auto noisy = whole;
      for (int flips = 0; flips < 4; ++flips)
        noisy[random() % noisy.size()] = static_cast<std::uint8_t>(random());
      parse_all(noisy);
    }
  }
  // A truncated link is no link at all or one with fewer attributes, never one of garbage.
  for_each_truncation(vlan_link(), [](const Buffer& cut) {
    const auto link = parse_link(cut);
    EXPECT_TRUE(!link || link->name == "eth0.100");
  });
}

TEST(ForEachMessage, StopsAtALyingLength) {
  auto two = vlan_link();
  const auto second = vlan_link();
  two.insert(two.end(), second.begin(), second.end());
  int seen = 0;
  const auto count = [&](const nlmsghdr&, Bytes) { ++seen; };
  EXPECT_EQ(for_each_message(two, count), 0u);
  EXPECT_EQ(seen, 2);
  const std::uint32_t lie = 100'000;
  std::memcpy(two.data() + second.size(), &lie, sizeof lie);
  seen = 0;
  EXPECT_EQ(for_each_message(two, count), second.size());
  EXPECT_EQ(seen, 1);
}

Changes after(const Buffer& bytes) {
  Changes changes;
  note_route_event(*read_as<nlmsghdr>(bytes), bytes, changes);
  return changes;
}

TEST(NoteRouteEvent, SaysWhatKindChanged) {
  const auto seen = after(vlan_link());
  EXPECT_TRUE(seen.links && seen.routes);
  EXPECT_EQ(seen.links_seen, std::vector<int>{5});
  const auto gone = after(message(RTM_DELLINK, link_head(5)));
  EXPECT_EQ(gone.links_gone, std::vector<int>{5});
  EXPECT_TRUE(gone.links_seen.empty());
  EXPECT_EQ(after(message(RTM_DELLINK, link_head(5, AF_BRIDGE))).links_seen, std::vector<int>{5});
  EXPECT_TRUE(after(message(RTM_DELADDR, address_head(AF_INET, 24))).addresses);
  EXPECT_TRUE(after(message(RTM_DELADDR, address_head(AF_INET, 24))).routes);
  EXPECT_TRUE(after(message(RTM_NEWROUTE, route_head(24))).routes);
  EXPECT_TRUE(after(message(RTM_NEWNEIGH, neighbour_head(AF_INET6, NUD_STALE))).neighbours);
  const auto fdb = after(message(RTM_DELNEIGH, neighbour_head(AF_BRIDGE, NUD_STALE)));
  EXPECT_TRUE(fdb.fdb);
  EXPECT_FALSE(fdb.neighbours);
  EXPECT_FALSE(Changes{}.any());
}

}  // namespace
}  // namespace espial
