// SPDX-License-Identifier: Apache-2.0
// What followers are told: each flow once, lasting ones again, and how many could not be told.
#include "daemon/flow_feed.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace espial {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

const WallTime kStart = WallTime(seconds(1767323045));

FlowRecord flow(std::uint16_t port, WallTime when, std::uint64_t packets = 1) {
  FlowRecord record;
  record.source = *IpAddress::parse("10.101.1.10");
  record.destination = *IpAddress::parse("10.101.0.10");
  record.source_port = port;
  record.destination_port = 80;
  record.protocol = 6;
  record.peer = "node2";
  record.device = "eth0";
  record.packets = packets;
  record.first = record.last = when;
  return record;
}

class FlowFeedTest : public ::testing::Test {
 protected:
  // Lines of one follower, and whether there is room for more.
  struct Reader {
    std::vector<json> lines;
    std::size_t room = 1000000;
  };

  FlowFeed::Look look() const { return {table_, drops_, withheld_}; }
  std::vector<json> told(FlowFeed::Id id, const char* event) {
    std::vector<json> out;
    for (const auto& line : readers_[id].lines)
      if (line["event"] == event) out.push_back(line);
    return out;
  }
  std::size_t flows(FlowFeed::Id id) { return told(id, "flow").size(); }

  std::map<FlowFeed::Id, Reader> readers_;
  std::vector<FlowRecord> table_;
  std::vector<DropRecord> drops_;
  std::uint64_t withheld_ = 0;
  FlowFeed feed_{[this](FlowFeed::Id id, std::string_view line) {
    Reader& reader = readers_[id];
    if (reader.room == 0) return false;
    --reader.room;
    EXPECT_EQ(line.back(), '\n');
    reader.lines.push_back(json::parse(line));
    return true;
  }};
};

TEST_F(FlowFeedTest, BeginsWithNothingOldUnlessAsked) {
  table_ = {flow(1, kStart - seconds(5)), flow(2, kStart - seconds(50))};
  feed_.open(1, "node1", kStart, look());
  feed_.open(2, "node1", kStart - seconds(10), look());
  EXPECT_EQ(told(1, "start").at(0)["schema_version"], 1);
  EXPECT_EQ(flows(1), 0U);
  ASSERT_EQ(flows(2), 1U);
  EXPECT_EQ(told(2, "flow")[0]["source_port"], 1);
  EXPECT_EQ(told(2, "flow")[0]["again"], false);
}

TEST_F(FlowFeedTest, EachFlowOnceFromEventAndTable) {
  feed_.open(1, "node1", kStart, look());
  feed_.events({flow(1, kStart + milliseconds(5)), flow(2, kStart + milliseconds(6))});
  EXPECT_EQ(flows(1), 2U);
  // The table has them, with times that another look made; and the other CPU's event of one.
  table_ = {flow(2, kStart + milliseconds(7)), flow(1, kStart + milliseconds(900), 700)};
  feed_.events({flow(1, kStart + milliseconds(8))});
  feed_.tick(look());
  EXPECT_EQ(flows(1), 2U);
}

TEST_F(FlowFeedTest, AFlowThatGoesOnFromBeforeIsToldOnceAMinute) {
  table_ = {flow(1, kStart - seconds(100), 10)};
  feed_.open(1, "node1", kStart, look());
  feed_.tick(look());
  EXPECT_EQ(flows(1), 0U);
  for (int second = 1; second <= 125; ++second) {
    table_[0].packets += 5;
    table_[0].last = kStart + seconds(second);
    feed_.tick(look());
  }
  const auto lines = told(1, "flow");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0]["again"], true);
  EXPECT_EQ(lines[0]["packets"], 15);
  EXPECT_EQ(lines[1]["packets"], 15 + 60 * 5);
  // It falls silent: nothing more.
  for (int second = 0; second < 200; ++second) feed_.tick(look());
  EXPECT_EQ(flows(1), 3U);
}

TEST_F(FlowFeedTest, EveryFollowerHasItsOwnView) {
  feed_.open(1, "node1", kStart, look());
  feed_.events({flow(1, kStart + seconds(1))});
  feed_.open(2, "node1", kStart + seconds(2), look());
  feed_.events({flow(2, kStart + seconds(3))});
  feed_.close(1);
  feed_.events({flow(3, kStart + seconds(4))});
  EXPECT_EQ(flows(1), 2U);
  EXPECT_EQ(flows(2), 2U);
  EXPECT_FALSE(feed_.empty());
  feed_.close(2);
  EXPECT_TRUE(feed_.empty());
}

TEST_F(FlowFeedTest, WhatAReaderCannotTakeIsCountedAndToldInItsPlace) {
  feed_.open(1, "node1", kStart, look());
  feed_.open(2, "node1", kStart, look());
  readers_[1].room = 3;
  for (std::uint16_t port = 1; port <= 10; ++port) feed_.events({flow(port, kStart + seconds(1))});
  EXPECT_EQ(flows(1), 3U);
  EXPECT_EQ(flows(2), 10U) << "a stalled reader held up another";
  readers_[1].room = 1000;
  feed_.tick(look());
  EXPECT_EQ(readers_[1].lines.back()["lost"], 7);
  feed_.events({flow(11, kStart + seconds(2))});
  EXPECT_EQ(flows(1), 4U);
  EXPECT_EQ(told(1, "lost").size(), 1U);
  EXPECT_EQ(told(2, "lost").size(), 0U);
}

// An event that the rate limit kept back is no loss where the table has the flow.
TEST_F(FlowFeedTest, WithheldEventsAreLostOnlyIfTheTableLostThemToo) {
  withheld_ = 40;
  feed_.open(1, "node1", kStart, look());
  withheld_ = 40 + 3;
  table_ = {flow(1, kStart + seconds(1)), flow(2, kStart + seconds(1))};
  feed_.tick(look());
  EXPECT_EQ(flows(1), 2U);
  ASSERT_EQ(told(1, "lost").size(), 1U);
  EXPECT_EQ(told(1, "lost")[0]["lost"], 1);
}

TEST_F(FlowFeedTest, KernelDropsAreToldByTheTable) {
  feed_.open(1, "node1", kStart, look());
  DropRecord drop;
  drop.source = *IpAddress::parse("fd00::1");
  drop.destination = *IpAddress::parse("fd00::2");
  drop.peer = "node2";
  drop.reason = "NETFILTER_DROP";
  drop.hook = Hook::FORWARD;
  drop.packets = 4;
  drop.first = drop.last = kStart + seconds(1);
  drops_ = {drop, drop};
  drops_[1].hook = Hook::INPUT;
  feed_.tick(look());
  feed_.tick(look());
  const auto lines = told(1, "kernel_drop");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["hook"], "forward");
  EXPECT_EQ(lines[0]["packets"], 4);
}

TEST_F(FlowFeedTest, AFloodDoesNotGrowWithoutEnd) {
  FlowFollow<FlowRecord> follow(kStart);
  std::size_t told = 0;
  for (std::uint32_t i = 0; i < 3 * FlowFollow<FlowRecord>::kMaxRemembered; ++i) {
    auto record = flow(static_cast<std::uint16_t>(i), kStart + seconds(1));
    record.destination_port = static_cast<std::uint16_t>(i >> 16);
    if (follow.event(record)) ++told;
    if (i % 1000 == 0) (void)follow.table({});
  }
  EXPECT_EQ(told, 3 * FlowFollow<FlowRecord>::kMaxRemembered);
  (void)follow.table({});
  EXPECT_LE(follow.remembered(), FlowFollow<FlowRecord>::kMaxRemembered);
}

}  // namespace
}  // namespace espial
