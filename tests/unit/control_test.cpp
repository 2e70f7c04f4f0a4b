// SPDX-License-Identifier: Apache-2.0
// Both halves of the control socket against each other, and the server against bad clients.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "base/unique_fd.h"
#include "cli/control_client.h"
#include "daemon/control_server.h"

namespace espial {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

class ControlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(::testing::TempDir()) /
              (std::string("espial_control_") + test->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    path_ = control_socket_path(folder_.string());
  }
  void TearDown() override {
    stop();
    std::filesystem::remove_all(folder_);
  }

  void start(ControlHandler handler, milliseconds deadline = kControlConnectionDeadline) {
    auto server = ControlServer::open(path_, std::move(handler), deadline);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::make_unique<ControlServer>(std::move(server).value());
    thread_ = std::thread([this] {
      while (!stop_) {
        pollfd entry{server_->descriptor(), POLLIN, 0};
        if (::poll(&entry, 1, 20) > 0) server_->serve();
        connections_ = server_->connections();
      }
    });
  }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    server_.reset();
  }

  UniqueFd connect_raw() const {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  static std::string read_to_end(int fd) {
    std::string out;
    char buffer[4096];
    for (ssize_t got; (got = ::recv(fd, buffer, sizeof buffer, 0)) > 0;)
      out.append(buffer, static_cast<std::size_t>(got));
    return out;
  }
  bool connections_become(std::size_t count) const {
    const auto deadline = Clock::now() + milliseconds(5000);
    while (connections_ != count && Clock::now() < deadline) ::poll(nullptr, 0, 1);
    return connections_ == count;
  }

  std::filesystem::path folder_;
  std::string path_;
  std::unique_ptr<ControlServer> server_;
  std::thread thread_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::size_t> connections_ = 0;
};

TEST_F(ControlTest, AnswersOneLine) {
  start([](std::string_view request) { return "<" + std::string(request) + ">"; });
  EXPECT_EQ(control_request(path_, "status").value(), "<status>");
  EXPECT_EQ(control_request(path_, "").value(), "<>");
}

TEST_F(ControlTest, CarriesAnswersLargerThanAnySocketBuffer) {
  const std::string large(20U << 20, 'x');
  start([&](std::string_view) { return large; });
  EXPECT_TRUE(control_request(path_, "status", milliseconds(20000)).value() == large);
}

TEST_F(ControlTest, SocketIsForItsOwnerOnlyAndGoesAway) {
  start([](std::string_view) { return "x"; });
  struct stat info {};
  ASSERT_EQ(::lstat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  stop();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ControlTest, NobodyListens) {
  const auto result = control_request(path_, "status");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message,
            path_ + ": connect: No such file or directory (no daemon is running)");
  EXPECT_EQ(result.error().failure, Failure::kUnable);
}

TEST_F(ControlTest, ReplacesAStaleSocketFile) {
  {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  EXPECT_EQ(control_request(path_, "status").error().message,
            path_ + ": connect: Connection refused (no daemon is running)");
  start([](std::string_view) { return "new"; });
  EXPECT_EQ(control_request(path_, "status").value(), "new");
}

TEST_F(ControlTest, NeverDisplacesALiveDaemonNorAnotherFile) {
  start([](std::string_view) { return "first"; });
  const auto second = ControlServer::open(path_, [](std::string_view) { return "second"; });
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message.find("another daemon answers there"), std::string::npos);
  EXPECT_EQ(control_request(path_, "status").value(), "first");

  const auto file = (folder_ / "file").string();
  std::ofstream(file) << "precious";
  const auto third = ControlServer::open(file, [](std::string_view) { return "third"; });
  ASSERT_FALSE(third.ok());
  EXPECT_NE(third.error().message.find("no socket is in the way"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_regular_file(file));
}

TEST_F(ControlTest, PathThatDoesNotFitIsRefusedInWords) {
  const std::string fits(107 - folder_.string().size() - 1, 'a');
  EXPECT_TRUE(ControlServer::open((folder_ / fits).string(), nullptr).ok());
  const auto path = (folder_ / (fits + "a")).string();
  const auto result = ControlServer::open(path, nullptr);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().failure, Failure::kUsage);
  EXPECT_EQ(result.error().message,
            path +
                ": bind the control socket: the path is longer than 107 bytes (shorten "
                "state_dir)");
  EXPECT_EQ(control_request(path, "x").error().message, path + ": connect: File name too long");
}

