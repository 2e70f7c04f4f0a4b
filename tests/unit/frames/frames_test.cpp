// SPDX-License-Identifier: Apache-2.0
// The corpus, its truncations and its mutations: the oracle and the host-compiled parser agree.
#include <gtest/gtest.h>

#include <array>
#include <map>
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
  const auto wanted = oracle(corpus_world(), input);
  ASSERT_EQ(got.verdict, wanted) << what;
  ASSERT_EQ(to_string(got.fate), to_string(oracle_fate(corpus_world(), input, wanted))) << what;
  const auto size = oracle_size(input);
  ASSERT_EQ(got.length, size.length) << what;
  if (size.headers) {
    ASSERT_EQ(got.headers, *size.headers) << what;
  }
}

TEST(Corpus, IsLargeAndItsNamesAreUnique) {
  EXPECT_GE(corpus().size(), 3000U);
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

// What enforcement does, written down: the oracle could be wrong in the same way as the parser.
TEST(Corpus, FatesAreAsWritten) {
  const std::map<std::string, Mode> written = {
      {"fate/exempt_address", Mode::MONITOR},
      {"fate/exempt_address_out", Mode::MONITOR},
      {"fate/next_address", Mode::ENFORCE},
      {"fate/exempt_tcp_to", Mode::MONITOR},
      {"fate/exempt_tcp_from", Mode::MONITOR},
      {"fate/exempt_tcp_other", Mode::ENFORCE},
      {"fate/udp_is_not_tcp_to", Mode::ENFORCE},
      {"fate/exempt_tcp_later_fragment", Mode::ENFORCE},
      {"fate/exempt_dns", Mode::MONITOR},
      {"fate/exempt_unknown_node", Mode::MONITOR},
      {"fate/fragmentation_needed", Mode::MONITOR},
      {"fate/port_unreachable", Mode::ENFORCE},
      {"fate/redirect", Mode::ENFORCE},
      {"fate/fragmentation_needed_from_pod", Mode::ENFORCE},
      {"fate/fragmentation_needed_in_transit", Mode::MONITOR},
      {"fate/packet_too_big", Mode::MONITOR},
      {"fate/parameter_problem", Mode::ENFORCE},
      {"v4/stranger_to_own_pod", Mode::ENFORCE},
      {"v6/stranger_to_own_pod", Mode::AUDIT},
      {"v4/nodes_udp", Mode::MONITOR},
      {"fate/v4_spoofed", Mode::ENFORCE},
      {"fate/v6_spoofed_of_node3", Mode::AUDIT},
      {"fate/v6_spoofed_of_node2", Mode::ENFORCE},
      {"fate/v4_resent", Mode::ENFORCE},
      {"fate/v6_resent_node3", Mode::AUDIT},
      {"fate/v6_too_deep", Mode::ENFORCE},
      {"fate/v4_too_deep_node3", Mode::AUDIT},
      {"fate/v4_too_deep_port_179", Mode::MONITOR},
      {"fate/v6_too_deep_port_179", Mode::AUDIT},
      {"fate/v4_too_deep_of_nobody", Mode::ENFORCE},
      {"fate/v4_tunnel_of_nobody", Mode::ENFORCE},
      {"fate/v6_tunnel_of_nobody_node3", Mode::AUDIT},
      {"fate/v4_esp_null_of_nobody", Mode::MONITOR},
      {"fate/v4_unknown_in_v4", Mode::ENFORCE},
      {"fate/v4_unknown_in_v6", Mode::AUDIT},
      {"fate/v6_unknown_in_v4", Mode::ENFORCE},
      {"fate/v6_unknown_in_v6", Mode::AUDIT},
      {"fate/v6_unknown_around_in_v4", Mode::ENFORCE},
      {"fate/v6_unknown_around_in_v6", Mode::AUDIT},
      {"fate/spoofed_is_never_exempt", Mode::ENFORCE},
      {"fate/resent_exempt", Mode::MONITOR},
      {"fate/resent_fragmentation_needed", Mode::ENFORCE},
      {"fate/exempt_address_in_a_tunnel", Mode::ENFORCE},
      {"fate/unknown_node_exempt", Mode::MONITOR},
      {"fate/too_many_tags", Mode::ENFORCE},
      {"fate/too_many_tags_in_another_vlan", Mode::MONITOR},
  };
  std::map<Class, std::set<Mode>> seen;
  std::size_t found = 0;
  for (const FrameCase& c : corpus()) {
    const Bytes bytes = c.frame.bytes();
    const Input input = input_of(c, bytes);
    const Mode fate = oracle_fate(corpus_world(), input, c.expected);
    seen[c.expected.klass].insert(fate);
    EXPECT_EQ(judge_on_host(image(), input).fate, fate) << c.name;
    const auto line = written.find(c.name);
    if (line == written.end()) continue;
    ++found;
    EXPECT_EQ(to_string(fate), to_string(line->second)) << c.name;
  }
  EXPECT_EQ(found, written.size());
  // What is never dropped, whatever the modes.
  for (const auto& [klass, fates] : seen) {
    const bool row = coverage_of(klass) == Coverage::UNPROTECTED || klass == Class::UNKNOWN_NODE;
    const bool limited = klass == Class::AH;  // by the world to monitor
    EXPECT_EQ(fates.contains(Mode::ENFORCE), row && !limited && klass != Class::CLEARTEXT_TRANSIT)
        << to_string(klass);
    EXPECT_EQ(fates.size() > 1, row && !limited) << to_string(klass);
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

// With no topology at all, and with VLANs but no node.
TEST(Differential, EmptyWorlds) {
  World vlans;
  vlans.vlans = corpus_world().vlans;
  for (const World& world : {World{}, vlans}) {
    const TableImage empty(world);
    for (const FrameCase& c : corpus()) {
      const Bytes bytes = c.frame.bytes();
      EXPECT_EQ(judge_on_host(empty, input_of(c, bytes)).verdict, oracle(world, input_of(c, bytes)))
          << c.name;
    }
  }
}

// Full tables: what collides is found all the same, and nothing is found that is not there.
TEST(Table, EveryEntryOfACrowdedTableIsFound) {
  std::mt19937_64 random(7);
  World world = corpus_world();
  world.sas.clear();
  for (std::uint16_t vid = 1000; vid < 1080; ++vid)
    world.vlans.push_back({vid, vid % 2 == 0 ? VlanAction::kOurs : VlanAction::kClaimed});
  for (std::uint32_t i = 0; i < 20; ++i)
    world.null_spis.push_back(static_cast<std::uint32_t>(random()));
  for (std::uint32_t i = 3; i <= 14; ++i) {
    const std::string n = std::to_string(i);
    world.roles.push_back({Prefix::parse("10.45.1." + n).value(), Role::kPeerUnderlay, i, 0});
    world.roles.push_back(
        {Prefix::parse("10.102." + n + ".0/24").value(), Role::kPeerBackend, i, 2 * i});
    world.roles.push_back(
        {Prefix::parse("fd00:102:" + n + "::/64").value(), Role::kPeerBackend, i, 2 * i + 1});
  }
  const TableImage crowded(world);
  const auto expect_same = [&](const Frame& frame) {
    const Bytes bytes = frame.bytes();
    const Input input{.bytes = bytes};
    const auto wanted = oracle(world, input);
    EXPECT_EQ(judge_on_host(crowded, input).verdict, wanted);
    return wanted;
  };
  const Frame clear = ip(kSide4, kSide4.pod2, kSide4.self_pod) / Udp{};
  for (std::uint16_t vid = 990; vid < 1090; ++vid) expect_same(Eth{} / Vlan{.id = vid} / clear);
  for (const std::uint32_t spi : world.null_spis) {
    const Frame esp = Eth{} / ip(kSide4, kSide4.node2, kSide4.self);
    EXPECT_EQ(expect_same(esp / Esp{.spi = spi}).klass, Class::ESP_NULL);
    EXPECT_EQ(expect_same(esp / Esp{.spi = spi + 1}).klass, Class::ESP);
  }
  for (unsigned i = 1; i < 20; ++i) {
    const std::string n = std::to_string(i);
    expect_same(Eth{} / Ipv4{.src = "10.45.1." + n, .dst = kSide4.self} / Esp{});
    expect_same(Eth{} / Ipv4{.src = "10.102." + n + ".9", .dst = kSide4.self_pod} / Udp{});
    expect_same(Eth{} / Ipv6{.src = "fd00:102:" + n + "::9", .dst = kSide6.self_pod} / Udp{});
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
