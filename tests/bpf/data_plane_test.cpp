// SPDX-License-Identifier: Apache-2.0
// The programs as they are attached, with their short ways: each frame of the corpus, its
// truncations and its mutations move exactly the counter that the parser and the judge name.
#include <gtest/gtest.h>

#include <optional>

#include "frames/corpus.h"
#include "frames/host_engine.h"
#include "frames/mutate.h"
#include "kernel/counters/counters.h"
#include "kernel/peers/mode_map.h"
#include "kernel/test_run.h"

namespace espial::frames {
namespace {

constexpr std::uint32_t kPeers = 2;  // of the corpus

struct Counts {
  std::array<PeerCounters, kPeers + 1> peer;
  Snapshot node;
};

class DataPlane : public ::testing::Test {
 protected:
  void SetUp() override { open(corpus_world()); }

  void open(const World& world) {
    auto opened = TestRun::open(table_spec(world), 16, TestRun::Verdicts::kNo);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    run_.emplace(std::move(*opened));
    ASSERT_TRUE(run_->set_sas(world.sas).ok());
    maps_.emplace(Maps::of(run_->programs()).value());
    for (const auto& [peer, mode] : world.modes)
      ASSERT_TRUE(write_mode_entry(maps_->fd(MapId::kPolicy), peer, {mode, {}}).ok());
    image_.emplace(world);
    before_ = read();
  }

  Counts read() {
    Counts counts;
    for (std::uint32_t peer = 0; peer <= kPeers; ++peer)
      counts.peer[peer] = reader_.peer(*maps_, peer).value();
    EXPECT_TRUE(reader_.node(*maps_, counts.node).ok());
    return counts;
  }

  // Runs one frame; holds what moved, and whether it was dropped, against the host-compiled parser.
  void expect_counted(const Bytes& bytes, LinkKind link, Direction direction,
                      const std::string& name) {
    if (!TestRun::accepts(bytes)) return;
    const auto dropped = run_->drops(
        {.bytes = bytes, .direction = direction, .ethernet = link == LinkKind::kEthernet});
    ASSERT_TRUE(dropped.ok()) << name << ": " << dropped.error().message;
    const auto judged =
        judge_on_host(*image_, {.bytes = bytes, .link = link, .direction = direction});
    const auto& wanted = judged.verdict;
    ASSERT_EQ(*dropped, judged.fate == Mode::ENFORCE) << name;
    const Counts after = read();
    // What is dropped on its way out was never on the wire.
    const bool on_wire = wanted.counted && !(*dropped && direction == Direction::TRANSMIT);
    for (std::uint32_t peer = 0; peer <= kPeers; ++peer) {
      for (const Direction d : {Direction::RECEIVE, Direction::TRANSMIT})
        for (const Family family : {Family::kIpv4, Family::kIpv6})
          for (std::size_t c = 0; c < kClasses; ++c) {
            const auto klass = static_cast<Class>(c);
            const bool here = on_wire && peer == wanted.peer && d == direction &&
                              family == wanted.family && klass == wanted.klass;
            ASSERT_EQ(after.peer[peer].cell(d, family, klass).packets,
                      before_.peer[peer].cell(d, family, klass).packets + (here ? 1 : 0))
                << name << ": " << to_string(klass) << " of peer " << peer << ", " << to_string(d);
          }
      const bool mine = wanted.counted && peer == wanted.peer;
      for (const auto action : {Action::kWouldDrop, Action::kDrop}) {
        const Mode mode = action == Action::kDrop ? Mode::ENFORCE : Mode::AUDIT;
        ASSERT_EQ(enforced(after, peer, action, direction, wanted.klass),
                  enforced(before_, peer, action, direction, wanted.klass) +
                      (mine && judged.fate == mode ? 1 : 0))
            << name << ": " << to_string(mode) << " of peer " << peer;
      }
      ASSERT_EQ(all_enforced(after, peer),
                all_enforced(before_, peer) + (mine && judged.fate != Mode::MONITOR ? 1 : 0))
          << name << ": another reason or direction";
    }
    for (std::size_t o = 1; o < kOutcomes; ++o) {
      const bool here = wanted.counted && o == static_cast<std::size_t>(wanted.outcome);
      ASSERT_EQ(after.node.outcomes[o], before_.node.outcomes[o] + (here ? 1 : 0))
          << name << ": " << kOutcomeLabels[o];
    }
    before_ = after;
    ++counted_;
  }

