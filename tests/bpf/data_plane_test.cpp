// SPDX-License-Identifier: Apache-2.0
// The programs as they are attached, with their short ways: each frame of the corpus, its
// truncations and its mutations move exactly the counter that the parser and the judge name.
#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <optional>

#include "frames/corpus.h"
#include "frames/host_engine.h"
#include "frames/mutate.h"
#include "kernel/counters.h"
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
    maps_.emplace(Maps::of(run_->programs()).value());
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

  // Runs one frame and holds what moved against the verdict of the host-compiled parser.
  void expect_counted(const Bytes& bytes, LinkKind link, Direction direction,
                      const std::string& name) {
    if (!TestRun::accepts(bytes)) return;
    ASSERT_TRUE(
        run_->time(
                {.bytes = bytes, .direction = direction, .ethernet = link == LinkKind::kEthernet},
                1)
            .ok())
        << name;
    const auto wanted =
        judge_on_host(*image_, {.bytes = bytes, .link = link, .direction = direction}).verdict;
    const Counts after = read();
    for (std::uint32_t peer = 0; peer <= kPeers; ++peer)
      for (const Direction d : {Direction::RECEIVE, Direction::TRANSMIT})
        for (const Family family : {Family::kIpv4, Family::kIpv6})
          for (std::size_t c = 0; c < kClasses; ++c) {
            const auto klass = static_cast<Class>(c);
            const bool here = wanted.counted && peer == wanted.peer && d == direction &&
                              family == wanted.family && klass == wanted.klass;
            ASSERT_EQ(after.peer[peer].cell(d, family, klass).packets,
                      before_.peer[peer].cell(d, family, klass).packets + (here ? 1 : 0))
                << name << ": " << to_string(klass) << " of peer " << peer << ", " << to_string(d);
          }
    for (std::size_t o = 1; o < kOutcomes; ++o) {
      const bool here = wanted.counted && o == static_cast<std::size_t>(wanted.outcome);
      ASSERT_EQ(after.node.outcomes[o], before_.node.outcomes[o] + (here ? 1 : 0))
          << name << ": " << kOutcomeLabels[o];
    }
    before_ = after;
    ++counted_;
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
