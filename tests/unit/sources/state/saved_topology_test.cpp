// SPDX-License-Identifier: Apache-2.0
#include "sources/state/saved_topology.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "unit/facts_builder.h"

namespace espial {
namespace {

class SavedTopologyTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "espial-saved-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  [[nodiscard]] std::string state() const { return root_ + "/state"; }
  void write(const std::string& text) const {
    std::filesystem::create_directories(state());
    std::ofstream(state() + "/topology.json") << text;
  }
  [[nodiscard]] std::size_t files() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(state()))
      count += entry.exists() ? 1 : 0;
    return count;
  }

  std::string root_;
};

mode_t mode_of(const std::string& path) {
  struct stat info = {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
}

TEST_F(SavedTopologyTest, NoFileIsAnEmptyTopology) {
  const auto loaded = SavedTopology(state()).load();
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(*loaded, Topology{});
}

TEST_F(SavedTopologyTest, WhatIsSavedIsLoaded) {
  auto topology = test::mesh();
  topology.peers[0].from = Origin::kPolicy;
  topology.peers[0].from.add(Origin::kState);
  topology.peers[0].state = PeerState::kLearnt;
  topology.peers[1].underlays.push_back({test::addr("fd00:45::13"), Origin::kSaved});
  const SavedTopology saved(state());
  ASSERT_TRUE(saved.save(topology).ok());
  const auto loaded = saved.load();
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(*loaded, topology);
  EXPECT_EQ(mode_of(saved.path()), 0600u);
  EXPECT_EQ(mode_of(state()), 0700u);
  ASSERT_TRUE(saved.save(topology).ok());
  EXPECT_EQ(files(), 1u);  // no temporary file is left behind
}

TEST_F(SavedTopologyTest, ACorruptFileIsAnErrorOnceAndKeptAside) {
  const char* const kCorrupt[] = {
      "",
      "{",
      "[]",
      "{}",
      R"({"schema_version": "1"})",
      R"({"schema_version": 2})",
      R"({"schema_version":1,"node":"n","self_underlays":[{"address":"x","from":[]}],
          "self_backends":[],"peers":[]})",
      R"({"schema_version":1,"node":"n","self_underlays":[],"self_backends":
          [{"prefix":"10.0.0.1/8","network":"","from":[]}],"peers":[]})",
      R"({"schema_version":1,"node":"n","self_underlays":[],"self_backends":[],
          "peers":[{"name":"p","state":"odd","from":[],"underlays":[],"backends":[]}]})",
      R"({"schema_version":1,"node":7,"self_underlays":{},"self_backends":3,"peers":null})",
  };
  const SavedTopology saved(state());
  for (const char* text : kCorrupt) {
    write(text);
    const auto loaded = saved.load();
    ASSERT_FALSE(loaded.ok()) << text;
    EXPECT_EQ(loaded.error().message.rfind(saved.path() + ": saved topology: ", 0), 0u)
        << loaded.error().message;
    EXPECT_NE(loaded.error().message.find("kept aside as " + saved.path() + ".corrupt"),
              std::string::npos);
    EXPECT_TRUE(std::filesystem::exists(saved.path() + ".corrupt"));
    EXPECT_EQ(*saved.load(), Topology{});
    EXPECT_TRUE(saved.save(test::mesh()).ok());
  }
}

TEST_F(SavedTopologyTest, EveryTruncationIsAnErrorNotACrash) {
  const auto text = topology_to_json(test::mesh());
  const auto content = text.find_last_of('}') + 1;
  for (std::size_t size = 0; size < content; ++size)
    EXPECT_FALSE(topology_from_json(std::string_view(text).substr(0, size)).ok()) << size;
  EXPECT_TRUE(topology_from_json(text).ok());
}

TEST_F(SavedTopologyTest, ForgetRemovesOnePeer) {
  const SavedTopology saved(state());
  ASSERT_TRUE(saved.save(test::mesh()).ok());
  EXPECT_FALSE(*saved.forget("node9"));
  EXPECT_TRUE(*saved.forget("node2"));
  const auto loaded = saved.load();
  EXPECT_EQ(loaded->find("node2"), nullptr);
  EXPECT_NE(loaded->find("node3"), nullptr);
}

TEST_F(SavedTopologyTest, AFolderThatCannotBeMadeIsNamed) {
  std::ofstream(root_ + "/file") << "x";
  const auto status = SavedTopology(root_ + "/file/state").save(test::mesh());
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find(root_ + "/file/state: create"), std::string::npos);
}

}  // namespace
}  // namespace espial
