// SPDX-License-Identifier: Apache-2.0
// Drop attribution on the running kernel: what each hook drops equals the rule's own counter, and
// what is no loss of this node's counts nothing.
#include "kernel/counters/drops.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/capability.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>

#include "kernel/counters/counters.h"
#include "kernel/peers/mode_map.h"
#include "netns/drop_world.h"
#include "unit/processor_time.h"

namespace espial {
namespace {

using namespace drop_world;

constexpr int kPings = 20;

class Drop : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(set_up());
    programs_ = load();
    drops_ = Drops::start(*programs_);
    ASSERT_TRUE(drops_->running()) << drops_->why();
  }

  static Programs load() {
    ProgramLimits limits;
    limits.max_peers = 16;
    limits.max_subnets = 64;
    limits.xdp = true;
    auto programs = Programs::load("", limits);
    EXPECT_TRUE(programs.ok()) << programs.error().message;
    const auto prefix = [](const char* text) { return Prefix::parse(text).value(); };
    TableSpec spec;
    spec.entries = {{prefix("10.101.1.0/24"), EP_ROLE_SELF_BACKEND, 0, 0, true},
                    {prefix("fd00:101:1::/64"), EP_ROLE_SELF_BACKEND, 0, 0, true},
                    {prefix("10.45.0.11/32"), EP_ROLE_SELF_UNDERLAY, 0, 0, true},
                    {prefix("fd00:45::11/128"), EP_ROLE_SELF_UNDERLAY, 0, 0, true},
                    {prefix("10.45.0.12/32"), EP_ROLE_PEER_UNDERLAY, 1, 0, true},
                    {prefix("fd00:45::12/128"), EP_ROLE_PEER_UNDERLAY, 1, 0, true},
                    {prefix("10.101.2.0/24"), EP_ROLE_PEER_BACKEND, 1, 0, true},
                    {prefix("fd00:101:2::/64"), EP_ROLE_PEER_BACKEND, 1, 0, true}};
    EXPECT_TRUE(programs->set_table(spec).ok());
    return std::move(*programs);
  }

  KernelDrops counted() { return drops_->peer(1, "far").value(); }

  // Everything that was counted is this, and the rules' counters say the same.
  void expect_only(Hook hook, Family family) {
    const auto drops = counted();
    const auto wanted = nft_packets();
    EXPECT_GE(wanted, static_cast<std::uint64_t>(kPings)) << "the rule dropped nothing";
    for (std::size_t h = 0; h < kHooks; ++h)
      for (std::size_t f = 0; f < kFamilies; ++f)
        EXPECT_EQ(drops.netfilter[h][f], h == at(hook) && f == at(family) ? wanted : 0)
            << kHookLabels[h] << " " << f;
    const std::map<std::string, std::uint64_t> reasons{{"NETFILTER_DROP", wanted}};
    EXPECT_EQ(drops.reasons, reasons);
  }

  void expect_reason(const std::string& reason, std::uint64_t packets) {
    const std::map<std::string, std::uint64_t> wanted{{reason, packets}};
    EXPECT_EQ(counted().reasons, wanted);
    EXPECT_EQ(counted().netfilter, KernelDrops{}.netfilter);
  }

  std::optional<Programs> programs_;
  std::optional<Drops> drops_;
};

void add_rule(const std::string& family, const std::string& hook, const std::string& match,
              const std::string& where = "") {
  const auto nft = (where.empty() ? "" : "ip netns exec " + where + " ") + std::string("nft ");
  ASSERT_TRUE(run(nft + "'add table " + family + " t; add chain " + family +
                  " t c { type filter hook " + hook + " priority 0; }; add rule " + family +
                  " t c " + match + " counter drop'"));
}

