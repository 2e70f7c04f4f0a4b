// SPDX-License-Identifier: Apache-2.0
// The programs as they are attached, run on frames: what they count, exactly.
#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <thread>
#include <vector>

#include "kernel/counters/counters.h"
#include "kernel/counters/events.h"
#include "kernel/peers/mode_map.h"
#include "kernel/test_run.h"

namespace espial {
namespace {

TableSpec topology(std::uint32_t peer = 1) {
  const auto prefix = [](const char* text) { return Prefix::parse(text).value(); };
  TableSpec spec;
  spec.entries = {
      {prefix("10.45.0.11"), EP_ROLE_SELF_UNDERLAY, 0, 0, true},
      {prefix("10.101.1.0/24"), EP_ROLE_SELF_BACKEND, 0, 0, true},
      {prefix("10.45.0.12"), EP_ROLE_PEER_UNDERLAY, peer, 0, true},
      {prefix("10.101.2.0/24"), EP_ROLE_PEER_BACKEND, peer, 5, true},
      {prefix("10.101.0.0/16"), EP_ROLE_NETWORK, 0, 0, false},
  };
  return spec;
}

using Frame = std::vector<std::uint8_t>;
using Ip = std::array<std::uint8_t, 4>;

// Ethernet and IPv4 around `payload` bytes of a protocol.
Frame ipv4(std::uint8_t protocol, const Ip& src, const Ip& dst, std::size_t payload) {
  Frame frame(14 + 20 + payload);
  const auto total = static_cast<std::uint16_t>(20 + payload);
  frame[12] = 0x08;
  frame[14] = 0x45;
  frame[16] = static_cast<std::uint8_t>(total >> 8);
  frame[17] = static_cast<std::uint8_t>(total);
  frame[22] = 64;
  frame[23] = protocol;
  std::copy(src.begin(), src.end(), frame.begin() + 26);
  std::copy(dst.begin(), dst.end(), frame.begin() + 30);
  return frame;
}

constexpr Ip kSelfPod{10, 101, 1, 10};
constexpr Ip kPeerPod{10, 101, 2, 10};
constexpr Ip kSelf{10, 45, 0, 11};
constexpr Ip kPeer{10, 45, 0, 12};

Frame esp() {
  auto frame = ipv4(50, kPeer, kSelf, 100);
  frame[37] = 9;
  return frame;
}

class Count : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = TestRun::open(topology(), 16, TestRun::Verdicts::kNo);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    run_.emplace(std::move(*opened));
    auto maps = Maps::of(run_->programs());
    ASSERT_TRUE(maps.ok()) << maps.error().message;
    maps_.emplace(std::move(*maps));
  }
  void send(TestFrame frame, std::uint32_t times = 1) {
    ASSERT_TRUE(run_->time(frame, times).ok());
  }
  void set_mode(const ModeEntry& entry) {
    ASSERT_TRUE(write_mode_entry(maps_->fd(MapId::kPolicy), 1, entry).ok());
  }
  PeerCounters peer(std::uint32_t index) { return reader_.peer(*maps_, index).value(); }

  std::optional<TestRun> run_;
  std::optional<Maps> maps_;
  CounterReader reader_;
};

TEST_F(Count, EspByIpLength) {
  const auto frame = esp();
  send({.bytes = frame}, 1000);
  const auto cell = peer(1).cell(Direction::RECEIVE, Family::kIpv4, Class::ESP);
  EXPECT_EQ(cell.packets, 1000U);
  EXPECT_EQ(cell.bytes, 1000U * 120);
}

// Ethernet padding is no part of the packet.
TEST_F(Count, PaddingIsNotCounted) {
  auto frame = ipv4(1, kPeerPod, kSelfPod, 8);
  frame.resize(60);
  send({.bytes = frame});
  EXPECT_EQ(peer(1).cell(Direction::RECEIVE, Family::kIpv4, Class::CLEARTEXT).bytes, 28U);
}

