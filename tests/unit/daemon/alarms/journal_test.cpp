// SPDX-License-Identifier: Apache-2.0
// What the journal gets, against a stand-in for journald's socket that may stop reading.
#include "daemon/alarms/journal.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "daemon/alarms/alarm_log.h"
#include "model/alarms/alarms.h"

namespace espial {
namespace {

class JournalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "espial-journal-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    socket_ = root_ + "/socket";
    ASSERT_EQ(::pipe(pipe_), 0);
    struct stat info = {};
    ASSERT_EQ(::fstat(pipe_[1], &info), 0);
    stream_ = std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
    listen();
  }
  void TearDown() override {
    ::close(pipe_[0]);
    ::close(pipe_[1]);
    std::filesystem::remove_all(root_);
  }
  // journald as it is started.
  void listen() {
    ::unlink(socket_.c_str());
    journald_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(journald_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
  }
  std::shared_ptr<Journal> journal() { return Journal::of(pipe_[1], stream_.c_str(), socket_); }
  // The next datagram; empty: none.
  std::string received() {
    std::string text(1 << 20, '\0');
    const auto got = ::recv(journald_.get(), text.data(), text.size(), 0);
    return text.substr(0, got < 0 ? 0 : static_cast<std::size_t>(got));
  }

  std::string root_, socket_, stream_;
  int pipe_[2] = {-1, -1};
  UniqueFd journald_;
};

TEST_F(JournalTest, OnlyTheStreamThatTheEnvironmentNames) {
  EXPECT_NE(journal(), nullptr);
  for (const char* other : {"", "1", "1:", "x:y", "0:0"})
    EXPECT_EQ(Journal::of(pipe_[1], other, socket_), nullptr) << other;
  EXPECT_EQ(Journal::of(pipe_[1], nullptr, socket_), nullptr);
  EXPECT_EQ(Journal::of(STDIN_FILENO, stream_.c_str(), socket_), nullptr);
  EXPECT_EQ(Journal::of(-1, stream_.c_str(), socket_), nullptr);
}

TEST_F(JournalTest, FieldsAreLinesAndLinesHaveALength) {
  EXPECT_TRUE(journal()->send({{"MESSAGE", "one"}, {"ESPIAL_EVIDENCE", "two\nlines="}}));
  EXPECT_EQ(received(), std::string("MESSAGE=one\nESPIAL_EVIDENCE\n\x0a\0\0\0\0\0\0\0", 36) +
                            "two\nlines=\nSYSLOG_IDENTIFIER=espial\n");
}

TEST_F(JournalTest, WhatIsTooLongIsCut) {
  EXPECT_TRUE(journal()->send({{"MESSAGE", std::string(1 << 20, 'x')}}));
  EXPECT_EQ(received().size(), Journal::kMaxValue + 9 + 25);
}

TEST_F(JournalTest, AFullJournalHoldsNobodyUpAndIsToldHowMuchItMissed) {
  const auto own = journal();
  int taken = 0;
  while (taken < 100000 && own->send({{"MESSAGE", "line"}})) ++taken;
  ASSERT_LT(taken, 100000) << "the stand-in's queue is bounded";
  const auto before = std::chrono::steady_clock::now();
  for (int i = 0; i < 999; ++i) EXPECT_FALSE(own->send({{"MESSAGE", "lost"}}));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds{30}) << "it waits";
  while (!received().empty()) {
  }
  EXPECT_TRUE(own->send({{"MESSAGE", "again"}}));
  EXPECT_EQ(received(),
            "MESSAGE=1000 lines lost: the journal did not accept "
            "them\nPRIORITY=4\nSYSLOG_IDENTIFIER=espial\n");
  EXPECT_EQ(received(), "MESSAGE=again\nSYSLOG_IDENTIFIER=espial\n");
  EXPECT_EQ(received(), "");
}

TEST_F(JournalTest, AJournalThatIsStartedAnewIsReached) {
  const auto own = journal();
  journald_.reset();
  EXPECT_FALSE(own->send({{"MESSAGE", "gone"}}));
  listen();
  EXPECT_TRUE(own->send({{"MESSAGE", "back"}}));
  EXPECT_EQ(received().substr(0, 15), "MESSAGE=1 lines");
  EXPECT_EQ(received(), "MESSAGE=back\nSYSLOG_IDENTIFIER=espial\n");
}

TEST_F(JournalTest, AnAlarmHasItsFields) {
  AlarmLog alarm_log(journal());
  alarm_log.write(
      {{"CleartextTraffic", Severity::kCritical, "node2", AlarmState::kFiring, {}, "7 packets"}});
  const auto text = received();
  for (const char* line :
       {"MESSAGE=alarm CleartextTraffic firing for node2: 7 packets\n", "PRIORITY=2\n",
        "ESPIAL_ALARM=CleartextTraffic\n", "ESPIAL_STATE=firing\n", "ESPIAL_SEVERITY=critical\n",
        "ESPIAL_PEER=node2\n", "ESPIAL_EVIDENCE=7 packets\n",
        "ESPIAL_RUNBOOK=/usr/share/espial/runbooks/EspialCleartextTraffic.md\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  EXPECT_EQ(alarm_log.counts().told, 1U);
}

TEST_F(JournalTest, PrioritiesFollowSeverityAndEndsAreNews) {
  const auto priority = [](Severity severity, AlarmState state) {
    AlarmMessage message;
    message.severity = severity;
    message.state = state;
    std::string out;
    for (const auto& [name, value] : journal_fields(message))
      if (name == "PRIORITY") out = value;
    return out;
  };
  EXPECT_EQ(priority(Severity::kCritical, AlarmState::kFiring), "2");
  EXPECT_EQ(priority(Severity::kWarning, AlarmState::kFiring), "4");
  EXPECT_EQ(priority(Severity::kInfo, AlarmState::kFiring), "6");
  EXPECT_EQ(priority(Severity::kCritical, AlarmState::kResolved), "6");
}

TEST_F(JournalTest, FiringAndResolvedHaveFixedIds) {
  const auto id = [](AlarmState state) {
    AlarmMessage message;
    message.state = state;
    return journal_fields(message).at(1);
  };
  const auto firing = id(AlarmState::kFiring);
  EXPECT_EQ(firing.first, "MESSAGE_ID");
  EXPECT_EQ(firing.second, "93544fc4f6f748d0b2a89dd5fd26bff7");
  EXPECT_EQ(id(AlarmState::kResolved).second, "bbb1d114f05e43b0b10164f25d9aac1d");
}

TEST_F(JournalTest, LostAndCollapsedAreCounted) {
  AlarmLog alarm_log(journal());
  std::vector<Alarm> flood;
  for (int i = 0; i < 300; ++i)
    flood.push_back({"TunnelDown",
                     Severity::kWarning,
                     "node" + std::to_string(i),
                     AlarmState::kFiring,
                     {},
                     ""});
  alarm_log.write(flood);
  EXPECT_NE(received().find("firing for 300 peers: node0, node1,"), std::string::npos);
  EXPECT_EQ(received(), "");
  EXPECT_EQ(alarm_log.counts().told, 1U);
  EXPECT_EQ(alarm_log.counts().collapsed, 299U);
  journald_.reset();
  alarm_log.write({flood.front()});
  EXPECT_EQ(alarm_log.counts().told, 1U);
  EXPECT_EQ(alarm_log.counts().lost, 1U);
}

}  // namespace
}  // namespace espial
