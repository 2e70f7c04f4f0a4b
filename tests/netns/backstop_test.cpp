// SPDX-License-Identifier: Apache-2.0
// Backstop policies in the running kernel, each test in a network namespace of its own that ends
// with it. Needs root and iproute2.
#include "daemon/instance/backstop.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "sources/netlink/backstop_socket.h"
#include "unit/facts_builder.h"

namespace espial {
namespace {

using test::net;
using Clock = std::chrono::steady_clock;

Moment moment() { return {std::chrono::system_clock::now(), Clock::now(), "boot"}; }

bool ip(const std::string& arguments) { return std::system(("ip " + arguments).c_str()) == 0; }

// Policies of the namespace that the kernel shows with this word.
std::size_t shown(const std::string& word) {
  FILE* pipe = popen("ip xfrm policy", "r");
  std::string text;
  for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) text += static_cast<char>(c);
  pclose(pipe);
  std::size_t count = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

class BackstopTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0) << "needs root";
    config_.enforce.backstop = true;
    topology_.peers[0].mode = Mode::ENFORCE;
  }
  BackstopSnapshot follow(const Config& config, Follow how = Follow::kWhole) {
    const auto now = moment();
    return follow_plan(config, plan_backstop(config.enforce, topology_, {}, modes_, now), now, how);
  }
  BackstopSnapshot follow(Follow how = Follow::kWhole) { return follow(config_, how); }

  Config config_;
  Topology topology_ = test::mesh();
  PeerModes modes_;
};

TEST_F(BackstopTest, IsPlacedOnceAndRemoved) {
  EXPECT_EQ(follow(Follow::kLook).in_place, 0U);
  EXPECT_EQ(follow(Follow::kRemove).in_place, 0U);
  for (int i = 0; i < 2; ++i) {
    const auto seen = follow();
    EXPECT_EQ(seen.why, "");
    EXPECT_EQ(seen.wanted, 4U);
    EXPECT_EQ(seen.in_place, 4U);
  }
  EXPECT_EQ(shown("dir "), 4U);
  EXPECT_EQ(follow(Follow::kRemove).in_place, 4U);
  topology_.peers[0].mode = Mode::AUDIT;
  (void)follow(Follow::kRemove);
  EXPECT_EQ(shown("dir "), 0U);
}

TEST_F(BackstopTest, LeavesWhatOthersPlaced) {
  // The very selectors that espial uses, once of the very priority.
  ASSERT_TRUE(
      ip("xfrm policy add src 10.101.2.0/24 dst 10.101.1.0/24 dir in action block "
         "priority 4294967295"));
  ASSERT_TRUE(ip("xfrm policy add src 0.0.0.0/0 dst 10.101.2.0/24 dir out action block"));
  Config other = config_;
  other.instance = "other";
  EXPECT_EQ(follow(other).in_place, 4U);
  EXPECT_EQ(follow().in_place, 4U);
  EXPECT_EQ(shown("dir "), 10U);
  // An IKE daemon replaces and deletes its own.
  ASSERT_TRUE(ip("xfrm policy update src 10.101.2.0/24 dst 10.101.1.0/24 dir in action allow"));
  ASSERT_TRUE(ip("xfrm policy delete src 10.101.2.0/24 dst 10.101.1.0/24 dir in"));
  EXPECT_EQ(follow(Follow::kLook).in_place, 4U);
  const auto removed = remove_backstop(config_.instance);
  ASSERT_TRUE(removed.ok());
  EXPECT_EQ(*removed, 4U);
  EXPECT_EQ(follow(other, Follow::kLook).in_place, 4U);
  EXPECT_EQ(shown("dir "), 5U);
  EXPECT_EQ(*remove_backstop("other"), 4U);
  EXPECT_EQ(shown("dst 10.101.2.0/24"), 1U) << "the administrator's is gone";
}

TEST_F(BackstopTest, ComesBackAfterAFlush) {
  Backstop backstop;
  const auto step = [&] { backstop.follow(config_, topology_, {}, modes_, moment()); };
  step();
  ASSERT_TRUE(ip("xfrm policy flush"));
  step();
  EXPECT_EQ(shown("dir "), 0U) << "looked without being told";
  backstop.distrust();
  step();
  EXPECT_EQ(shown("dir "), 4U);
  config_.enforce.backstop = false;
  step();
  EXPECT_EQ(shown("dir "), 0U);
  EXPECT_FALSE(backstop.snapshot().enabled);
}

TEST_F(BackstopTest, RemovesWhatAnEarlierRunLeft) {
  (void)follow();
  config_.enforce.backstop = false;
  Backstop backstop;
  backstop.follow(config_, topology_, {}, modes_, moment());
  EXPECT_EQ(shown("dir "), 0U);
}

TEST_F(BackstopTest, TheKernelKeepsTheDeadline) {
  const auto started = Clock::now();
  const auto now = moment();
  auto& policy = modes_["node2"];
  policy.mode = Mode::ENFORCE;
  const auto seconds = std::chrono::seconds{2};
  policy.confirm = Confirmation{{now.wall + seconds, now.monotonic + seconds, now.boot}, {}};
  ASSERT_EQ(follow().in_place, 4U);
  while (shown("dir ") != 0 && Clock::now() - started < std::chrono::minutes{1})
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  EXPECT_EQ(shown("dir "), 0U);
  EXPECT_GE(Clock::now() - started, std::chrono::milliseconds{900}) << "too soon";
}

TEST_F(BackstopTest, AConfirmedOneLosesItsDeadline) {
  const auto now = moment();
  auto& policy = modes_["node2"];
  policy.mode = Mode::ENFORCE;
  policy.confirm = Confirmation{
      {now.wall + std::chrono::minutes{1}, now.monotonic + std::chrono::minutes{1}, now.boot}, {}};
  ASSERT_EQ(follow().in_place, 4U);
  policy.confirm.reset();
  ASSERT_EQ(follow().in_place, 4U);
  auto kernel = BackstopSocket::open(config_.instance);
  ASSERT_TRUE(kernel.ok());
  const auto placed = kernel->read();
  ASSERT_TRUE(placed.ok());
  ASSERT_EQ(placed->size(), 4U);
  for (const auto& one : *placed) EXPECT_FALSE(one.expires);
}

}  // namespace
}  // namespace espial