TEST_F(Count, GsoSegmentsEachWithTheirHeaders) {
  auto frame = ipv4(6, kSelfPod, kPeerPod, 20 + 2900);
  frame[14 + 20 + 12] = 5 << 4;  // TCP header of 20 bytes
  send({.bytes = frame, .direction = Direction::TRANSMIT, .gso_size = 1448, .gso_segs = 3});
  const auto cell = peer(1).cell(Direction::TRANSMIT, Family::kIpv4, Class::CLEARTEXT);
  EXPECT_EQ(cell.packets, 3U);
  EXPECT_EQ(cell.bytes, 2900U + 3 * 40);
}

TEST_F(Count, GsoOfEspIsManyPackets) {
  auto frame = ipv4(50, kPeer, kSelf, 8 + 2900);
  frame[37] = 9;
  send({.bytes = frame, .gso_size = 1448, .gso_segs = 3});
  EXPECT_EQ(peer(1).cell(Direction::RECEIVE, Family::kIpv4, Class::ESP).packets, 3U);
}

// tun and virtio leave the number of segments to whoever segments.
TEST_F(Count, GsoWithoutASegmentCountIsComputed) {
  auto frame = ipv4(6, kSelfPod, kPeerPod, 32 + 2900);
  frame[14 + 20 + 12] = 8 << 4;
  send({.bytes = frame, .direction = Direction::TRANSMIT, .gso_size = 1448, .gso_segs = 0});
  const auto cell = peer(1).cell(Direction::TRANSMIT, Family::kIpv4, Class::CLEARTEXT);
  EXPECT_EQ(cell.packets, 3U);
  EXPECT_EQ(cell.bytes, 2900U + 3 * 52);
}

// -- enforcement ---------------------------------------------------------------------------------

TEST_F(Count, ADropOnTheWayOutIsNoCleartextOnTheWire) {
  set_mode({Mode::ENFORCE, {}});
  auto frame = ipv4(17, kSelfPod, kPeerPod, 8 + 4);
  frame[39] = 12;
  send({.bytes = frame, .direction = Direction::TRANSMIT}, 5);
  const auto counters = peer(1);
  EXPECT_EQ(counters.cell(Direction::TRANSMIT, Family::kIpv4, Class::CLEARTEXT).packets, 0U);
  const auto& dropped =
      counters.enforced[at(Action::kDrop)][at(Direction::TRANSMIT)][at(Reason::CLEARTEXT)];
  EXPECT_EQ(dropped.packets, 5U);
  EXPECT_EQ(dropped.bytes, 5U * 32);
  EXPECT_FALSE(counters.last_unprotected[at(Direction::TRANSMIT)].has_value());
  EXPECT_TRUE(counters.last_enforced[at(Action::kDrop)].has_value());
  const auto flows = reader_.flows(*maps_, Identities::load(*maps_).value()).value();
  ASSERT_EQ(flows.size(), 1U);
  EXPECT_EQ(flows[0].enforced[at(Action::kDrop)], 5U);
}

TEST_F(Count, WhatArrivesInClearIsCountedAndDropped) {
  set_mode({Mode::ENFORCE, {}});
  const auto frame = ipv4(6, kPeerPod, kSelfPod, 20 + 2900);
  send({.bytes = frame, .gso_size = 1448, .gso_segs = 3});
  const auto counters = peer(1);
  EXPECT_EQ(counters.cell(Direction::RECEIVE, Family::kIpv4, Class::CLEARTEXT).packets, 3U);
  EXPECT_EQ(
      counters.enforced[at(Action::kDrop)][at(Direction::RECEIVE)][at(Reason::CLEARTEXT)].packets,
      3U);
}

