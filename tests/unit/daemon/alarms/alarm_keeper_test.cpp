// SPDX-License-Identifier: Apache-2.0
// Alarms across restarts of a daemon, with files as they are.
#include "daemon/alarms/alarm_keeper.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace espial {
namespace {

using namespace std::chrono_literals;

// A life: an engine, its keeper, and a clock.
class AlarmKeeperTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "espial-keeper-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    start();
  }
  void TearDown() override {
    keeper_.reset();
    std::filesystem::remove_all(root_);
  }
  void start() {
    keeper_.emplace(root_ + "/state");
    engine_ = AlarmEngine();
    keeper_->restore(engine_, now_);
  }
  void kill_and_start() {
    settle();
    start();
  }
  // One look: what holds is an alarm of some peers.
  std::size_t look(const std::vector<std::string>& peers, AlarmId id = AlarmId::PolicyMissing) {
    now_.wall += 1s;
    now_.monotonic += 1s;
    std::vector<AlarmCondition> conditions;
    for (const auto& peer : peers) conditions.push_back({id, peer, "seen"});
    const auto told = engine_.step(conditions, now_.wall, now_.monotonic).size();
    keeper_->follow(engine_, now_);
    return told;
  }
  // Until what changed is being written, and at most as long as that may take.
  std::size_t look_until_saving(const std::vector<std::string>& peers) {
    std::size_t told = 0;
    for (auto waited = 0s; !keeper_->saving() && waited < AlarmKeeper::kSaveEvery; waited += 1s)
      told += look(peers);
    return told;
  }
  // Until the write that is under way has ended; no time passes.
  void settle() {
    while (keeper_->saving()) {
      std::this_thread::sleep_for(1ms);
      keeper_->follow(engine_, now_);
    }
  }
  std::string saved() const {
    std::ifstream file(root_ + "/state/alarms.json");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string root_;
  Moment now_{WallTime{1714564800s}, MonoTime{1000s}, "boot"};
  AlarmEngine engine_;
  std::optional<AlarmKeeper> keeper_;
};

TEST_F(AlarmKeeperTest, WhatFiresWhenTheDaemonIsKilledIsNotNewAfterwards) {
  look({"b"});
  settle();
  std::size_t told = 0;
  for (int i = 0; i < 10; ++i) told += look({"b"});
  ASSERT_EQ(told, 1U);
  const auto since = engine_.alarms().at(0).since;
  kill_and_start();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(look({"b"}), 0U);
  EXPECT_EQ(engine_.alarms().at(0).since, since);
  EXPECT_EQ(engine_.history().size(), 1U);
  EXPECT_EQ(keeper_->problem(), "");
}

TEST_F(AlarmKeeperTest, WritesAreRare) {
  int writes = 0;
  for (int i = 0; i < 60; ++i) {
    look(i % 2 == 0 ? std::vector<std::string>{"b"} : std::vector<std::string>{},
         AlarmId::ConfigRejected);
    if (keeper_->saving()) ++writes;
    settle();
  }
  EXPECT_EQ(writes, 60 / 5) << "every five seconds while it changes";
  for (int i = 0; i < 10; ++i) look({"b"}, AlarmId::ConfigRejected), settle();
  const auto text = saved();
  for (int i = 0; i < 60; ++i) look({"b"}, AlarmId::ConfigRejected), settle();
  EXPECT_EQ(saved(), text) << "a flapping alarm that stays as it is needs no write";
}

TEST_F(AlarmKeeperTest, AStartIsNoReasonToWrite) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(keeper_->saving()) << "after " << i << " s";
    look({"b"});
  }
  EXPECT_TRUE(keeper_->saving());
}

TEST_F(AlarmKeeperTest, WhatWaitsIsSavedAgainSoThatItsWaitingIsKnown) {
  const AlarmId slow = AlarmId::CoverageBelowTarget;
  for (int i = 0; i < 200; ++i) {
    look({"b"}, slow);
    if (i % 30 == 0) settle();
  }
  settle();
  kill_and_start();
  ASSERT_EQ(engine_.alarms().size(), 1U);
  EXPECT_EQ(engine_.alarms()[0].state, AlarmState::kPending);
  int waited = 0;
  while (look({"b"}, slow) == 0 && waited < 400) ++waited;
  EXPECT_NEAR(waited, 100, 2) << "five minutes in all";
}

TEST_F(AlarmKeeperTest, GarbageIsSetAsideAndTheNextSaveWorks) {
  std::filesystem::create_directories(root_ + "/state");
  std::ofstream(root_ + "/state/alarms.json") << "{\"schema_version\": 1, ";
  start();
  EXPECT_NE(keeper_->problem().find("alarms.json.corrupt"), std::string::npos)
      << keeper_->problem();
  EXPECT_TRUE(engine_.alarms().empty());
  look_until_saving({"b"});
  settle();
  EXPECT_EQ(keeper_->problem(), "");
  EXPECT_TRUE(alarms_from_json(saved()).ok());
}

TEST_F(AlarmKeeperTest, AFolderThatCannotBeWrittenIsToldAndTriedAgain) {
  std::ofstream(root_ + "/state") << "a file is in the way";
  EXPECT_EQ(look_until_saving({"b"}), 1U) << "alarms go on";
  settle();
  EXPECT_NE(keeper_->problem(), "");
  std::filesystem::remove(root_ + "/state");
  for (int i = 0; i < 6; ++i) look({"b"});
  settle();
  EXPECT_EQ(keeper_->problem(), "");
}

TEST_F(AlarmKeeperTest, TheEndSavesWhatIsNotSavedYet) {
  look({"b"});
  settle();
  look({"b"});
  look({"b"});
  keeper_->finish(engine_, now_);
  start();
  ASSERT_EQ(engine_.alarms().size(), 1U);
  EXPECT_EQ(engine_.alarms()[0].state, AlarmState::kFiring);
}

}  // namespace
}  // namespace espial
