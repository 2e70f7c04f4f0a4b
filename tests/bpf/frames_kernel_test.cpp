// SPDX-License-Identifier: Apache-2.0
// The corpus, its truncations and its mutations in the kernel: BPF_PROG_TEST_RUN of the very
// programs that watch the wire agrees with the oracle.
#include <gtest/gtest.h>

#include "frames/corpus.h"
#include "frames/host_engine.h"
#include "frames/mutate.h"
#include "kernel/peers/mode_map.h"
#include "kernel/test_run.h"

namespace espial::frames {
namespace {

class KernelTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto opened = TestRun::open(table_spec(corpus_world()), 16);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    run_ = std::make_unique<TestRun>(std::move(opened).value());
    ASSERT_TRUE(run_->set_sas(corpus_world().sas).ok());
    const int modes = run_->programs().map_fd(MapId::kPolicy);
    for (const auto& [peer, mode] : corpus_world().modes)
      ASSERT_TRUE(write_mode_entry(modes, peer, {mode, {}}).ok());
  }
  static void TearDownTestSuite() { run_.reset(); }

  // Expects the kernel to say of `bytes` what `expected` says; the subnet is not reported.
  static void expect(const OracleVerdict& expected, const Bytes& bytes, LinkKind link,
                     Direction direction, const std::string& name) {
    if (!TestRun::accepts(bytes)) return;
    ++judged_;
    const auto got = run_->run(
        {.bytes = bytes, .direction = direction, .ethernet = link == LinkKind::kEthernet});
    ASSERT_TRUE(got.ok()) << name << ": " << got.error().message;
    ASSERT_EQ(got->skipped, !expected.counted) << name;
    if (!expected.counted) return;
    ASSERT_EQ(to_string(got->klass), to_string(expected.klass)) << name;
    ASSERT_EQ(to_string(got->outcome), to_string(expected.outcome)) << name;
    ASSERT_EQ(got->peer, expected.peer) << name;
    const Mode fate = oracle_fate(corpus_world(),
                                  {.bytes = bytes, .link = link, .direction = direction}, expected);
    ASSERT_EQ(got->dropped, fate == Mode::ENFORCE) << name;
    ASSERT_EQ(got->would_drop, fate == Mode::AUDIT) << name;
    if (got->dropped) ++dropped_;
  }

  static std::unique_ptr<TestRun> run_;
  static std::size_t judged_;
  static std::size_t dropped_;
};
std::unique_ptr<TestRun> KernelTest::run_;
std::size_t KernelTest::judged_ = 0;
std::size_t KernelTest::dropped_ = 0;

// A test run cannot give a packet VLAN metadata.
bool runs(const FrameCase& c) { return !c.metadata_tci; }

TEST_F(KernelTest, SaysWhatIsExpected) {
  judged_ = 0;
  for (const FrameCase& c : corpus())
    if (runs(c)) expect(c.expected, c.frame.bytes(), c.frame.link(), c.direction, c.name);
  EXPECT_GE(judged_, 900U);
  EXPECT_GE(dropped_, 100U);
}

TEST_F(KernelTest, EveryTruncationInBothDirections) {
  for (const FrameCase& c : corpus()) {
    if (!runs(c)) continue;
    const Bytes bytes = c.frame.bytes();
    for (std::size_t size = 15; size <= std::min<std::size_t>(bytes.size(), 200); ++size) {
      const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      for (const Direction direction : {Direction::RECEIVE, Direction::TRANSMIT}) {
        const auto wanted =
            oracle(corpus_world(), {.bytes = cut, .link = c.frame.link(), .direction = direction});
        expect(wanted, cut, c.frame.link(), direction, c.name + " cut at " + std::to_string(size));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_F(KernelTest, RandomMutations) {
  constexpr int kRounds = 20;  // of the whole corpus
  std::mt19937_64 random(20240118);
  std::vector<Bytes> frames;
  for (const FrameCase& c : corpus()) frames.push_back(c.frame.bytes());
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const Bytes changed = mutate(frames[i], frames[random() % frames.size()], random);
      const auto direction = random() % 2 == 0 ? Direction::RECEIVE : Direction::TRANSMIT;
      const LinkKind link = corpus()[i].frame.link();
      expect(oracle(corpus_world(), {.bytes = changed, .link = link, .direction = direction}),
             changed, link, direction, "from " + corpus()[i].name);
      if (HasFatalFailure()) return;
    }
  }
}

// The lengths in the headers of a GSO packet are not those of the wire.
TEST_F(KernelTest, LengthsOfGsoPacketsAreIgnored) {
  const Frame v4 = Eth{} / Ipv4{.src = kSide4.pod2, .dst = kSide4.self_pod, .total_length = 0} /
                   Tcp{} / Payload{200};
  const Frame v6 = Eth{} / Ipv6{.src = kSide6.pod2, .dst = kSide6.self_pod, .payload_length = 0} /
                   Tcp{} / Payload{200};
  for (const Frame& frame : {v4, v6}) {
    const Bytes bytes = frame.bytes();
    const auto got = run_->run({.bytes = bytes, .gso_size = 100, .gso_segs = 2});
    ASSERT_TRUE(got.ok()) << got.error().message;
    EXPECT_EQ(to_string(got->klass), "cleartext");
    EXPECT_EQ(to_string(got->outcome), "ok");
    EXPECT_EQ(got->peer, 1U);
  }
}

}  // namespace
}  // namespace espial::frames