struct HookCase {
  const char* hook;
  const char* match4;
  const char* match6;
  const char* from;  // where ping runs
  const char* ping4;
  const char* ping6;
  Hook wanted;
};
constexpr const char* kOut4 = "10.101.2.10";
constexpr const char* kOut6 = "fd00:101:2::10";
constexpr const char* kIn4 = "-I 10.101.2.10 10.101.1.1";
constexpr const char* kIn6 = "-I fd00:101:2::10 fd00:101:1::1";
const std::array kHookCases{
    HookCase{"prerouting", "ip daddr 10.101.2.0/24", "ip6 daddr fd00:101:2::/64", "pod", kOut4,
             kOut6, Hook::PREROUTING},
    HookCase{"input", "ip saddr 10.101.2.0/24", "ip6 saddr fd00:101:2::/64", "far", kIn4, kIn6,
             Hook::INPUT},
    HookCase{"forward", "ip daddr 10.101.2.0/24", "ip6 daddr fd00:101:2::/64", "pod", kOut4, kOut6,
             Hook::FORWARD},
    HookCase{"output", "ip daddr 10.101.2.0/24", "ip6 daddr fd00:101:2::/64", "",
             "-I 10.101.1.1 10.101.2.10", "-I fd00:101:1::1 fd00:101:2::10", Hook::OUTPUT},
    HookCase{"postrouting", "ip daddr 10.101.2.0/24", "ip6 daddr fd00:101:2::/64", "pod", kOut4,
             kOut6, Hook::POSTROUTING},
};

TEST_F(Drop, EveryHookOfBothFamiliesEqualsTheRulesOwnCounter) {
  for (const auto& c : kHookCases)
    for (const bool v6 : {false, true}) {
      SCOPED_TRACE(std::string(c.hook) + (v6 ? " ipv6" : " ipv4"));
      drops_ = Drops::start(*programs_);
      ASSERT_TRUE(drops_->running()) << drops_->why();
      ASSERT_NO_FATAL_FAILURE(add_rule("inet", c.hook, v6 ? c.match6 : c.match4));
      EXPECT_FALSE(ping(c.from, v6 ? c.ping6 : c.ping4, kPings));
      expect_only(c.wanted, v6 ? Family::kIpv6 : Family::kIpv4);
      ASSERT_TRUE(run("nft flush ruleset"));
    }
  EXPECT_EQ(drops_->missed(), 0U);
}

TEST_F(Drop, EveryWayToAttachSeesTheSame) {
  ASSERT_EQ(mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, nullptr), 0);
  for (const unsigned way : {1U, 2U, 4U}) {
    ASSERT_TRUE(run("nft flush ruleset"));
    ASSERT_NO_FATAL_FAILURE(add_rule("ip", "forward", "ip daddr 10.101.2.0/24"));
    drops_ = Drops::start(*programs_, way);
    ASSERT_TRUE(drops_->running()) << drops_->why();
    SCOPED_TRACE(drops_->way());
    EXPECT_FALSE(ping("pod", kOut4, kPings));
    expect_only(Hook::FORWARD, Family::kIpv4);
  }
}

TEST_F(Drop, IptablesLegacyForwardPolicy) {
  ASSERT_TRUE(run("iptables-legacy -P FORWARD DROP && ip6tables-legacy -P FORWARD DROP"));
  EXPECT_FALSE(ping("pod", kOut4, kPings));
  EXPECT_FALSE(ping("pod", kOut6, kPings));
  const auto drops = counted();
  EXPECT_EQ(drops.netfilter[at(Hook::FORWARD)][0], static_cast<std::uint64_t>(kPings));
  EXPECT_EQ(drops.netfilter[at(Hook::FORWARD)][1], static_cast<std::uint64_t>(kPings));
  const auto policy = output_of(
      "iptables-legacy -vxnL FORWARD | sed -n 's/.*policy DROP \\([0-9]*\\) packets.*/\\1/p'");
  EXPECT_EQ(std::strtoull(policy.c_str(), nullptr, 10), drops.netfilter[at(Hook::FORWARD)][0]);
}