// No daemon has to be alive for the deadline to pass.
TEST_F(Count, EnforceIsAuditFromItsDeadlineOn) {
  const auto frame = ipv4(17, kPeerPod, kSelfPod, 8);
  const auto now = std::chrono::steady_clock::now();
  set_mode({Mode::ENFORCE, now + std::chrono::hours(1)});
  EXPECT_TRUE(run_->drops({.bytes = frame}).value());
  // The programs read the coarse clock, which is up to a tick behind.
  set_mode({Mode::ENFORCE, now - std::chrono::milliseconds(20)});
  EXPECT_FALSE(run_->drops({.bytes = frame}).value());
  // That of another boot, before this one's clock began.
  set_mode({Mode::ENFORCE, MonoTime{}});
  EXPECT_FALSE(run_->drops({.bytes = frame}).value());
  set_mode({Mode::ENFORCE, now + std::chrono::milliseconds(50)});
  const auto limit = now + std::chrono::minutes(1);
  while (run_->drops({.bytes = frame}).value())
    ASSERT_LT(std::chrono::steady_clock::now(), limit) << "the deadline never came";
  EXPECT_GE(std::chrono::steady_clock::now(), now + std::chrono::milliseconds(45));
  const auto counters = peer(1);
  EXPECT_GE(counters.enforced[at(Action::kWouldDrop)][at(Direction::RECEIVE)][at(Reason::CLEARTEXT)]
                .packets,
            2U);
}

TEST_F(Count, APolicyIsReadAsItWasWritten) {
  const int map = maps_->fd(MapId::kPolicy);
  for (const ModeEntry& entry :
       {ModeEntry{}, ModeEntry{Mode::AUDIT, {}}, ModeEntry{Mode::ENFORCE, {}},
        ModeEntry{Mode::ENFORCE, MonoTime(std::chrono::nanoseconds(123'456'788))}}) {
    ASSERT_TRUE(write_mode_entry(map, 3, entry).ok());
    EXPECT_EQ(read_mode_entry(map, 3).value(), entry);
  }
  EXPECT_FALSE(write_mode_entry(map, 1 << 20, {}).ok());
}

// -- the short way of XDP, which no table with exemptions takes -----------------------------------

TEST_F(Count, XdpKeepsTheDeadlineOnItsShortWay) {
  const auto frame = ipv4(17, kPeerPod, kSelfPod, 8);
  const auto now = std::chrono::steady_clock::now();
  set_mode({Mode::ENFORCE, {}});
  EXPECT_TRUE(run_->drops_early(frame).value());
  set_mode({Mode::ENFORCE, now + std::chrono::hours(1)});
  EXPECT_TRUE(run_->drops_early(frame).value());
  set_mode({Mode::ENFORCE, now - std::chrono::milliseconds(20)});
  EXPECT_FALSE(run_->drops_early(frame).value());
  set_mode({Mode::AUDIT, {}});
  EXPECT_FALSE(run_->drops_early(frame).value());
}

TEST_F(Count, XdpDropsWhatIsForThisNodesPodsOnly) {
  set_mode({Mode::ENFORCE, {}});
  for (const Ip& elsewhere : {Ip{192, 0, 2, 1}, Ip{10, 101, 2, 11}, Ip{255, 255, 255, 255}}) {
    const auto frame = ipv4(17, kPeerPod, elsewhere, 8);
    EXPECT_FALSE(run_->drops_early(frame).value()) << int{elsewhere[0]};
  }
}

TEST_F(Count, XdpPassesWhatIsExempt) {
  auto spec = topology();
  spec.exemptions = {{Prefix::parse("10.101.2.10").value(), 17, 53}};
  auto& programs = const_cast<Programs&>(run_->programs());
  ASSERT_TRUE(programs.set_table(spec).ok());
  set_mode({Mode::ENFORCE, {}});
  auto frame = ipv4(17, kPeerPod, kSelfPod, 8);
  EXPECT_TRUE(run_->drops_early(frame).value());
  frame[37] = 53;
  EXPECT_FALSE(run_->drops_early(frame).value());
}

// -- flows ---------------------------------------------------------------------------------------

