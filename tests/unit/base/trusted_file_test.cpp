// SPDX-License-Identifier: Apache-2.0
#include "base/trusted_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace espial {
namespace {

class TrustedFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "espial-trust-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ + "/policy.json";
    std::ofstream(path_) << "text";
    chmod(path_.c_str(), 0600);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string problem(Trust trust = Trust::kOwners) const {
    const auto read = read_file(path_, trust);
    return read.ok() ? "" : read.error().message;
  }

  std::string folder_;
  std::string path_;
};

TEST_F(TrustedFile, IsReadWhole) {
  EXPECT_EQ(read_file(path_, Trust::kOwners).value(), "text");
  EXPECT_EQ(read_file(folder_ + "/none", Trust::kOwners).value(), std::nullopt);
}

TEST_F(TrustedFile, AFifoIsNotWaitedFor) {
  unlink(path_.c_str());
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(problem(), path_ + ": is not a regular file");
  EXPECT_EQ(problem(Trust::kNone), path_ + ": is not a regular file");
}

TEST_F(TrustedFile, LinksFoldersAndDevicesAreNone) {
  unlink(path_.c_str());
  ASSERT_EQ(symlink("/etc/hostname", path_.c_str()), 0);
  EXPECT_NE(problem(), "");
  unlink(path_.c_str());
  mkdir(path_.c_str(), 0700);
  EXPECT_EQ(problem(), path_ + ": is not a regular file");
}

TEST_F(TrustedFile, WhatOthersMayWriteIsNotBelieved) {
  for (const mode_t mode : {0620, 0602, 0666}) {
    chmod(path_.c_str(), mode);
    EXPECT_EQ(problem(), path_ + ": others may write it: not believed (chmod go-w " + path_ + ")");
    EXPECT_EQ(problem(Trust::kNone), "");
  }
  chmod(path_.c_str(), 0644);
  EXPECT_EQ(problem(), "");
  chmod(folder_.c_str(), 0777);
  EXPECT_NE(problem().find("others may write it"), std::string::npos);
}

TEST_F(TrustedFile, AStrangersIsNotBelieved) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  ASSERT_EQ(chown(path_.c_str(), 12345, 0), 0);
  EXPECT_EQ(problem(), path_ + ": belongs to user 12345: not believed (chown it, or remove it)");
}

}  // namespace
}  // namespace espial
