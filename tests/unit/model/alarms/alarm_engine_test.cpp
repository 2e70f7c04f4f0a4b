// SPDX-License-Identifier: Apache-2.0
// The life of alarms over time, which is a value: hold-off, clear-after, flapping, restart.
#include "model/alarms/alarm_engine.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace espial {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kStart{std::chrono::seconds{1714564800}};

// One step a second; what holds is a set of alarms of the peer "b".
class AlarmEngineTest : public ::testing::Test {
 protected:
  std::vector<Alarm> step(std::chrono::seconds wait, const std::vector<AlarmId>& holding) {
    monotonic_ += wait;
    wall_ += wait;
    std::vector<AlarmCondition> conditions;
    for (const AlarmId id : holding)
      conditions.push_back({id, rule_of(id).per_peer ? "b" : "", "seen"});
    return engine_.step(conditions, wall_, monotonic_);
  }
  // What was told in so many seconds, as a line.
  std::string told(int seconds, const std::vector<AlarmId>& holding) {
    std::string out;
    for (int i = 0; i < seconds; ++i)
      for (const Alarm& alarm : step(1s, holding))
        out += (out.empty() ? "" : " ") + alarm.name + ":" + std::string(to_string(alarm.state)) +
               (flapping(alarm) ? "~" : "");
    return out;
  }
  static bool flapping(const Alarm& alarm) {
    return alarm.evidence.find("; flapping: ") != std::string::npos;
  }
  std::size_t changes() const { return engine_.memory(monotonic_).entries.at(0).changes.size(); }
  Alarm only() const {
    const auto alarms = engine_.alarms();
    EXPECT_EQ(alarms.size(), 1U);
    return alarms.empty() ? Alarm{} : alarms.front();
  }
  // A daemon that starts `gap` after the memory of this one was taken.
  void restart(std::chrono::seconds gap) {
    const AlarmMemory memory = engine_.memory(monotonic_);
    engine_ = AlarmEngine();
    monotonic_ += 500s;  // another clock
    wall_ += gap;
    engine_.restore(memory, gap, monotonic_);
  }

  AlarmEngine engine_;
  MonoTime monotonic_{1000s};
  WallTime wall_ = kStart;
};

TEST_F(AlarmEngineTest, EveryRuleWaitsItsHoldOffAndItsClearAfter) {
  for (std::size_t i = 0; i < kAlarmRules.size(); ++i) {
    const AlarmRule& rule = kAlarmRules[i];
    SCOPED_TRACE(rule.name);
    const auto id = static_cast<AlarmId>(i);
    const auto hold = static_cast<int>(rule.hold_off.count());
    const auto clear = static_cast<int>(rule.clear_after.count());
    engine_ = AlarmEngine();
    EXPECT_EQ(told(hold, {id}), "");
    EXPECT_EQ(told(1, {id}), std::string(rule.name) + ":firing");
    EXPECT_EQ(told(clear, {}), "");
    EXPECT_EQ(only().state, AlarmState::kFiring);
    EXPECT_EQ(told(1, {}), std::string(rule.name) + ":resolved");
    EXPECT_EQ(told(600, {}), "");
    EXPECT_TRUE(engine_.alarms().empty());
  }
}

TEST_F(AlarmEngineTest, AGapShorterThanClearAfterIsNoChange) {
  EXPECT_EQ(told(20, {AlarmId::TunnelDown}), "TunnelDown:firing");
  const Alarm before = only();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(told(4, {}), "");
    EXPECT_EQ(told(1, {AlarmId::TunnelDown}), "");
  }
  EXPECT_EQ(only().since, before.since);
  EXPECT_EQ(changes(), 1U);
  EXPECT_FALSE(flapping(only()));
}

TEST_F(AlarmEngineTest, APendingThatComesToNothingIsWhatItWasBefore) {
  told(20, {AlarmId::TunnelDown});
  told(10, {});
  const Alarm resolved = only();
  ASSERT_EQ(resolved.state, AlarmState::kResolved);
  told(3, {AlarmId::TunnelDown});
  EXPECT_EQ(only().state, AlarmState::kPending);
  told(1, {});
  EXPECT_EQ(only().state, AlarmState::kResolved);
  EXPECT_EQ(only().since, resolved.since);
  EXPECT_EQ(changes(), 2U);
}