TEST_F(Drop, ReversePathFilterAndForwardingOff) {
  // The way back to the pod's network would be by another device.
  ASSERT_TRUE(
      run("sysctl -qw net.ipv4.conf.up0.rp_filter=1 && "
          "ip route replace 10.101.2.0/24 via 10.101.1.10"));
  EXPECT_FALSE(ping("far", "-I 10.101.2.10 10.101.1.10", kPings));
  expect_reason("IP_RPFILTER", kPings);
  ASSERT_TRUE(
      run("sysctl -qw net.ipv4.conf.up0.rp_filter=0 net.ipv4.ip_forward=0 && "
          "ip route replace 10.101.2.0/24 via 10.45.0.12"));
  drops_ = Drops::start(*programs_);
  EXPECT_FALSE(ping("pod", kOut4, kPings));
  const auto drops = counted();
  std::uint64_t sum = 0;
  for (const auto& [reason, packets] : drops.reasons) {
    sum += packets;
    RecordProperty(reason, static_cast<int>(packets));
  }
  EXPECT_EQ(sum, static_cast<std::uint64_t>(kPings)) << ::testing::PrintToString(drops.reasons);
}

TEST_F(Drop, IkeAndEspBetweenUnderlaysCountOthersDoNot) {
  ASSERT_NO_FATAL_FAILURE(add_rule("inet", "output", "ip daddr 10.45.0.12"));
  ASSERT_TRUE(run("ping -q -c 1 -W 0.1 10.45.0.12; true"));
  EXPECT_EQ(counted(), KernelDrops{});
  // The application sees EPERM.
  ASSERT_TRUE(run("bash -c 'for i in 1 2 3; do echo x > /dev/udp/10.45.0.12/500; done; true'"));
  ASSERT_TRUE(run("bash -c 'for i in 1 2 3; do echo x > /dev/udp/10.45.0.12/4500; done; true'"));
  ASSERT_TRUE(run("bash -c 'for i in 1 2 3; do echo x > /dev/udp/10.45.0.12/4501; done; true'"));
  EXPECT_EQ(counted().netfilter[at(Hook::OUTPUT)][0], 6U);
}

TEST_F(Drop, ForeignNamespacesAndHealthyTrafficCountNothing) {
  // The same packets, dropped by others of this kernel.
  ASSERT_NO_FATAL_FAILURE(add_rule("inet", "output", "ip daddr 10.101.2.0/24", "pod"));
  EXPECT_FALSE(ping("pod", kOut4, kPings));
  ASSERT_TRUE(run("ip netns exec pod nft flush ruleset"));
  ASSERT_NO_FATAL_FAILURE(add_rule("inet", "prerouting", "ip daddr 10.101.2.0/24", "far"));
  EXPECT_FALSE(ping("pod", kOut4, kPings));
  ASSERT_TRUE(run("ip netns exec far nft flush ruleset"));
  EXPECT_EQ(counted(), KernelDrops{});
  EXPECT_TRUE(ping("pod", kOut4, kPings));
  EXPECT_TRUE(ping("pod", kOut6, kPings));
  EXPECT_TRUE(ping("", "-I 10.101.1.1 10.101.2.10", kPings));  // its raw socket, too
  EXPECT_EQ(counted(), KernelDrops{}) << ::testing::PrintToString(counted().reasons);
}

