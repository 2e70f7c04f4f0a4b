// SPDX-License-Identifier: Apache-2.0
// RouteIndex against the kernel: rules and routes by chance, in network namespaces of this test,
// and the kernel's own answer (RTM_GETROUTE with RTM_F_FIB_MATCH) for packets by chance. The two
// must agree, or RouteIndex must say that it does not know; its share is printed.
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>

#include "diagnose/lookup/route_index.h"
#include "firewall/random_rules.h"
#include "netns/ip_batch.h"
#include "sources/netlink/kernel_watch.h"
#include "sources/netlink/route_parse.h"
#include "unit/facts_builder.h"
#include "unit/netlink_message.h"

namespace espial {
namespace {

using test::addr;
using test::Attributes;
using test::Dice;
using test::net;

constexpr std::uint64_t kSeed = 20261123;
constexpr int kWorlds = 120;
constexpr int kPackets = 60;  // of each world and family

// Two octets and a few lengths, so that prefixes nest and packets meet them.
std::string prefix(Dice& dice, bool v6) {
  const auto one = std::to_string(dice.roll(3));
  const auto two = std::to_string(dice.roll(3));
  switch (dice.roll(5)) {
    case 0:
      return v6 ? "::/0" : "0.0.0.0/0";
    case 1:
      return v6 ? "fd10:" + one + "::/32" : "10." + one + ".0.0/16";
    case 2:
      return v6 ? "fd10:" + one + ":" + two + "::/48" : "10." + one + "." + two + ".0/24";
    case 3:
      return v6 ? "fd10:" + one + ":" + two + "::1/128" : "10." + one + "." + two + ".1/32";
    default:
      return v6 ? "fd10::/16" : "10.0.0.0/8";
  }
}

std::string own_prefix(Dice& dice, bool v6) {
  const auto device = std::to_string(dice.roll(3));
  return v6 ? "fd30:" + device + "::/64" : "172.30." + device + ".0/24";
}

std::string table(Dice& dice) { return dice.pick({"main", "default", "101", "102", "103", "220"}); }

std::string random_route(Dice& dice, bool v6) {
  const std::string kind =
      dice.pick({"", "", "", "", "blackhole ", "unreachable ", "prohibit ", "throw "});
  auto line = "route add " + kind + prefix(dice, v6);
  if (kind.empty()) {
    const auto device = std::to_string(dice.roll(3));
    if (dice.one_in(2)) line += v6 ? " via fd30:" + device + "::9" : " via 172.30." + device + ".9";
    line += " dev d" + device;
  }
  line += " table " + table(dice);
  if (dice.one_in(3)) line += " metric " + std::to_string(1 + dice.roll(9));
  return line + "\n";
}

std::string selector(Dice& dice, bool v6) {
  std::string line;
  if (dice.one_in(8)) line += " not";
  if (dice.one_in(2)) line += " from " + (dice.one_in(2) ? own_prefix(dice, v6) : prefix(dice, v6));
  if (dice.one_in(2)) line += " to " + prefix(dice, v6);
  if (dice.one_in(4)) line += " iif " + dice.pick({"lo", "d0", "d1", "gone"});
  if (dice.one_in(8)) line += " oif " + dice.pick({"d0", "gone"});
  if (dice.one_in(6)) line += " fwmark " + dice.pick({"0x1", "0x0/0xf", "0x10/0x30"});
  if (dice.one_in(8)) line += dice.pick({" uidrange 4000-5000", " ipproto tcp", " dport 443"});
  return line;
}

std::string random_rule(Dice& dice, bool v6) {
  auto line = "rule add priority " + std::to_string(10 + dice.roll(40)) + selector(dice, v6);
  switch (dice.roll(10)) {
    case 0:
      return line + dice.pick({" blackhole\n", " unreachable\n", " prohibit\n"});
    case 1:
      return line + " goto " + std::to_string(30 + dice.roll(30)) + "\n";
    case 2:
      return line + " nop\n";
    case 3:
      return line + " lookup " + table(dice) + " suppress_prefixlength " +
             dice.pick({"0", "8", "16", "32"}) + "\n";
    default:
      return line + " lookup " + table(dice) + "\n";
  }
}

// Lines that contradict one another are refused, which is as good as not there.
bool build(Dice& dice) {
  std::string links = "link set lo up\n";
  for (const std::string n : {"0", "1", "2"})
    links += "link add d" + n + " type veth peer name far" + n + "\nlink set d" + n +
             " up\nlink set far" + n + " up\naddr add 172.30." + n + ".1/24 dev d" + n +
             "\naddr add fd30:" + n + "::1/64 dev d" + n + " nodad\n";
  if (!test::ip(links)) return false;
  std::string four;
  std::string six;
  for (int i = 0; i < 14; ++i) {
    four += random_route(dice, false);
    six += random_route(dice, true);
  }
  for (unsigned i = dice.roll(8); i > 0; --i) {
    four += random_rule(dice, false);
    six += random_rule(dice, true);
  }
  (void)test::ip(four, "ip -4 -force 2>/dev/null");
  (void)test::ip(six, "ip -6 -force 2>/dev/null");
  return std::system(
             "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 "
             "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 "
             "net.ipv4.conf.d0.rp_filter=0 net.ipv4.conf.d1.rp_filter=0 "
             "net.ipv4.conf.d2.rp_filter=0") == 0;
}

struct Packet {
  IpAddress destination;
  std::optional<IpAddress> source;
  const LinkFact* iif = nullptr;