TEST_F(AlarmEngineTest, WhatKeepsChangingFiresOnAndIsToldOnce) {
  const AlarmId id = AlarmId::CleartextTraffic;  // neither hold-off nor clear-after
  std::string all;
  for (int i = 0; i < 7; ++i) {
    all += told(10, {id}) + " ";
    all += told(10, {}) + " ";
  }
  EXPECT_EQ(all,
            "CleartextTraffic:firing CleartextTraffic:resolved CleartextTraffic:firing "
            "CleartextTraffic:resolved CleartextTraffic:firing CleartextTraffic:firing~         ");
  EXPECT_EQ(only().state, AlarmState::kFiring);
  EXPECT_EQ(changes(), 14U);
  EXPECT_EQ(only().evidence, "seen; flapping: 14 changes in 10 min");
  EXPECT_EQ(engine_.history().back().since, kStart + 51s) << "when it began to flap";
  // Five quiet minutes after the last change it ends, and that is told.
  EXPECT_EQ(told(290, {}), "");
  EXPECT_EQ(told(1, {}), "CleartextTraffic:resolved");
  EXPECT_EQ(only().evidence, "seen");
  EXPECT_EQ(engine_.history().size(), 7U);
}

TEST_F(AlarmEngineTest, FlappingThatComesToRestInItsConditionFiresOnQuietly) {
  const AlarmId id = AlarmId::CleartextTraffic;
  for (int i = 0; i < 4; ++i) told(5, {id}), told(5, {});
  told(1, {id});
  const auto since = only().since;
  ASSERT_TRUE(flapping(only()));
  EXPECT_EQ(told(301, {id}), "");
  EXPECT_FALSE(flapping(only()));
  EXPECT_EQ(only().evidence, "seen");
  EXPECT_EQ(only().since, since);
}

TEST_F(AlarmEngineTest, SlowChangesAreNoFlapping) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(told(130, {AlarmId::CleartextTraffic}), "CleartextTraffic:firing");
    EXPECT_EQ(told(130, {}), "CleartextTraffic:resolved");
  }
}

TEST_F(AlarmEngineTest, ChangesAndHistoryAreBounded) {
  for (int i = 0; i < 300; ++i) step(0s, {AlarmId::CleartextTraffic}), step(0s, {});
  EXPECT_EQ(changes(), AlarmEngine::kMaxChanges);
  EXPECT_EQ(only().evidence, "seen; flapping: at least 100 changes in 10 min");
  std::vector<AlarmCondition> many;
  for (int i = 0; i < 1500; ++i)
    many.push_back({AlarmId::CleartextHost, "p" + std::to_string(i), "seen"});
  EXPECT_EQ(engine_.step(many, wall_, monotonic_).size(), 1500U);
  EXPECT_EQ(engine_.history().size(), AlarmEngine::kMaxHistory);
  EXPECT_EQ(engine_.forgotten(), 506U);
}

TEST_F(AlarmEngineTest, WhatFiredBeforeARestartIsNotNew) {
  told(5, {AlarmId::PolicyMissing});
  const Alarm before = only();
  restart(3s);
  EXPECT_EQ(only().state, AlarmState::kFiring);
  EXPECT_EQ(told(100, {AlarmId::PolicyMissing}), "");
  EXPECT_EQ(only().since, before.since);
  EXPECT_EQ(told(3, {}), "");
  EXPECT_EQ(told(1, {}), "PolicyMissing:resolved") << "seen since: its own clear-after";
}

TEST_F(AlarmEngineTest, WhatFiredBeforeARestartAndIsGoneIsResolvedAndTold) {
  told(5, {AlarmId::PolicyMissing});
  restart(86400s);
  EXPECT_EQ(told(60, {}), "") << "a new window is quiet because it is new";
  EXPECT_EQ(told(1, {}), "PolicyMissing:resolved");
}