TEST_F(Count, CleartextIsRememberedAsAFlow) {
  auto frame = ipv4(17, kPeerPod, kSelfPod, 8 + 4);
  frame[34] = 0x12, frame[35] = 0x34, frame[36] = 0x00, frame[37] = 53, frame[39] = 12;
  send({.bytes = frame}, 7);
  const auto counters = peer(1);
  EXPECT_EQ(counters.cell(Direction::RECEIVE, Family::kIpv4, Class::CLEARTEXT).packets, 7U);
  ASSERT_TRUE(counters.last_unprotected[at(Direction::RECEIVE)].has_value());
  EXPECT_FALSE(counters.last_unprotected[at(Direction::TRANSMIT)].has_value());
  const auto age =
      std::chrono::system_clock::now() - *counters.last_unprotected[at(Direction::RECEIVE)];
  EXPECT_LT(age, std::chrono::minutes(1));

  const auto flows = reader_.flows(*maps_, Identities::load(*maps_).value()).value();
  ASSERT_EQ(flows.size(), 1U);
  EXPECT_EQ(flows[0].source.text(), "10.101.2.10");
  EXPECT_EQ(flows[0].source_port, 0x1234);
  EXPECT_EQ(flows[0].destination.text(), "10.101.1.10");
  EXPECT_EQ(flows[0].destination_port, 53);
  EXPECT_EQ(flows[0].protocol, 17);
  EXPECT_EQ(flows[0].packets, 7U);
  EXPECT_EQ(flows[0].bytes, 7U * 32);
}

// What has no slot left takes another's: the record begins anew.
TEST_F(Count, AFlowThatTakesAnothersSlotHasItsOwnPackets) {
  auto frame = ipv4(17, kPeerPod, kSelfPod, 8);
  for (std::uint32_t flow = 0; flow < 2 * EP_FLOW_SLOTS; ++flow) {
    frame[34] = static_cast<std::uint8_t>(flow >> 8);
    frame[35] = static_cast<std::uint8_t>(flow);
    send({.bytes = frame});
  }
  Snapshot snapshot;
  ASSERT_TRUE(reader_.node(*maps_, snapshot).ok());
  EXPECT_GT(snapshot.lost[at(Lost::FLOW_EVICTED)], 0U);
  const auto flows = reader_.flows(*maps_, Identities::load(*maps_).value()).value();
  EXPECT_GT(flows.size(), 0U);
  for (const auto& flow : flows) EXPECT_EQ(flow.packets, 1U) << flow.source_port;
}

TEST_F(Count, BrokenFramesAreToldByOutcome) {
  auto frame = ipv4(17, kPeer, kSelf, 40);
  frame[14] = 0x44;
  send({.bytes = frame}, 3);
  Snapshot snapshot;
  ASSERT_TRUE(reader_.node(*maps_, snapshot).ok());
  EXPECT_EQ(snapshot.outcomes[at(Outcome::BAD_IHL)], 3U);
  EXPECT_EQ(peer(0).cell(Direction::RECEIVE, Family::kIpv4, Class::MALFORMED).packets, 3U);
}

// Roles: a bridge port does not count decrypted packets, a re-entry device nothing else. Test runs
// carry no XFRM state, so a re-entry device counts nothing here.
TEST_F(Count, AReentryDeviceCountsNothingWithoutXfrmState) {
  const auto clear = ipv4(1, kPeerPod, kSelfPod, 8);
  send({.bytes = clear, .role = DeviceRole::kReentry}, 5);
  const auto encrypted = esp();
  send({.bytes = encrypted, .role = DeviceRole::kReentry}, 5);
  EXPECT_EQ(peer(1).cell(Direction::RECEIVE, Family::kIpv4, Class::CLEARTEXT).packets, 0U);
  EXPECT_EQ(peer(1).cell(Direction::RECEIVE, Family::kIpv4, Class::ESP).packets, 0U);
}

