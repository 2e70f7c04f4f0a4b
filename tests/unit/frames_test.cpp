// SPDX-License-Identifier: Apache-2.0
// The corpus, its truncations and its mutations: the oracle and the host-compiled parser agree.
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "frames/corpus.h"
#include "frames/host_engine.h"
#include "frames/mutate.h"

namespace espial::frames {
namespace {

Input input_of(const FrameCase& c, const Bytes& bytes) {
  return {
      .bytes = bytes,
      .link = c.frame.link(),
      .direction = c.direction,
      .metadata_tci = c.metadata_tci,
  };
}

const TableImage& image() {
  static const TableImage table(corpus_world());
  return table;
}

std::string hex(const Bytes& bytes) {
  std::string out;
  for (const std::uint8_t b : bytes) {
    out += "0123456789abcdef"[b >> 4];
    out += "0123456789abcdef"[b & 15];
  }
  return out;
}

// The oracle and the host-compiled parser say the same of the frame and of its size.
void expect_agreement(const Input& input, const std::string& what) {
  const auto got = judge_on_host(image(), input);
  ASSERT_EQ(got.verdict, oracle(corpus_world(), input)) << what;
  const auto size = oracle_size(input);
  ASSERT_EQ(got.length, size.length) << what;
  if (size.headers) {
    ASSERT_EQ(got.headers, *size.headers) << what;
  }
}

TEST(Corpus, IsLargeAndItsNamesAreUnique) {
  EXPECT_GE(corpus().size(), 900U);
  std::set<std::string> names;
  for (const FrameCase& c : corpus()) EXPECT_TRUE(names.insert(c.name).second) << c.name;
}

TEST(Corpus, HasEveryClassAndOutcomeInBothFamilies) {
  std::set<std::pair<Family, Class>> classes;
  std::set<Outcome> outcomes;
  for (const FrameCase& c : corpus()) {
    classes.insert({c.expected.family, c.expected.klass});
    outcomes.insert(c.expected.outcome);
  }
  for (std::size_t i = 0; i < kClasses; ++i)
    for (const Family family : {Family::kIpv4, Family::kIpv6})
      EXPECT_EQ(classes.count({family, static_cast<Class>(i)}), 1U)
          << to_string(family) << " " << kClassLabels[i];
  for (std::size_t i = 0; i < kOutcomes; ++i)
    EXPECT_EQ(outcomes.count(static_cast<Outcome>(i)), 1U) << kOutcomeLabels[i];
}

TEST(Corpus, OracleSaysWhatIsExpected) {
  for (const FrameCase& c : corpus()) {
    const Bytes bytes = c.frame.bytes();
    EXPECT_EQ(oracle(corpus_world(), input_of(c, bytes)), c.expected) << c.name;
  }
}

TEST(Corpus, HostParserSaysWhatIsExpected) {
  for (const FrameCase& c : corpus()) {
    const Bytes bytes = c.frame.bytes();
    const auto got = judge_on_host(image(), input_of(c, bytes));
    EXPECT_EQ(got.verdict, c.expected) << c.name;
    EXPECT_FALSE(got.starved) << c.name;
  }
}

TEST(Differential, EveryTruncationInBothDirections) {
  for (const FrameCase& c : corpus()) {
    Bytes bytes = c.frame.bytes();
    const std::size_t longest = std::min<std::size_t>(bytes.size(), 400);
    for (std::size_t size = 0; size <= longest; ++size) {
      // A copy of its own: reading past the end is seen by the address sanitizer.
      const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      for (const Direction direction : {Direction::RECEIVE, Direction::TRANSMIT}) {
        Input input = input_of(c, cut);
        input.direction = direction;
        expect_agreement(input, c.name + " cut at " + std::to_string(size));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(Differential, RandomMutations) {
  constexpr int kRounds = 200;  // of the whole corpus
  std::mt19937_64 random(20240117);
  std::vector<Bytes> frames;
  for (const FrameCase& c : corpus()) frames.push_back(c.frame.bytes());
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const Bytes changed = mutate(frames[i], frames[random() % frames.size()], random);
      Input input = input_of(corpus()[i], changed);
      if (random() % 2 == 0) input.direction = Direction::TRANSMIT;
      expect_agreement(input, "from " + corpus()[i].name + ": " + hex(changed));
      if (HasFatalFailure()) return;
    }
  }
}

// A capture that kept the headers gives the verdict of the whole frame; one that did not says so.
TEST(Snapped, SameVerdictUnlessStarved) {
  for (const FrameCase& c : corpus()) {
    const Bytes bytes = c.frame.bytes();
    const std::size_t longest = std::min<std::size_t>(bytes.size(), 200);
    for (std::size_t size = 0; size < longest; ++size) {
      const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      const auto got = judge_on_host(image(), input_of(c, cut), bytes.size());
      if (got.starved) continue;
      ASSERT_EQ(got.verdict, c.expected) << c.name << " snapped at " << size;
    }
  }
}

TEST(Snapped, HeadersSuffice) {
  const Frame frame = Eth{} / ip(kSide4, kSide4.node2, kSide4.self) / Esp{} / Payload{1400};
  const Bytes bytes = frame.bytes();
  const Bytes cut(bytes.begin(), bytes.begin() + 42);
  const auto got = judge_on_host(image(), {.bytes = cut}, bytes.size());
  EXPECT_FALSE(got.starved);
  EXPECT_EQ(got.verdict, v4(Class::ESP, 1));
  EXPECT_EQ(judge_on_host(image(), {.bytes = cut}).verdict,
            v4(Class::MALFORMED, 0, Outcome::BAD_LENGTH));
}

}  // namespace
}  // namespace espial::frames
