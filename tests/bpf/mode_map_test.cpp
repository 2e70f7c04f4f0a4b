// SPDX-License-Identifier: Apache-2.0
// Peer modes between their file and the map that the programs obey.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "daemon/instance/now.h"
#include "daemon/instance/peer_mode_store.h"
#include "kernel/peers/mode_map.h"

namespace espial {
namespace {

using namespace std::chrono_literals;

Peer peer(const std::string& name, Mode mode) {
  Peer out;
  out.name = name;
  out.state = PeerState::kConfigured;
  out.mode = mode;
  return out;
}

TEST(Stricter, ByModeThenByTheLaterDeadline) {
  const MonoTime soon{1s}, late{2s};
  const ModeEntry monitor, audit{Mode::AUDIT, {}}, for_good{Mode::ENFORCE, {}},
      until_soon{Mode::ENFORCE, soon}, until_late{Mode::ENFORCE, late};
  const std::array order{monitor, audit, until_soon, until_late, for_good};
  for (std::size_t i = 0; i < order.size(); ++i)
    for (std::size_t j = 0; j < order.size(); ++j)
      EXPECT_EQ(stricter(order[i], order[j]), order[std::max(i, j)]) << i << " and " << j;
}

class PolicyMap : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "espial-modes-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    auto programs = Programs::load("", {.max_peers = 8, .max_subnets = 8});
    ASSERT_TRUE(programs.ok()) << programs.error().message;
    programs_.emplace(std::move(*programs));
    maps_.emplace(Maps::of(*programs_).value());
    identities_ = Identities::load(*maps_).value();
    topology_.peers = {peer("a", Mode::ENFORCE), peer("b", Mode::AUDIT), peer("c", Mode::MONITOR)};
    ASSERT_TRUE(identities_.assign(topology_, *maps_).ok());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::vector<std::optional<Mode>> in_force(const Moment& now) const {
    std::vector<PeerSnapshot> peers;
    for (const auto& p : topology_.peers) peers.push_back({p, {}});
    peers.push_back({peer("unknown", Mode::ENFORCE), {}});
    return modes_in_force(*maps_, identities_, peers, now);
  }
  // A daemon that starts: what it makes of the file and the map.
  [[nodiscard]] PeerModeStore started(const Config& config) const {
    PeerModeStore modes(folder_);
    modes.load();
    if (modes.lost()) modes.recover(*maps_, identities_, config, now_);
    modes.save();
    return modes;
  }

  std::string folder_;
  std::optional<Programs> programs_;
  std::optional<Maps> maps_;
  Identities identities_;
  Topology topology_;
  Moment now_ = this_moment();
};

using Modes = std::vector<std::optional<Mode>>;

TEST_F(PolicyMap, SaysWhatIsInForceAndWhenItEnds) {
  ModePlan plan;
  plan.modes["a"].mode = Mode::ENFORCE;
  plan.modes["a"].confirm =
      Confirmation{{now_.wall + 60s, now_.monotonic + 60s, now_.boot}, Mode::AUDIT};
  PeerModeStore modes(folder_);
  ASSERT_TRUE(modes.take(plan, false).ok());
  ASSERT_TRUE(modes.write(*maps_, identities_, topology_, now_).ok());
  EXPECT_EQ(in_force(now_), (Modes{Mode::ENFORCE, Mode::AUDIT, Mode::MONITOR, std::nullopt}));
  auto late = now_;
  late.monotonic += 60s;
  EXPECT_EQ(in_force(late)[0], Mode::AUDIT) << "by the deadline in the map";
  const int map = maps_->fd(MapId::kPolicy);
  EXPECT_EQ(read_mode_entry(map, 0).value(), read_mode_entry(map, identities_.peer("a")).value())
      << "what is nobody's is under the strictest";
}

TEST_F(PolicyMap, ALostOrCorruptFileDisarmsNothing) {
  const auto a = identities_.peer("a");
  const auto b = identities_.peer("b");
  const int map = maps_->fd(MapId::kPolicy);
  Config config;
  config.mode = Mode::AUDIT;  // as b is
  for (const char* text : {"", "garbage"}) {
    ASSERT_TRUE(write_mode_entry(map, a, {Mode::ENFORCE, now_.monotonic + 60s}).ok());
    ASSERT_TRUE(write_mode_entry(map, b, {Mode::AUDIT, {}}).ok());
    if (*text != 0) std::ofstream(folder_ + "/policy.json") << text;
    const auto modes = started(config);
    ASSERT_EQ(modes.get().size(), 1U) << "what the file of the node says is no command";
    const auto& recovered = modes.get().at("a");
    EXPECT_EQ(recovered.mode, Mode::ENFORCE);
    ASSERT_TRUE(recovered.confirm);
    EXPECT_LE(recovered.confirm->deadline.monotonic, now_.monotonic + 60s) << "never longer";
    EXPECT_FALSE(started(config).lost()) << "saved again";
  }
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/policy.json.corrupt"));
}

TEST_F(PolicyMap, AnEmptyFileIsNoLostOne) {
  (void)started({});
  ASSERT_TRUE(
      write_mode_entry(maps_->fd(MapId::kPolicy), identities_.peer("a"), {Mode::ENFORCE, {}}).ok());
  EXPECT_TRUE(started({}).get().empty());
}

TEST_F(PolicyMap, WhatCannotBeSavedIsTakenOnlyWhenItMust) {
  std::ofstream(folder_ + "/file") << "x";
  PeerModeStore modes(folder_ + "/file/state");
  ModePlan plan;
  plan.modes["a"].mode = Mode::MONITOR;
  EXPECT_FALSE(modes.take(plan, false).ok());
  EXPECT_TRUE(modes.get().empty());
  EXPECT_FALSE(modes.take(plan, true).ok());
  EXPECT_EQ(modes.get().size(), 1U);
  EXPECT_FALSE(modes.problem().empty());
}

}  // namespace
}  // namespace espial
