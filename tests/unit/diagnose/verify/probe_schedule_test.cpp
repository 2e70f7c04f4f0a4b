// SPDX-License-Identifier: Apache-2.0
// When probes are sent: rates, jitter, fairness, all as time says.
#include "diagnose/verify/probe_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace espial {
namespace {

using namespace std::chrono_literals;
using Time = ProbeSchedule::Time;

const Time kStart{1000s};
const auto kNobody = [](std::size_t) { return false; };

// Two families of `peers` peers, as the daemon lists them.
std::vector<std::size_t> two_of_each(std::size_t peers) {
  std::vector<std::size_t> groups;
  for (std::size_t i = 0; i < 2 * peers; ++i) groups.push_back(i / 2);
  return groups;
}

struct Sent {
  Time time;
  std::size_t probe;
};

// A daemon's loop that sleeps until it is woken, as the schedule asks for.
std::vector<Sent> run(ProbeSchedule& schedule, Time from, Time until,
                      const ProbeSchedule::IsOut& is_out = kNobody) {
  std::vector<Sent> sent;
  for (Time now = std::max(from, schedule.wake()); now < until;
       now = std::max(now + 1us, schedule.wake()))
    while (const auto probe = schedule.take(now, is_out)) sent.push_back({now, *probe});
  return sent;
}

std::chrono::nanoseconds least_gap(const std::vector<Sent>& sent) {
  std::chrono::nanoseconds least = 1h;
  for (std::size_t i = 1; i < sent.size(); ++i)
    least = std::min(least, std::chrono::nanoseconds{sent[i].time - sent[i - 1].time});
  return least;
}

TEST(ProbeSchedule, NothingIsSentUnlessItIsWanted) {
  ProbeSchedule schedule(1);
  EXPECT_EQ(schedule.wake(), Time::max());
  schedule.plan(two_of_each(3), {0s, 10, 1s}, kStart);
  EXPECT_EQ(schedule.wake(), Time::max());
  EXPECT_FALSE(schedule.take(kStart + 1h, kNobody));
  schedule.plan({}, {30s, 10, 1s}, kStart);
  EXPECT_FALSE(schedule.take(kStart + 1h, kNobody));
  EXPECT_EQ(schedule.round(), 0s);
}

TEST(ProbeSchedule, EveryWayIsProbedOnceInAnInterval) {
  ProbeSchedule schedule(7);
  schedule.plan(two_of_each(2), {30s, 10, 1s}, kStart);
  EXPECT_EQ(schedule.round(), 30s);
  const auto sent = run(schedule, kStart, kStart + 300s);
  ASSERT_EQ(sent.size(), 40U);
  std::map<std::size_t, std::vector<Time>> by_probe;
  for (const auto& one : sent) by_probe[one.probe].push_back(one.time);
  ASSERT_EQ(by_probe.size(), 4U);
  for (const auto& [probe, times] : by_probe) {
    EXPECT_EQ(times.size(), 10U);
    for (std::size_t i = 1; i < times.size(); ++i) {
      // What the alarm's promise is made of: at most a quarter of a slot late.
      EXPECT_LE(times[i] - times[i - 1], 30s + 7500ms / 4);
      EXPECT_GE(times[i] - times[i - 1], 30s - 7500ms / 4);
    }
  }
  EXPECT_LE(sent.front().time, kStart + 2s) << "the first ones come at once";
}

TEST(ProbeSchedule, AThousandPeersNeverBurst) {
  ProbeSchedule schedule(3);
  schedule.plan(two_of_each(1000), {60s, 10, 1s}, kStart);
  EXPECT_EQ(schedule.round(), 200s) << "2,000 probes, 10 a second";
  const auto sent = run(schedule, kStart, kStart + 400s);
  EXPECT_NEAR(static_cast<double>(sent.size()), 4000, 1);
  EXPECT_GE(least_gap(sent), 100ms);
  std::map<std::size_t, std::size_t> times;
  for (const auto& one : sent) ++times[one.probe];
  EXPECT_EQ(times.size(), 2000U);
  for (const auto& [probe, count] : times) EXPECT_LE(count, 2U) << probe;
  // The two of a peer are half a round apart.
  std::map<std::size_t, Time> first;
  for (const auto& one : sent) first.emplace(one.probe, one.time);
  for (std::size_t peer = 0; peer < 1000; ++peer) {
    const auto apart = std::chrono::abs(first.at(2 * peer) - first.at(2 * peer + 1));
    EXPECT_GT(apart, 90s) << peer;
  }
}

TEST(ProbeSchedule, ALooserLimitMakesNoBurstEither) {
  ProbeSchedule schedule(3);
  schedule.plan(two_of_each(1000), {60s, 100, 1s}, kStart);
  EXPECT_EQ(schedule.round(), 60s);
  const auto sent = run(schedule, kStart, kStart + 60s);
  EXPECT_GE(least_gap(sent), 10ms);
  std::map<std::int64_t, std::size_t> by_second;
  for (const auto& one : sent)
    ++by_second[std::chrono::floor<std::chrono::seconds>(one.time.time_since_epoch()).count()];
  for (const auto& [second, count] : by_second) EXPECT_LE(count, 35U) << second;
}

TEST(ProbeSchedule, JitterIsOfEachNode) {
  std::set<std::int64_t> moments;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    ProbeSchedule schedule(seed);
    schedule.plan(two_of_each(2), {30s, 10, 1s}, kStart);
    const auto sent = run(schedule, kStart, kStart + 120s);
    moments.insert((sent.back().time - kStart).count());
    EXPECT_GE(least_gap(sent), 5s) << "of 7.5 s a quarter";
  }
  EXPECT_GT(moments.size(), 45U);
}

