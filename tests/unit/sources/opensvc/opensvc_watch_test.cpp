// SPDX-License-Identifier: Apache-2.0
#include "sources/opensvc/opensvc_watch.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "unit/facts_builder.h"

namespace espial {
namespace {

// A folder of its own, and files put into it as the agent does: beside the old one, then renamed.
class OpensvcWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/espial-opensvc-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ + "/etc/cluster.conf";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void put(const std::string& nodes) const {
    std::filesystem::create_directories(folder_ + "/etc");
    std::ofstream(path_ + ".new") << "[cluster]\nnodes = " << nodes
                                  << "\n[network#n]\ntype = routed_bridge\n"
                                     "network = 10.101.0.0/16\naddr = 10.45.0.9\n";
    std::filesystem::rename(path_ + ".new", path_);
  }

  // The next facts; none within the time is a failure.
  static OpensvcFacts next(OpensvcWatch& watch) {
    pollfd wait{watch.fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&wait, 1, 50000), 1) << "nothing was told";
    return watch.take();
  }

  std::string folder_;
  std::string path_;
};

TEST_F(OpensvcWatchTest, TellsOfEachReplacement) {
  put("node1");
  bool prepared = false;
  auto watch = OpensvcWatch::start({path_}, [&] { prepared = true; });
  ASSERT_TRUE(watch.ok());
  auto facts = watch->first(60000);
  EXPECT_TRUE(prepared);
  EXPECT_TRUE(facts.readable()) << facts.reason;
  ASSERT_EQ(facts.networks.size(), 1u);
  EXPECT_EQ(facts.networks[0].members[0].address, test::addr("10.45.0.9"));
  for (const std::string nodes : {"node1 node2", "node1 node2 node3", "node2"}) {
    put(nodes);
    facts = next(*watch);
    EXPECT_EQ(facts.nodes.size(), (nodes.size() + 1) / 6) << nodes;
  }
  // The same again is no news.
  put("node2");
  pollfd wait{watch->fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&wait, 1, 100), 0);
}

TEST_F(OpensvcWatchTest, AFolderThatComesLater) {
  auto watch = OpensvcWatch::start({path_});
  ASSERT_TRUE(watch.ok());
  EXPECT_EQ(watch->first(60000).state, OpensvcState::kAbsent);
  put("node1");
  EXPECT_TRUE(next(*watch).readable());
  std::filesystem::remove(path_);
  EXPECT_EQ(next(*watch).state, OpensvcState::kAbsent);
  std::ofstream(path_) << "";
  const auto facts = next(*watch);
  EXPECT_EQ(facts.state, OpensvcState::kUnreadable);
  EXPECT_NE(facts.reason.find("cluster.nodes is empty"), std::string::npos) << facts.reason;
}

TEST_F(OpensvcWatchTest, ReadsOnceWithoutAThread) {
  EXPECT_EQ(read_opensvc({path_}).state, OpensvcState::kAbsent);
  put("node1 node2");
  EXPECT_TRUE(read_opensvc({path_}).readable());
}

}  // namespace
}  // namespace espial