// Two tables give the peer two indexes: while one thread swaps them, no packet may be lost, counted
// twice, or counted against anybody else.
TEST_F(Count, SwapsUnderTrafficLoseNothing) {
  constexpr std::uint32_t kSwaps = 40;
  constexpr std::uint32_t kMostRounds = 20'000;
  constexpr std::uint32_t kPerRound = 5000;
  auto& programs = const_cast<Programs&>(run_->programs());
  std::atomic<bool> done{false};
  std::atomic<std::uint32_t> swaps{0};
  std::thread swapper([&] {
    while (!done) {
      if (!programs.set_table(topology(1 + swaps % 2)).ok()) break;
      ++swaps;
    }
  });
  const auto encrypted = esp();
  const auto clear = ipv4(1, kPeerPod, kSelfPod, 8);
  std::uint32_t pairs = 0;  // of a round of each kind
  for (; swaps < kSwaps && pairs < kMostRounds / 2; ++pairs) {
    send({.bytes = clear}, kPerRound);
    send({.bytes = encrypted}, kPerRound);
  }
  done = true;
  swapper.join();
  const auto sum = [&](Class c) {
    return peer(1).cell(Direction::RECEIVE, Family::kIpv4, c).packets +
           peer(2).cell(Direction::RECEIVE, Family::kIpv4, c).packets;
  };
  EXPECT_EQ(sum(Class::ESP), std::uint64_t{pairs} * kPerRound);
  EXPECT_EQ(sum(Class::CLEARTEXT), std::uint64_t{pairs} * kPerRound);
  EXPECT_GT(peer(2).cell(Direction::RECEIVE, Family::kIpv4, Class::ESP).packets, 0U);
  std::printf("%u swaps under %u packets\n", swaps.load(), 2 * pairs * kPerRound);
  EXPECT_GE(swaps, kSwaps);
}

TEST(Events, TheFirstPacketOfAFlowIsToldAndARateHeld) {
  // Each CPU has a share of its own: all packets on this one.
  cpu_set_t every, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(every), &every), 0);
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(sched_getcpu()), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  ProgramLimits limits;
  limits.max_peers = 16;
  limits.max_subnets = 64;
  limits.flow_events_per_second = 4;
  auto programs = Programs::load("", limits);
  ASSERT_TRUE(programs.ok()) << programs.error().message;
  ASSERT_TRUE(programs->set_table(topology()).ok());
  const auto maps = Maps::of(*programs).value();
  auto events = FlowEvents::open(maps).value();
  CounterReader reader;
  const auto run = [&](const Frame& frame, std::uint32_t times) {
    return time_program(programs->program_fd(Direction::RECEIVE, DeviceRole::kWire, true),
                        {.bytes = frame}, times);
  };
  auto frame = ipv4(17, kPeerPod, kSelfPod, 16);
  ASSERT_TRUE(run(frame, 100).ok());
  EXPECT_EQ(events.drain(), 1U);  // one flow, one event
  ASSERT_TRUE(run(esp(), 100).ok());
  EXPECT_EQ(events.drain(), 0U);  // protected traffic tells nothing
  for (std::uint8_t port = 1; port <= 20; ++port) {
    frame[35] = port;
    ASSERT_TRUE(run(frame, 1).ok());
  }
  Snapshot snapshot;
  ASSERT_TRUE(reader.node(maps, snapshot).ok());
  const auto told = events.drain();
  EXPECT_EQ(told + snapshot.lost[at(Lost::FLOW_EVENT_RATE)], 20U);
  EXPECT_GE(snapshot.lost[at(Lost::FLOW_EVENT_RATE)], 8U);  // at most two seconds' worth was told
  // The next second has a share of its own.
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::size_t again = 0;
  for (std::uint16_t port = 256; again == 0 && std::chrono::steady_clock::now() < limit; ++port) {
    frame[34] = static_cast<std::uint8_t>(port >> 8), frame[35] = static_cast<std::uint8_t>(port);
    ASSERT_TRUE(run(frame, 1).ok());
    again = events.drain();
  }
  EXPECT_GT(again, 0U);
  EXPECT_EQ(sched_setaffinity(0, sizeof(every), &every), 0);
}

}  // namespace
}  // namespace espial
