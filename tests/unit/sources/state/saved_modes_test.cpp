// SPDX-License-Identifier: Apache-2.0
#include "sources/state/saved_modes.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace espial {
namespace {

using namespace std::chrono_literals;

class SavedPolicyTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "espial-policy-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string root_;
};

PeerModes modes() {
  const Moment then{WallTime{1714564800250ms}, MonoTime{5000000000123ns}, "a-boot"};
  PeerModes out;
  out["node \"2\\"].mode = Mode::ENFORCE;
  out["node \"2\\"].span = Span{Mode::ENFORCE, then, 12345};
  out["node \"2\\"].confirm = Confirmation{then, Mode::AUDIT};
  out["node3"].span = Span{Mode::AUDIT, then, 0};
  return out;
}

TEST_F(SavedPolicyTest, NoFileIsNoPolicy) {
  const auto loaded = SavedModes(root_ + "/none").load();
  ASSERT_TRUE(loaded.ok());
  EXPECT_FALSE(*loaded);
}

TEST_F(SavedPolicyTest, WhatIsSavedIsLoaded) {
  const SavedModes file(root_ + "/state");
  ASSERT_TRUE(file.save(modes()).ok());
  struct stat info = {};
  ASSERT_EQ(::stat(file.path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  const auto loaded = file.load();
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(modes_to_json(**loaded), modes_to_json(modes()));
  const auto& peer_mode = (*loaded)->at("node \"2\\");
  EXPECT_EQ(peer_mode.mode, Mode::ENFORCE);
  ASSERT_TRUE(peer_mode.span && peer_mode.confirm);
  EXPECT_EQ(peer_mode.span->encrypted, 12345U);
  EXPECT_EQ(peer_mode.confirm->deadline.monotonic, MonoTime{5000000000123ns});
  EXPECT_EQ(peer_mode.confirm->deadline.wall, WallTime{1714564800250ms});
  EXPECT_EQ(peer_mode.confirm->deadline.boot, "a-boot");
  EXPECT_EQ((*loaded)->at("node3").mode, std::nullopt);
}

TEST_F(SavedPolicyTest, WhatCannotBeWrittenWholeReplacesNothing) {
  const SavedModes file(root_ + "/state");
  ASSERT_TRUE(file.save(modes()).ok());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit sixteen_bytes{16, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &sixteen_bytes), 0);
  const auto status = file.save({});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(status.ok());
  const auto loaded = file.load();
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(modes_to_json(**loaded), modes_to_json(modes()));
  const std::filesystem::directory_iterator folder(root_ + "/state");
  EXPECT_EQ(std::distance(begin(folder), end(folder)), 1) << "nothing half-written is left";
}

TEST_F(SavedPolicyTest, ACorruptFileIsToldAndKeptAside) {
  for (const char* text : {"", "[]", "{}", R"({"schema_version":2,"peers":{}})",
                           R"({"schema_version":1,"peers":{"a":{"mode":"drop"}}})",
                           R"({"schema_version":1,"peers":{"a":{"confirm":{"before":"audit"}}}})",
                           R"({"schema_version":1,"peers":{"a":{"in_force":{"mode":1}}}})"}) {
    const SavedModes file(root_);
    std::ofstream(file.path()) << text;
    const auto loaded = file.load();
    ASSERT_FALSE(loaded.ok()) << text;
    EXPECT_EQ(loaded.error().message.find('\n'), std::string::npos);
    EXPECT_FALSE(file.load().ok()) << "nobody takes it for no policy";
    const auto error = file.set_aside(loaded.error());
    EXPECT_NE(error.message.find("kept aside as " + file.path() + ".corrupt"), std::string::npos);
    EXPECT_TRUE(file.load().ok());
  }
}

TEST_F(SavedPolicyTest, AFolderThatCannotBeWrittenIsAnError) {
  std::ofstream(root_ + "/file") << "x";
  EXPECT_FALSE(SavedModes(root_ + "/file/state").save(modes()).ok());
}

}  // namespace
}  // namespace espial