  [[nodiscard]] std::string text() const {
    return destination.text() + (source ? " from " + source->text() : "") +
           (iif ? " iif " + iif->name : "");
  }
};

Packet random_packet(Dice& dice, bool v6, const KernelFacts& facts) {
  const auto address = [&] {
    const auto one = std::to_string(dice.roll(4));
    const auto two = std::to_string(dice.roll(4));
    const auto last = std::to_string(1 + dice.roll(2));
    return addr(v6 ? "fd10:" + one + ":" + two + "::" + last
                   : "10." + one + "." + two + "." + last);
  };
  Packet packet{address(), {}, nullptr};
  const auto device = dice.roll(3);
  if (dice.one_in(2)) {
    for (const auto& link : facts.links)
      if (link.name == "d" + std::to_string(device)) packet.iif = &link;
    packet.source = address();
  } else if (dice.one_in(2)) {  // only what is ours can be sent from
    const auto n = std::to_string(device);
    packet.source = addr(v6 ? "fd30:" + n + "::1" : "172.30." + n + ".1");
  }
  return packet;
}

struct KernelAnswer {
  int error = 0;
  std::optional<RouteFact> route;
};

Result<KernelAnswer> ask_kernel(NetlinkSocket& socket, const Packet& packet) {
  rtmsg head{};
  const bool v6 = packet.destination.family() == Family::kIpv6;
  head.rtm_family = v6 ? AF_INET6 : AF_INET;
  head.rtm_dst_len = static_cast<unsigned char>(packet.destination.bits());
  // IPv6 says the table anyhow, and refuses to be asked for it.
  head.rtm_flags = v6 ? RTM_F_FIB_MATCH : RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE;
  Attributes all;
  all.address(RTA_DST, packet.destination.text());
  if (packet.source) {
    head.rtm_src_len = static_cast<unsigned char>(packet.source->bits());
    all.address(RTA_SRC, packet.source->text());
  }
  if (packet.iif != nullptr) all.value(RTA_IIF, packet.iif->ifindex);
  const auto whole = test::message(RTM_GETROUTE, head, all);
  KernelAnswer answer;
  EP_ASSIGN(error, socket.request(RTM_GETROUTE, Bytes(whole).subspan(sizeof(nlmsghdr)),
                                  [&](const nlmsghdr& reply, Bytes message) {
                                    if (reply.nlmsg_type != RTM_NEWROUTE) return;
                                    const auto routes = parse_route(message);
                                    if (!routes.empty()) answer.route = routes.front();
                                  }));
  answer.error = error;
  return answer;
}

std::string text(const RouteFact& route) {
  return route.text() + " oif " + std::to_string(route.oif) + " metric " +
         std::to_string(route.metric);
}

std::string text(const KernelAnswer& answer) {
  if (answer.route && answer.route->kind == RouteKind::kUnicast) return text(*answer.route);
  return "none";
}

std::string text(const RouteAnswer& answer) {
  return answer.kind == RouteAnswer::Kind::kRoute ? text(*answer.route) : "none";
}

class RouteIndexKernel : public testing::Test {
 protected:
  struct Tally {
    int asked = 0;
    int routed = 0;
    int rejected = 0;
    int unknown = 0;
  };