TEST_F(ControlTest, RefusesARequestThatIsTooLong) {
  start([](std::string_view request) { return std::to_string(request.size()); });
  EXPECT_EQ(control_request(path_, std::string(kMaxControlRequest - 1, 'a')).value(), "4095");
  EXPECT_EQ(control_request(path_, std::string(kMaxControlRequest, 'a')).value(),
            "{\"error\":\"request too long\"}\n");
}

TEST_F(ControlTest, GarbageReachesTheHandlerAsBytesAndNothingElseHappens) {
  std::string seen;
  start([&](std::string_view request) {
    seen = request;
    return "no";
  });
  const std::string garbage("\0\xff\x1b[2J\r", 7);
  EXPECT_EQ(control_request(path_, garbage).value(), "no");
  EXPECT_EQ(seen, garbage);
}

TEST_F(ControlTest, AnUnfinishedLineIsNoRequest) {
  std::atomic<int> calls = 0;
  start([&](std::string_view) { return std::to_string(++calls); });
  {
    const auto fd = connect_raw();
    ASSERT_EQ(::send(fd.get(), "forget", 6, 0), 6);
    ::shutdown(fd.get(), SHUT_WR);
    EXPECT_EQ(read_to_end(fd.get()), "");
  }
  EXPECT_EQ(calls, 0);
}

TEST_F(ControlTest, HandlersExceptionIsAnAnswer) {
  start([](std::string_view) -> std::string { throw std::runtime_error("bad \"\\\x1b\""); });
  EXPECT_EQ(control_request(path_, "x").value(), "{\"error\":\"bad '///x1b'\"}\n");
}

TEST_F(ControlTest, SilentClientIsClosedAtItsDeadline) {
  start([](std::string_view) { return "x"; }, milliseconds(100));
  const auto fd = connect_raw();
  const auto begin = Clock::now();
  EXPECT_EQ(read_to_end(fd.get()), "");  // returns when the server closes
  EXPECT_GE(Clock::now() - begin, milliseconds(50));
  EXPECT_TRUE(connections_become(0));
}

TEST_F(ControlTest, ClientThatDoesNotReadHoldsUpNobody) {
  const std::string large(8U << 20, 'x');
  start([&](std::string_view request) { return request == "large" ? large : "small"; },
        milliseconds(300));
  const auto slow = connect_raw();
  ASSERT_EQ(::send(slow.get(), "large\n", 6, 0), 6);
  EXPECT_EQ(control_request(path_, "x").value(), "small");
  EXPECT_TRUE(connections_become(0));
  EXPECT_LT(read_to_end(slow.get()).size(), large.size());
}

TEST_F(ControlTest, SeventeenthConnectionIsTurnedAwayInWords) {
  start([](std::string_view) { return "x"; }, milliseconds(60000));
  std::vector<UniqueFd> idle;
  for (std::size_t i = 0; i < kMaxControlConnections; ++i) {
    idle.push_back(connect_raw());
    ASSERT_TRUE(connections_become(i + 1));
  }
  EXPECT_EQ(control_request(path_, "x").value(),
            "{\"error\":\"too many connections, try again\"}\n");
  idle.pop_back();
  EXPECT_TRUE(connections_become(kMaxControlConnections - 1));
  EXPECT_EQ(control_request(path_, "x").value(), "x");
}

TEST_F(ControlTest, ClientGivesUpAtItsDeadline) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path_.c_str());
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(fd.get(), 0), 0);
  const auto begin = Clock::now();
  const auto result = control_request(path_, "status", milliseconds(100));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message,
            path_ + ": read the answer: Connection timed out (the daemon hangs or is overloaded)");
  EXPECT_LT(Clock::now() - begin, milliseconds(5000));
}

}  // namespace
}  // namespace espial