  // Reasons have the names of the classes that they are about, but for one.
  static std::uint64_t enforced(const Counts& counts, std::uint32_t peer, Action action,
                                Direction direction, Class klass) {
    for (std::size_t r = 0; r < kReasons; ++r)
      if (kReasonLabels[r] == to_string(klass) ||
          (klass == Class::CLEARTEXT_SPOOFED && static_cast<Reason>(r) == Reason::SPOOFED))
        return counts.peer[peer].enforced[at(action)][at(direction)][r].packets;
    return 0;
  }
  static std::uint64_t all_enforced(const Counts& counts, std::uint32_t peer) {
    std::uint64_t sum = 0;
    for (const auto& action : counts.peer[peer].enforced)
      for (const auto& direction : action)
        for (const Cell& cell : direction) sum += cell.packets;
    return sum;
  }

  void expect_corpus() {
    for (const FrameCase& c : corpus()) {
      if (c.metadata_tci) continue;  // a test run cannot give a packet VLAN metadata
      for (const Direction direction : {Direction::RECEIVE, Direction::TRANSMIT}) {
        expect_counted(c.frame.bytes(), c.frame.link(), direction, c.name);
        if (HasFatalFailure()) return;
      }
    }
    EXPECT_GE(counted_, 1800U);
  }

  std::optional<TestRun> run_;
  std::optional<Maps> maps_;
  std::optional<TableImage> image_;
  CounterReader reader_;
  Counts before_;
  std::size_t counted_ = 0;
};

// The accelerator drops nothing that tc would not drop, and counts what it drops as tc would.
TEST_F(DataPlane, XdpDropsOnlyWhatTcDrops) {
  std::size_t dropped = 0;
  std::mt19937_64 random(20240120);
  std::vector<Bytes> frames;
  for (const FrameCase& c : corpus()) frames.push_back(c.frame.bytes());
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const FrameCase& c = corpus()[i];
      if (c.frame.link() != LinkKind::kEthernet || c.metadata_tci) continue;
      // The corpus itself first.
      const Bytes bytes =
          round == 0 ? frames[i] : mutate(frames[i], frames[random() % frames.size()], random);
      if (bytes.size() < 14 || bytes.size() > 3000) continue;
      const auto early = run_->drops_early(bytes);
      ASSERT_TRUE(early.ok()) << c.name << ": " << early.error().message;
      const Counts after = read();
      const auto judged = judge_on_host(*image_, {.bytes = bytes});
      // XDP looks at a VLAN that a device above watches; tc there would see it untagged.
      const bool tc_drops = judged.fate == Mode::ENFORCE || !judged.verdict.counted;
      std::uint64_t moved = 0;
      for (std::uint32_t peer = 0; peer <= kPeers; ++peer)
        moved += all_enforced(after, peer) - all_enforced(before_, peer);
      ASSERT_EQ(moved, *early ? 1U : 0U) << c.name;
      if (*early && judged.verdict.counted) {
        ASSERT_TRUE(tc_drops) << c.name;
        const auto& v = judged.verdict;
        ASSERT_EQ(enforced(after, v.peer, Action::kDrop, Direction::RECEIVE, v.klass),
                  enforced(before_, v.peer, Action::kDrop, Direction::RECEIVE, v.klass) + 1)
            << c.name;
        ASSERT_EQ(after.peer[v.peer].cell(Direction::RECEIVE, v.family, v.klass).packets,
                  before_.peer[v.peer].cell(Direction::RECEIVE, v.family, v.klass).packets + 1)
            << c.name;
      }
      dropped += *early ? 1 : 0;
      before_ = after;
    }
  }
  EXPECT_GE(dropped, 200U);
}

TEST_F(DataPlane, CountsTheCorpusInBothDirections) { expect_corpus(); }

// Without SPIs to look at, ESP between underlays takes the shortest way.
TEST_F(DataPlane, CountsTheCorpusWithoutIntegrityOnlySas) {
  World world = corpus_world();
  world.null_spis.clear();
  open(world);
  expect_corpus();
}

TEST_F(DataPlane, CountsEveryTruncation) {
  for (const FrameCase& c : corpus()) {
    if (c.metadata_tci) continue;
    const Bytes bytes = c.frame.bytes();
    for (std::size_t size = 15; size <= std::min<std::size_t>(bytes.size(), 120); size += 3) {
      const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      expect_counted(cut, c.frame.link(), c.direction, c.name + " cut at " + std::to_string(size));
      if (HasFatalFailure()) return;
    }
  }
}

TEST_F(DataPlane, CountsRandomMutations) {
  World world = corpus_world();
  world.null_spis.clear();
  open(world);
  std::mt19937_64 random(20240119);
  std::vector<Bytes> frames;
  for (const FrameCase& c : corpus()) frames.push_back(c.frame.bytes());
  for (int round = 0; round < 10; ++round)
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const auto direction = random() % 2 == 0 ? Direction::RECEIVE : Direction::TRANSMIT;
      expect_counted(mutate(frames[i], frames[random() % frames.size()], random),
                     corpus()[i].frame.link(), direction, "from " + corpus()[i].name);
      if (HasFatalFailure()) return;
    }
}

}  // namespace
}  // namespace espial::frames