// A packet socket that nobody reads overflows: its copies are no loss.
TEST_F(Drop, CopiesForPacketSocketsAreNoLoss) {
  std::array<UniqueFd, 2> taps;
  for (std::size_t i = 0; i < taps.size(); ++i) {
    taps[i] = UniqueFd(socket(AF_PACKET, SOCK_RAW, htons(0x0003)));
    ASSERT_TRUE(taps[i].valid());
    const int tiny = 1;
    ASSERT_EQ(setsockopt(taps[i].get(), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
  }
  EXPECT_TRUE(ping("pod", kOut4, 100));
  EXPECT_TRUE(ping("pod", kOut6, 100));
  tpacket_stats stats{};
  socklen_t size = sizeof(stats);
  ASSERT_EQ(getsockopt(taps[0].get(), SOL_PACKET, PACKET_STATISTICS, &stats, &size), 0);
  EXPECT_GT(stats.tp_drops, 100U) << "no tap overflowed: nothing was tested";
  EXPECT_EQ(counted(), KernelDrops{}) << ::testing::PrintToString(counted().reasons);
}

TEST_F(Drop, FlowsSayWhoLostPackets) {
  ASSERT_NO_FATAL_FAILURE(add_rule("inet", "forward", "ip daddr 10.101.2.0/24"));
  EXPECT_FALSE(ping("pod", kOut4, kPings));
  const auto flows = drops_->flows(Identities{});
  ASSERT_TRUE(flows.ok());
  ASSERT_EQ(flows->size(), 1U);
  const auto& flow = flows->front();
  EXPECT_EQ(flow.source.text(), "10.101.1.10");
  EXPECT_EQ(flow.destination.text(), "10.101.2.10");
  EXPECT_EQ(flow.protocol, 1);
  EXPECT_EQ(flow.direction, Direction::TRANSMIT);
  EXPECT_EQ(flow.device, "pod0");
  EXPECT_EQ(flow.reason, "NETFILTER_DROP");
  EXPECT_EQ(flow.hook, Hook::FORWARD);
  EXPECT_EQ(flow.packets, static_cast<std::uint64_t>(kPings));
}

// An index that another peer takes over begins at zero, and never goes back.
TEST_F(Drop, AnIndexThatChangesHandsBeginsAtZero) {
  ASSERT_NO_FATAL_FAILURE(add_rule("inet", "forward", "ip daddr 10.101.2.0/24"));
  EXPECT_FALSE(ping("pod", kOut4, kPings));
  EXPECT_EQ(counted().netfilter[at(Hook::FORWARD)][0], static_cast<std::uint64_t>(kPings));
  EXPECT_EQ(drops_->peer(1, "new").value(), KernelDrops{});
  EXPECT_FALSE(ping("pod", kOut4, kPings));
  EXPECT_EQ(drops_->peer(1, "new").value().netfilter[at(Hook::FORWARD)][0],
            static_cast<std::uint64_t>(kPings));
}

// What espial's own tc program drops is counted by it, and another's tc drops are the kernel's.
TEST_F(Drop, OwnDropsAreNotTheKernelsOthersAre) {
  ASSERT_TRUE(write_mode_entry(programs_->map_fd(MapId::kPolicy), 1, {Mode::ENFORCE, {}}).ok());
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(if_nametoindex("up0")),
              .attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
  ASSERT_EQ(bpf_tc_hook_create(&hook), 0);
  hook.attach_point = BPF_TC_EGRESS;
  LIBBPF_OPTS(bpf_tc_opts, own,
              .prog_fd = programs_->program_fd(Direction::TRANSMIT, DeviceRole::kWire, true),
              .handle = 1, .priority = 2);
  ASSERT_EQ(bpf_tc_attach(&hook, &own), 0);
  EXPECT_FALSE(ping("pod", kOut4, kPings));
  const auto maps = Maps::of(*programs_);
  CounterReader reader;
  const auto enforced = [&] {
    return reader.peer(*maps, 1)
        ->enforced[at(Action::kDrop)][at(Direction::TRANSMIT)][at(Reason::CLEARTEXT)]
        .packets;
  };
  EXPECT_EQ(enforced(), static_cast<std::uint64_t>(kPings));
  EXPECT_EQ(counted(), KernelDrops{}) << ::testing::PrintToString(counted().reasons);
  // A daemon that starts again and adopts the program, whose drops were counted before.
  drops_.reset();
  drops_ = Drops::start(*programs_);
  // Another espial's program, in front of ours: somebody else's as far as we know.
  const auto others = load();
  ASSERT_TRUE(write_mode_entry(others.map_fd(MapId::kPolicy), 1, {Mode::ENFORCE, {}}).ok());
  LIBBPF_OPTS(bpf_tc_opts, other,
              .prog_fd = others.program_fd(Direction::TRANSMIT, DeviceRole::kWire, true),
              .handle = 1, .priority = 1);
  ASSERT_EQ(bpf_tc_attach(&hook, &other), 0);
  EXPECT_FALSE(ping("pod", kOut4, kPings));
  EXPECT_EQ(enforced(), static_cast<std::uint64_t>(kPings));
  expect_reason("TC_EGRESS", kPings);
  LIBBPF_OPTS(bpf_tc_opts, gone, .handle = 1, .priority = 1);
  ASSERT_EQ(bpf_tc_detach(&hook, &gone), 0);
  EXPECT_FALSE(ping("pod", kOut4, kPings));
  EXPECT_EQ(enforced(), static_cast<std::uint64_t>(2 * kPings));
  expect_reason("TC_EGRESS", kPings);
}

// A limit: a veth gives its XDP program skbs, and what that drops is the kernel's without a reason.
TEST_F(Drop, WhatXdpDropsOnAVethCountsAsTheKernels) {
  ASSERT_TRUE(write_mode_entry(programs_->map_fd(MapId::kPolicy), 1, {Mode::ENFORCE, {}}).ok());
  ASSERT_EQ(bpf_xdp_attach(static_cast<int>(if_nametoindex("up0")), programs_->xdp_fd(),
                           XDP_FLAGS_DRV_MODE, nullptr),
            0);
  EXPECT_FALSE(ping("far", "-I 10.101.2.10 10.101.1.10", kPings));
  const auto maps = Maps::of(*programs_);
  CounterReader reader;
  EXPECT_EQ(reader.peer(*maps, 1)
                ->enforced[at(Action::kDrop)][at(Direction::RECEIVE)][at(Reason::CLEARTEXT)]
                .packets,
            static_cast<std::uint64_t>(kPings));
  expect_reason("NOT_SPECIFIED", kPings);
}

// What a dropped packet costs more, beside what it costs without attribution in the same run: in
// CPU time of this thread, which sends and drops, and the least of short slices, which a busy
// machine leaves undisturbed.
TEST_F(Drop, AFloodCostsLittle) {
  ASSERT_NO_FATAL_FAILURE(add_rule("inet", "output", "ip daddr 10.101.2.0/24"));
  const UniqueFd sock(socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(9);
  ASSERT_EQ(inet_pton(AF_INET, kOut4, &to.sin_addr), 1);
  constexpr int kPackets = 100'000;
  constexpr int kSlice = 500;
  constexpr double kMostTimes = 3;
  const auto spent = [] { return static_cast<double>(test::processor_time().count()); };
  const auto flood = [&] {
    double least = 1e9;
    for (int slice = 0; slice < kPackets / kSlice; ++slice) {
      const double start = spent();
      for (int i = 0; i < kSlice; ++i)
        (void)sendto(sock.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
      least = std::min(least, (spent() - start) / kSlice);
    }
    return least;
  };
  const auto before = counted().reasons["NETFILTER_DROP"];
  flood();  // warm
  EXPECT_EQ(counted().reasons["NETFILTER_DROP"] - before, static_cast<std::uint64_t>(kPackets));
  double with = 1e9;
  double without = 1e9;
  for (int round = 0; round < 3; ++round) {
    with = std::min(with, flood());
    drops_.reset();
    without = std::min(without, flood());
    drops_ = Drops::start(*programs_);
  }
  std::printf("dropped in OUTPUT: %.0f ns a packet with attribution, %.0f ns without: %.1f times\n",
              with, without, with / without);
  EXPECT_LT(with, kMostTimes * without);
}

TEST_F(Drop, WithoutTheCapabilityItSaysWhy) {
  drops_.reset();
  const auto caps = cap_get_proc();
  const cap_value_t perfmon[] = {CAP_PERFMON, CAP_SYS_ADMIN};
  cap_set_flag(caps, CAP_EFFECTIVE, 2, perfmon, CAP_CLEAR);
  ASSERT_EQ(cap_set_proc(caps), 0);
  const auto drops = Drops::start(*programs_);
  cap_set_flag(caps, CAP_EFFECTIVE, 2, perfmon, CAP_SET);
  ASSERT_EQ(cap_set_proc(caps), 0);
  cap_free(caps);
  EXPECT_FALSE(drops.running());
  EXPECT_NE(drops.why().find("CAP_PERFMON"), std::string::npos) << drops.why();
}

}  // namespace
}  // namespace espial