TEST_F(AlarmEngineTest, WhatWaitedBeforeARestartWaitsOn) {
  told(4, {AlarmId::TunnelDown});
  const Alarm before = only();
  ASSERT_EQ(before.state, AlarmState::kPending);
  restart(2s);
  EXPECT_EQ(told(4, {AlarmId::TunnelDown}), "");
  EXPECT_EQ(only().since, before.since);
  EXPECT_EQ(told(1, {AlarmId::TunnelDown}), "TunnelDown:firing") << "3 + 2 + 5 seconds";

  engine_ = AlarmEngine();
  told(4, {AlarmId::TunnelDown});
  restart(2s);
  told(1, {});
  EXPECT_TRUE(engine_.alarms().empty()) << "nobody was told";

  told(4, {AlarmId::TunnelDown});
  restart(61s);
  EXPECT_TRUE(engine_.alarms().empty()) << "nobody watched for long: it begins anew";
}

TEST_F(AlarmEngineTest, FlappingAndHistorySurviveARestart) {
  for (int i = 0; i < 4; ++i) told(10, {AlarmId::CleartextTraffic}), told(10, {});
  ASSERT_TRUE(flapping(only()));
  const auto history = engine_.history().size();
  restart(5s);
  EXPECT_TRUE(flapping(only()));
  EXPECT_EQ(changes(), 8U);
  EXPECT_EQ(engine_.history().size(), history);
  EXPECT_EQ(told(1, {AlarmId::CleartextTraffic}), "") << "still flapping: not new";
  EXPECT_EQ(changes(), 9U);
}

TEST_F(AlarmEngineTest, AResolvedAlarmIsShownAsLongAsWithoutARestart) {
  told(5, {AlarmId::CleartextTraffic});
  told(200, {});
  restart(100s);
  EXPECT_EQ(told(299, {}), "");
  EXPECT_EQ(only().state, AlarmState::kResolved);
  told(2, {});
  EXPECT_TRUE(engine_.alarms().empty());
}

TEST_F(AlarmEngineTest, AnAlarmOfAnotherBuildIsLeftOut) {
  AlarmMemory memory;
  memory.entries.push_back(
      {{"NoSuchAlarm", Severity::kCritical, "b", AlarmState::kFiring, kStart, "seen"},
       1s,
       true,
       false,
       {}});
  engine_.restore(memory, 1s, monotonic_);
  EXPECT_TRUE(engine_.alarms().empty());
}

TEST_F(AlarmEngineTest, TheRevisionSaysWhenThereIsSomethingToSave) {
  const auto moves = [&](int seconds, const std::vector<AlarmId>& holding) {
    const auto before = engine_.revision();
    told(seconds, holding);
    return engine_.revision() != before;
  };
  EXPECT_FALSE(moves(10, {}));
  EXPECT_TRUE(moves(1, {AlarmId::TunnelDown})) << "pending";
  EXPECT_FALSE(moves(5, {AlarmId::TunnelDown}));
  EXPECT_TRUE(moves(5, {AlarmId::TunnelDown})) << "firing";
  EXPECT_FALSE(moves(100, {AlarmId::TunnelDown}));
  EXPECT_TRUE(moves(10, {})) << "resolved";
  EXPECT_FALSE(moves(300, {}));
  EXPECT_TRUE(moves(310, {})) << "shown no longer";
}

TEST_F(AlarmEngineTest, TheWallClockMovesNoDuration) {
  told(4, {AlarmId::TunnelDown});
  wall_ -= std::chrono::hours{30};
  EXPECT_EQ(told(6, {AlarmId::TunnelDown}), "");
  wall_ += std::chrono::hours{60};
  EXPECT_EQ(told(1, {AlarmId::TunnelDown}), "TunnelDown:firing");
  wall_ += std::chrono::hours{60};
  EXPECT_EQ(told(5, {}), "");
  EXPECT_EQ(told(1, {}), "TunnelDown:resolved");
}

TEST(AlarmRules, EachAlarmNamesItsRunbook) {
  EXPECT_EQ(runbook_of("TunnelDown"), "/usr/share/espial/runbooks/EspialTunnelDown.md");
}

}  // namespace
}  // namespace espial
