// SPDX-License-Identifier: Apache-2.0
// The peer table as it is built and as the programs' own look-up reads it.
#include "kernel/table.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>

#include "host.h"
#include "kernel/peers/table_spec.h"
#include "kernel/prefix_key.h"
#include "kernel/table_fit.h"

namespace espial {
namespace {

Prefix prefix(const std::string& text) { return Prefix::parse(text).value(); }

struct Built {
  std::vector<std::byte> block;
  ep_table table;
};

Built build(const TableSpec& spec, std::uint32_t max_peers) {
  const auto capacity = TableCapacity::for_peers(max_peers);
  auto made = build_table(spec, capacity);
  EXPECT_TRUE(made.ok()) << made.error().message;
  Built built{std::move(made->block), {}};
  built.table = {reinterpret_cast<const ep_table_head*>(built.block.data()), capacity.slots};
  return built;
}

std::uint64_t word(const std::uint8_t* bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | bytes[i];
  return value;
}

ep_who look_up(const Built& built, const IpAddress& address) {
  const auto* bytes = address.bytes().data();
  if (address.family() == Family::kIpv4)
    return ep_host_lookup(&built.table, EP_FAMILY_IPV4, ~0ULL, word(bytes) >> 32 << 32);
  return ep_host_lookup(&built.table, EP_FAMILY_IPV6, word(bytes), word(bytes + 8));
}

ep_who look_up(const Built& built, const std::string& address) {
  return look_up(built, IpAddress::parse(address).value());
}

// Of an SA as the kernel has it: the peer whose underlay is its remote end.
std::uint32_t peer_of_sa(const Built& built, const std::string& remote) {
  const auto address = IpAddress::parse(remote).value();
  std::uint32_t words[4] = {};
  const auto bytes = address.bytes();
  std::memcpy(words, bytes.data(), bytes.size());
  const auto sa =
      ep_host_sa(htonl(0x1234), address.family() == Family::kIpv4 ? AF_INET : AF_INET6, words);
  EXPECT_EQ(sa.spi, 0x1234u);
  EXPECT_EQ(sa.present, 1);
  return ep_host_lookup(&built.table, sa.family, sa.remote_hi, sa.remote_lo).peer;
}

TEST(Table, KnowsTheRemoteEndOfAnSa) {
  TableSpec spec;
  spec.entries = {{prefix("10.45.0.12/32"), EP_ROLE_PEER_UNDERLAY, 1, 0, true},
                  {prefix("fd00:45::12/128"), EP_ROLE_PEER_UNDERLAY, 2, 0, true}};
  const auto built = build(spec, 16);
  EXPECT_EQ(peer_of_sa(built, "10.45.0.12"), 1u);
  EXPECT_EQ(peer_of_sa(built, "fd00:45::12"), 2u);
  EXPECT_EQ(peer_of_sa(built, "fd00:45::13"), 0u);
}

TEST(Table, TheLongestPrefixWinsInBothFamilies) {
  const auto built =
      build({.entries = {{prefix("10.101.0.0/16"), EP_ROLE_NETWORK, 0, 0, false},
                         {prefix("10.101.2.0/24"), EP_ROLE_PEER_BACKEND, 1, 7, true},
                         {prefix("10.101.2.1"), EP_ROLE_PEER_UNDERLAY, 2, 0, false},
                         {prefix("fd00:101::/48"), EP_ROLE_NETWORK, 0, 0, false},
                         {prefix("fd00:101:0:2::/64"), EP_ROLE_PEER_BACKEND, 1, 8, true}},
             .vlans = {},
             .integrity_spis = {},
             .generation = 1,
             .limits = no_limits(),
             .exemptions = {}},
            16);
  EXPECT_EQ(look_up(built, "10.101.2.1").role, EP_ROLE_PEER_UNDERLAY);
  EXPECT_EQ(look_up(built, "10.101.2.2").subnet, 7U);
  EXPECT_EQ(look_up(built, "10.101.2.2").flags, EP_SLOT_CONFIGURED);
  EXPECT_EQ(look_up(built, "10.101.3.2").role, EP_ROLE_NETWORK);
  EXPECT_EQ(look_up(built, "10.102.0.1").role, EP_ROLE_NONE);
  EXPECT_EQ(look_up(built, "fd00:101:0:2::9").subnet, 8U);
  EXPECT_EQ(look_up(built, "fd00:101:0:3::9").role, EP_ROLE_NETWORK);
  EXPECT_EQ(look_up(built, "fd00:102::1").role, EP_ROLE_NONE);
}

TEST(Table, TheFirstOfTwoEqualPrefixesWins) {
  const auto built = build({.entries = {{prefix("10.0.0.0/24"), EP_ROLE_SELF_BACKEND, 0, 0, true},
                                        {prefix("10.0.0.0/24"), EP_ROLE_PEER_BACKEND, 3, 1, true}},
                            .vlans = {},
                            .integrity_spis = {},
                            .generation = 1,
                            .limits = no_limits(),
                            .exemptions = {}},
                           16);
  EXPECT_EQ(look_up(built, "10.0.0.9").role, EP_ROLE_SELF_BACKEND);
}

// An IPv6 address that looks like a key of IPv4 means nothing.
TEST(Table, FamiliesDoNotMeet) {
  const auto built = build({.entries = {{prefix("10.45.0.12"), EP_ROLE_PEER_UNDERLAY, 1, 0, true}},
                            .vlans = {},
                            .integrity_spis = {},
                            .generation = 1,
                            .limits = no_limits(),
                            .exemptions = {}},
                           16);
  EXPECT_EQ(look_up(built, "::ffff:10.45.0.12").role, EP_ROLE_NONE);
  EXPECT_EQ(look_up(built, "::10.45.0.12").role, EP_ROLE_NONE);
}

TEST(Table, TenThousandPeersAreFoundAndNobodyElse) {
  TableSpec spec;
  constexpr std::uint32_t kPeers = 10'000;
  const auto address = [](std::uint32_t i, int kind) {
    const std::array<std::uint8_t, 16> v6{0xfd,
                                          0,
                                          static_cast<std::uint8_t>(kind),
                                          0,
                                          static_cast<std::uint8_t>(i >> 8),
                                          static_cast<std::uint8_t>(i)};
    const std::array<std::uint8_t, 4> v4{static_cast<std::uint8_t>(10 + kind),
                                         static_cast<std::uint8_t>(i >> 8),
                                         static_cast<std::uint8_t>(i), 0};
    return std::pair(IpAddress(Family::kIpv4, v4.data()), IpAddress(Family::kIpv6, v6.data()));
  };
  for (std::uint32_t i = 1; i <= kPeers; ++i) {
    const auto [under4, under6] = address(i, 0);
    const auto [back4, back6] = address(i, 1);
    spec.entries.push_back({Prefix(under4, 32), EP_ROLE_PEER_UNDERLAY, i, 0, true});
    spec.entries.push_back({Prefix(under6, 128), EP_ROLE_PEER_UNDERLAY, i, 0, true});
    spec.entries.push_back({Prefix(back4, 24), EP_ROLE_PEER_BACKEND, i, 2 * i, true});
    spec.entries.push_back({Prefix(back6, 64), EP_ROLE_PEER_BACKEND, i, 2 * i + 1, true});
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto built = build(spec, kPeers);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  std::printf("table of %zu entries: %.1f ms, %zu KiB\n", spec.entries.size(), took.count(),
              built.block.size() / 1024);
  EXPECT_LE(built.block.size(), 4U << 20);  // an array map's value on 6.1 is no larger
  EXPECT_EQ(built.table.head->entries, spec.entries.size());
  for (std::uint32_t i = 1; i <= kPeers; ++i) {
    ASSERT_EQ(look_up(built, address(i, 0).first).peer, i);
    ASSERT_EQ(look_up(built, address(i, 0).second).peer, i);
    ASSERT_EQ(look_up(built, address(i, 1).first).subnet, 2 * i);
    ASSERT_EQ(look_up(built, address(i, 1).second).subnet, 2 * i + 1);
    ASSERT_EQ(look_up(built, address(i, 7).first).role, EP_ROLE_NONE);
    ASSERT_EQ(look_up(built, address(i, 7).second).role, EP_ROLE_NONE);
  }
}

// Against the obvious: the longest prefix that contains the address.
TEST(Table, AgreesWithALinearSearchOnRandomTables) {
  std::mt19937 random(20261122);
  const auto number = [&](unsigned limit) { return static_cast<unsigned>(random() % limit); };
  for (int round = 0; round < 200; ++round) {
    TableSpec spec;
    const std::array<unsigned, 4> v4{8 + number(8), 16 + number(8), 24 + number(7), 32};
    const std::array<unsigned, 4> v6{16 + number(32), 48 + number(16), 64 + number(63), 128};
    for (std::uint32_t i = 1; i <= 60; ++i) {
      std::array<std::uint8_t, 16> bytes{};
      for (auto& byte : bytes) byte = static_cast<std::uint8_t>(number(3));
      const bool four = number(2) != 0;
      const IpAddress address(four ? Family::kIpv4 : Family::kIpv6, bytes.data());
      spec.entries.push_back({Prefix(address, four ? v4[number(4)] : v6[number(4)]),
                              EP_ROLE_PEER_BACKEND, i, i, true});
    }
    const auto built = build(spec, 16);
    for (int probe = 0; probe < 300; ++probe) {
      std::array<std::uint8_t, 16> bytes{};
      for (auto& byte : bytes) byte = static_cast<std::uint8_t>(number(3));
      const IpAddress address(number(2) != 0 ? Family::kIpv4 : Family::kIpv6, bytes.data());
      const TableEntry* best = nullptr;
      for (const auto& entry : spec.entries)
        if (entry.prefix.contains(address) &&
            (best == nullptr || entry.prefix.length() > best->prefix.length()))
          best = &entry;
      ASSERT_EQ(look_up(built, address).peer, best == nullptr ? 0 : best->peer) << address.text();
    }
  }
}

TEST(Table, RefusesWhatDoesNotFit) {
  TableSpec many;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const std::array<std::uint8_t, 4> bytes{10, 0, static_cast<std::uint8_t>(i >> 8),
                                            static_cast<std::uint8_t>(i)};
    many.entries.push_back(
        {Prefix(IpAddress(Family::kIpv4, bytes.data()), 32), EP_ROLE_PEER_UNDERLAY, 1, 0, true});
  }
  const auto full = build_table(many, TableCapacity::for_peers(16));
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().message,
            "peer table: 1000 prefixes do not fit into 128 slots (raise max_peers)");
}

// -- what does not fit ---------------------------------------------------------------------------

TableEntry entry(const std::string& prefix, ep_role role, std::uint32_t peer, bool configured) {
  return {Prefix::parse(prefix, true).value(), role, peer, 0, configured};
}

// Peer 1 is configured, peer 2 learnt with one subnet of each of `lengths` lengths.
TableSpec with_learnt_lengths(unsigned lengths) {
  TableSpec spec;
  spec.entries = {entry("10.45.0.11/32", EP_ROLE_SELF_UNDERLAY, 0, true),
                  entry("10.101.0.0/24", EP_ROLE_SELF_BACKEND, 0, true),
                  entry("10.45.0.12/32", EP_ROLE_PEER_UNDERLAY, 1, true),
                  entry("10.101.1.0/24", EP_ROLE_PEER_BACKEND, 1, true)};
  for (unsigned i = 0; i < lengths; ++i)
    spec.entries.push_back(entry("10." + std::to_string(110 + i) + ".0.0/" + std::to_string(8 + i),
                                 EP_ROLE_PEER_BACKEND, 2, false));
  return spec;
}

std::uint32_t peer_at(const Built& built, const char* address) {
  const auto key = key_of(IpAddress::parse(address).value());
  return ep_host_lookup(&built.table, EP_FAMILY_IPV4, key.hi, key.lo).peer;
}

TEST(TableFit, EightLengthsAreTakenAsTheyAre) {
  const auto fitted =
      fit_table(with_learnt_lengths(6), TableCapacity::for_peers(16)).value();  // and /24, /32
  EXPECT_EQ(fitted.spec.entries.size(), 10U);
  EXPECT_TRUE(fitted.left_out.empty());
}

TEST(TableFit, ANinthLengthIsSplitIntoAnother) {
  const auto spec = with_learnt_lengths(7);
  const auto fitted = fit_table(spec, TableCapacity::for_peers(16)).value();
  EXPECT_EQ(fitted.spec.entries.size(), 11U) << "10.0.0.0/8 is 10.128.0.0/9 beside 10.0.0.0/9";
  EXPECT_TRUE(fitted.left_out.empty());
  const auto built = build(spec, 16);
  EXPECT_EQ(peer_at(built, "10.101.1.9"), 1U);
  for (const char* learnt : {"10.0.0.1", "10.110.0.1", "10.111.0.1", "10.116.255.255"})
    EXPECT_EQ(peer_at(built, learnt), 2U) << learnt;
}

TEST(TableFit, TenTimesTheLengthsKeepWhatIsConfigured) {
  auto spec = with_learnt_lengths(23);  // all from /8 to /30
  const auto whole = fit_table(spec, TableCapacity::for_peers(1024)).value();
  EXPECT_TRUE(whole.left_out.empty()) << whole.left_out.front();
  const auto small = fit_table(spec, TableCapacity::for_peers(1)).value();
  ASSERT_EQ(small.left_out.size(), 1U);
  EXPECT_EQ(small.left_out[0],
            "22 learnt prefixes (10.0.0.0/8, 10.0.0.0/9, 10.64.0.0/10, ...): there are too many "
            "different prefix lengths");
  const auto built = build(spec, 1);
  EXPECT_EQ(peer_at(built, "10.101.1.9"), 1U);
  EXPECT_EQ(peer_at(built, "10.45.0.12"), 1U);
}

// Whatever is split: every address is whose it was.
TEST(TableFit, SplittingChangesNothing) {
  std::mt19937 random(4);
  for (int round = 0; round < 200; ++round) {
    TableSpec spec;
    for (std::uint32_t i = 1; i <= 14; ++i) {
      const auto length = static_cast<unsigned>(20 + random() % 13);
      spec.entries.push_back(entry("10.0." + std::to_string(random() % 16) + "." +
                                       std::to_string(random() % 256) + "/" +
                                       std::to_string(length),
                                   EP_ROLE_PEER_BACKEND, i, true));
    }
    const auto built = build(spec, 1024);
    for (int probe = 0; probe < 200; ++probe) {
      const auto text =
          "10.0." + std::to_string(random() % 16) + "." + std::to_string(random() % 256);
      const auto address = IpAddress::parse(text).value();
      std::uint32_t wanted = 0;
      unsigned longest = 0;
      for (const auto& one : spec.entries)
        if (one.prefix.contains(address) && one.prefix.length() > longest) {
          longest = one.prefix.length();
          wanted = one.peer;
        }
      ASSERT_EQ(peer_at(built, text.c_str()), wanted) << text;
    }
  }
}

TEST(TableFit, LearntPrefixesGoFirstWhenTheTableIsFull) {
  for (const std::size_t learnt : {49U, 50U, 500U}) {  // 53 of 64 slots are used at most
    auto spec = with_learnt_lengths(0);
    for (std::size_t i = 0; i < learnt; ++i)
      spec.entries.push_back(
          entry("10.120." + std::to_string(i / 256) + "." + std::to_string(i % 256) + "/32",
                EP_ROLE_PEER_UNDERLAY, 2, false));
    const auto fitted = fit_table(spec, TableCapacity::for_peers(1)).value();
    EXPECT_EQ(fitted.left_out.empty(), learnt == 49) << learnt;
    EXPECT_EQ(peer_at(build(spec, 1), "10.101.1.9"), 1U);
  }
}

TEST(TableFit, VlansSasAndExemptionsBeyondTheirLimits) {
  for (const std::size_t count : {std::size_t{128}, std::size_t{129}, std::size_t{1280}}) {
    auto spec = with_learnt_lengths(0);
    for (std::size_t i = 0; i < count; ++i)
      spec.vlans.push_back({static_cast<int>(1 + i / 64), static_cast<std::uint16_t>(i % 64),
                            i + 1 == count ? EP_VLAN_OURS : EP_VLAN_CLAIMED});
    const auto fitted = fit_table(spec, TableCapacity::for_peers(16)).value();
    EXPECT_EQ(fitted.left_out.size(), count == 128 ? 0U : 1U);
    EXPECT_EQ(fitted.spec.vlans.front().action, EP_VLAN_OURS) << "ours go first";
    EXPECT_TRUE(build_table(spec, TableCapacity::for_peers(16)).ok());
  }
  for (const std::uint32_t count : {512U, 513U, 5120U}) {
    auto spec = with_learnt_lengths(0);
    for (std::uint32_t i = 1; i <= count; ++i) spec.integrity_spis.push_back(i * 2654435761U);
    const auto built = build_table(spec, TableCapacity::for_peers(16));
    ASSERT_TRUE(built.ok()) << built.error().message;
    EXPECT_EQ(built->left_out.size(), count == 512 ? 0U : 1U);
  }
  for (const std::size_t count : {std::size_t{16}, std::size_t{17}, std::size_t{160}}) {
    auto spec = with_learnt_lengths(0);
    spec.exemptions.resize(count, {*Prefix::parse("10.101.1.1/32")});
    const auto built = build_table(spec, TableCapacity::for_peers(16));
    ASSERT_TRUE(built.ok());
    EXPECT_EQ(built->left_out.size(), count == 16 ? 0U : 1U);
  }
}

TEST(TableSpec, IntegrityOnlySasAreListed) {
  XfrmStateFact ah;
  ah.protocol = 51;
  ah.spi = 0xa;
  XfrmStateFact null;
  null.null_encryption = true;
  null.spi = 0xb;
  XfrmStateFact good;
  good.spi = 0xc;
  const auto spec = make_table_spec({}, {}, {}, {}, {ah, null, good}, {});
  EXPECT_EQ(spec.integrity_spis, (std::vector<std::uint32_t>{0xa, 0xb}));
}

TEST(TableSpec, RelayedSourcesAreMarked) {
  std::vector<TableEntry> entries = {
      {*Prefix::parse("10.45.0.12/32"), EP_ROLE_PEER_UNDERLAY, 1, 0, true},
      {*Prefix::parse("10.45.0.13/32"), EP_ROLE_PEER_UNDERLAY, 2, 0, true},
      {*Prefix::parse("10.101.0.0/16"), EP_ROLE_PEER_BACKEND, 1, 1, true},
      {*Prefix::parse("10.101.2.0/24"), EP_ROLE_PEER_BACKEND, 2, 2, true},
      {*Prefix::parse("10.101.3.0/24"), EP_ROLE_PEER_BACKEND, 3, 3, true}};
  mark_relayed({{*Prefix::parse("10.101.2.64/26"), *Prefix::parse("10.101.3.0/24")},
                {*IpAddress::parse("10.45.0.12")}},
               entries);
  std::string marked;
  for (const auto& entry : entries)
    if (entry.relayed) marked += entry.prefix.text() + " " + std::to_string(entry.subnet) + "; ";
  // Nested subnets: the longest has its part; the table takes the first of equal prefixes.
  EXPECT_EQ(
      marked,
      "10.45.0.12/32 0; 10.101.3.0/24 3; 10.101.2.64/26 2; 10.101.2.64/26 1; 10.101.3.0/24 1; ");
}

TEST(TableSpec, EnforcementIsAsTheFileSays) {
  ConfigEnforce enforce;
  enforce.cleartext_host = Mode::MONITOR;
  enforce.cleartext_transit = Mode::AUDIT;
  enforce.exempt = {{*Prefix::parse("10.101.2.0/24"), 6, 22}};
  Topology topology;
  topology.networks = {{"n", {*Prefix::parse("10.101.0.0/16")}, Origin::kFile, Mode::ENFORCE},
                       {"m", {*Prefix::parse("10.102.0.0/16")}, Origin::kFile}};
  const auto spec = make_table_spec(enforce, topology, {}, {}, {}, {});
  EXPECT_EQ(spec.limits[at(Reason::CLEARTEXT_HOST)], Mode::MONITOR);
  EXPECT_EQ(spec.limits[at(Reason::CLEARTEXT_TRANSIT)], Mode::AUDIT);
  EXPECT_EQ(spec.limits[at(Reason::CLEARTEXT)], Mode::ENFORCE);
  ASSERT_EQ(spec.exemptions.size(), 1U);
  EXPECT_EQ(spec.exemptions[0].prefix.text(), "10.101.2.0/24");
  EXPECT_EQ(spec.exemptions[0].protocol, 6);
  EXPECT_EQ(spec.exemptions[0].port, 22);
  ASSERT_EQ(spec.entries.size(), 2U);
  EXPECT_EQ(spec.entries[0].mode, Mode::ENFORCE);
  EXPECT_EQ(spec.entries[1].mode, Mode::AUDIT) << "the default of unknown nodes";
}

}  // namespace
}  // namespace espial