TEST(ProbeSchedule, AHiccupIsMadeUpForWithoutABurst) {
  ProbeSchedule schedule(9);
  schedule.plan(two_of_each(10), {10s, 5, 1s}, kStart);
  run(schedule, kStart, kStart + 10s);
  // Half a round without a look: ten are due at once.
  const auto sent = run(schedule, kStart + 15s, kStart + 20s);
  EXPECT_GE(sent.size(), 19U);
  EXPECT_LE(sent.size(), 21U);
  EXPECT_GE(least_gap(sent), 200ms);
}

TEST(ProbeSchedule, AStandstillIsNotMadeUpFor) {
  ProbeSchedule schedule(9);
  schedule.plan(two_of_each(10), {10s, 5, 1s}, kStart);
  run(schedule, kStart, kStart + 20s);
  // An hour without a look: suspended, or stopped by somebody.
  const auto sent = run(schedule, kStart + 1h, kStart + 1h + 20s);
  EXPECT_GE(least_gap(sent), 200ms);
  EXPECT_LE(sent.size(), 62U) << "two rounds, and what one round may have gathered";
  std::map<std::size_t, std::size_t> times;
  for (const auto& one : sent) ++times[one.probe];
  EXPECT_EQ(times.size(), 20U);
}

TEST(ProbeSchedule, TwoOfOnePeerAreNeverOut) {
  ProbeSchedule schedule(5);
  // One peer with many pods beside one with two ways.
  std::vector<std::size_t> groups(12, 0);
  groups.insert(groups.end(), {1, 1});
  schedule.plan(groups, {5s, 100, 1s}, kStart);
  EXPECT_NEAR(std::chrono::duration<double>(schedule.round()).count(), 18, 1e-6)
      << "12 ways of one peer, a second and a half for each";
  // Each probe is out for its whole second.
  std::map<std::size_t, Time> last;
  std::map<std::size_t, std::size_t> times;
  Time now = kStart;
  const auto is_out = [&](std::size_t group) {
    return last.count(group) != 0 && now - last[group] < 1s;
  };
  for (; now < kStart + 180s; now += 10ms)
    while (const auto probe = schedule.take(now, is_out)) {
      EXPECT_FALSE(is_out(groups[*probe]));
      last[groups[*probe]] = now;
      ++times[*probe];
    }
  ASSERT_EQ(times.size(), groups.size());
  for (const auto& [probe, count] : times) {
    EXPECT_GE(count, 9U) << probe;
    EXPECT_LE(count, 11U) << probe;
  }
}

TEST(ProbeSchedule, WhoIsOutLetsOthersGoFirst) {
  ProbeSchedule schedule(5);
  schedule.plan({0, 1}, {10s, 10, 1s}, kStart);
  bool out = true;
  const auto first_is_out = [&](std::size_t group) { return out && group == 0; };
  std::set<std::size_t> seen;
  for (const auto& one : run(schedule, kStart, kStart + 29s, first_is_out)) seen.insert(one.probe);
  EXPECT_EQ(seen, std::set<std::size_t>{1});
  out = false;
  EXPECT_EQ(schedule.take(kStart + 29s, first_is_out), std::size_t{0}) << "as soon as that ended";
  EXPECT_FALSE(schedule.take(kStart + 29500ms, first_is_out)) << "once, however long it waited";
}

TEST(ProbeSchedule, ATopologyThatNeverRestsStarvesNobody) {
  ProbeSchedule schedule(11);
  std::map<std::size_t, std::size_t> times;
  // A peer comes or goes every three seconds; the first twenty stay.
  for (int i = 0; i < 100; ++i) {
    const Time now = kStart + i * 3s;
    schedule.plan(two_of_each(20 + static_cast<std::size_t>(i % 2)), {30s, 10, 1s}, now);
    for (const auto& one : run(schedule, now, now + 3s)) ++times[one.probe];
  }
  for (std::size_t probe = 0; probe < 40; ++probe) {
    EXPECT_GE(times[probe], 7U) << probe;
    EXPECT_LE(times[probe], 13U) << probe;
  }
}

}  // namespace
}  // namespace espial