  void play(std::uint64_t seed) {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0) << "needs root";
    Dice dice(seed);
    ASSERT_TRUE(build(dice));
    auto watch = KernelWatch::open();
    ASSERT_TRUE(watch.ok()) << watch.error().message;
    const auto facts = watch->read();
    ASSERT_TRUE(facts.ok()) << facts.error().message;
    auto socket = NetlinkSocket::open(NETLINK_ROUTE, "rtnetlink");
    ASSERT_TRUE(socket.ok());
    const RouteIndex index(*facts);
    for (int i = 0; i < kPackets; ++i)
      for (const bool v6 : {false, true}) {
        const auto packet = random_packet(dice, v6, *facts);
        const auto kernel = ask_kernel(*socket, packet);
        ASSERT_TRUE(kernel.ok()) << kernel.error().message;
        compare(*facts, packet, *kernel, index, seed);
      }
  }

  void compare(const KernelFacts& facts, const Packet& packet, const KernelAnswer& kernel,
               const RouteIndex& index, std::uint64_t seed) {
    RouteQuery query{Prefix(packet.destination, packet.destination.bits()), {}, packet.iif};
    if (packet.source) query.source.emplace(*packet.source, packet.source->bits());
    const auto ours = index.ask(query);
    ++tally_.asked;
    if (ours.kind == RouteAnswer::Kind::kUnknown) {
      ++tally_.unknown;
      return;
    }
    tally_.routed += ours.kind == RouteAnswer::Kind::kRoute;
    tally_.rejected += ours.kind == RouteAnswer::Kind::kRejected;
    std::string rules;
    for (const auto& rule : facts.rules) rules += "\n  " + rule.text();
    for (const auto& route : facts.routes)
      if (route.destination.contains(packet.destination)) rules += "\n  " + text(route);
    EXPECT_EQ(text(ours), text(kernel))
        << "seed " << seed << ": " << packet.text() << ", kernel: error " << kernel.error << rules;
    // What these two errors mean no missing route does.
    if (kernel.error == EACCES || (kernel.error == EINVAL && packet.iif == nullptr)) {
      EXPECT_EQ(ours.kind, RouteAnswer::Kind::kRejected)
          << "seed " << seed << ": " << packet.text();
    }
  }

  Tally tally_;
};

TEST_F(RouteIndexKernel, AgreesOnRulesAndRoutesByChance) {
  for (int world = 0; world < kWorlds && !HasFailure(); ++world)
    play(kSeed + static_cast<std::uint64_t>(world));
  printf("%d packets in %d worlds from seed %llu: %d routed, %d rejected, %d unknown (%.1f %%)\n",
         tally_.asked, kWorlds, static_cast<unsigned long long>(kSeed), tally_.routed,
         tally_.rejected, tally_.unknown, 100.0 * tally_.unknown / tally_.asked);
  EXPECT_GT(tally_.routed, tally_.asked / 5);
  EXPECT_GT(tally_.rejected, tally_.asked / 20);
  EXPECT_LT(tally_.unknown, tally_.asked / 5);
}

}  // namespace
}  // namespace espial
