// SPDX-License-Identifier: Apache-2.0
#include "sources/state/saved_alarms.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace espial {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kThen{1714564800250ms};

class SavedAlarmsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "espial-alarms-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string root_;
};

AlarmRecord record() {
  AlarmRecord out;
  out.saved = {kThen, MonoTime{5000s}, "a-boot"};
  const Alarm firing{
      "CleartextTraffic", Severity::kCritical, "node \"2\\", AlarmState::kFiring, kThen,
      "1 \xff packet\n"};
  const Alarm pending{"TunnelDown", Severity::kWarning, "node3", AlarmState::kPending, kThen, ""};
  out.memory.entries = {{firing, 1500ms, true, true, {9s, 1500ms}},
                        {pending, 2s, false, false, {}}};
  out.memory.history = {firing};
  out.memory.forgotten = 12;
  return out;
}

TEST_F(SavedAlarmsTest, NoFileIsNoRecord) {
  const auto loaded = SavedAlarms(root_ + "/none").load();
  ASSERT_TRUE(loaded.ok());
  EXPECT_FALSE(*loaded);
}

TEST_F(SavedAlarmsTest, WhatIsSavedIsLoaded) {
  const SavedAlarms file(root_ + "/state");
  ASSERT_TRUE(file.save(record()).ok());
  struct stat info = {};
  ASSERT_EQ(::stat(file.path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  const auto loaded = file.load();
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(alarms_to_json(**loaded), alarms_to_json(record()));
  EXPECT_EQ((*loaded)->saved.monotonic, MonoTime{5000s});
  const auto& entry = (*loaded)->memory.entries.at(0);
  EXPECT_EQ(entry.alarm.peer, "node \"2\\");
  EXPECT_EQ(entry.alarm.since, kThen);
  EXPECT_EQ(entry.alarm.severity, Severity::kCritical);
  EXPECT_EQ(entry.age, 1500ms);
  EXPECT_TRUE(entry.raised);
  EXPECT_TRUE(entry.flapping);
  EXPECT_EQ(entry.changes, (std::vector<AlarmMemory::Age>{9s, 1500ms}));
  EXPECT_EQ((*loaded)->memory.entries.at(1).alarm.state, AlarmState::kPending);
  EXPECT_EQ((*loaded)->memory.history.at(0).name, "CleartextTraffic");
  EXPECT_EQ((*loaded)->memory.forgotten, 12U);
}

TEST_F(SavedAlarmsTest, LongEvidenceIsCut) {
  auto long_one = record();
  long_one.memory.entries[0].alarm.evidence.assign(1 << 20, 'x');
  EXPECT_LT(alarms_to_json(long_one).size(), 10000U);
}

// One change in a good file each: what it says cannot be.
TEST_F(SavedAlarmsTest, GarbageIsRefusedInOneLineAndKeptAside) {
  const std::string good = alarms_to_json(record());
  ASSERT_TRUE(alarms_from_json(good).ok());
  const auto with = [&](const std::string& old, const std::string& other) {
    auto text = good;
    const auto at = text.find(old);
    EXPECT_NE(at, std::string::npos) << old;
    return text.replace(at, old.size(), other);
  };
  const std::string cases[] = {"",
                               "[]",
                               "{}",
                               good.substr(0, good.size() / 2),
                               with("\"schema_version\": 1", "\"schema_version\": 2"),
                               with("\"firing\"", "\"burning\""),
                               with("\"critical\"", "\"awful\""),
                               with("\"age_ms\": 1500", "\"age_ms\": -1"),
                               with("\"age_ms\": 1500", "\"age_ms\": 9223372036854775807"),
                               with("\"age_ms\": 1500", "\"age_ms\": \"1\""),
                               with("\"since_ms\": 1714564800250", "\"since_ms\": 1e30"),
                               with("\"monotonic_ms\": 5000000", "\"monotonic_ms\": -5"),
                               with("\"forgotten\": 12", "\"forgotten\": []"),
                               with("\"raised\": true", "\"raised\": 1")};
  for (const auto& text : cases) {
    const SavedAlarms file(root_);
    std::ofstream(file.path()) << text;
    const auto loaded = file.load();
    ASSERT_FALSE(loaded.ok()) << text;
    EXPECT_EQ(loaded.error().message.find('\n'), std::string::npos) << loaded.error().message;
    const auto error = file.set_aside(loaded.error());
    EXPECT_NE(error.message.find("kept aside as " + file.path() + ".corrupt"), std::string::npos);
    ASSERT_TRUE(file.load().ok());
    EXPECT_FALSE(*file.load());
  }
}

TEST_F(SavedAlarmsTest, AFolderThatCannotBeWrittenIsAnError) {
  std::ofstream(root_ + "/file") << "x";
  EXPECT_FALSE(SavedAlarms(root_ + "/file").save(record()).ok());
}

TEST(GapBetween, IsOfTheMonotonicClockWithinABootAndNeverNegative) {
  const Moment saved{kThen, MonoTime{5000s}, "a"};
  EXPECT_EQ(gap_between(saved, {kThen - 1h, MonoTime{5007s}, "a"}), 7s);
  EXPECT_EQ(gap_between(saved, {kThen + 90s, MonoTime{20s}, "b"}), 90s);
  EXPECT_EQ(gap_between(saved, {kThen - 1h, MonoTime{20s}, "b"}), 0s);
  EXPECT_EQ(gap_between({kThen, MonoTime{5000s}, ""}, {kThen + 3s, MonoTime{9000s}, ""}), 3s);
}

}  // namespace
}  // namespace espial
