// SPDX-License-Identifier: Apache-2.0
// Both halves of the control socket against each other, and the server against bad clients.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>

#include "base/unique_fd.h"
#include "control/control_client.h"
#include "control/control_server.h"
#include "model/config.h"
#include "unit/own_folder.h"

namespace espial {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// Of what has to come: it guards against hanging only, and a busy machine may take its time.
constexpr milliseconds kPatience{60000};

class ControlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = test::own_folder();
    path_ = control_socket_path(folder_.string());
  }
  void TearDown() override {
    stop();
    std::filesystem::remove_all(folder_);
  }

  void start(ControlHandler handler, milliseconds deadline = kPatience) {
    auto server = ControlServer::open(path_, std::move(handler), std::min(deadline, deadline_));
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::make_unique<ControlServer>(std::move(server).value());
    if (prepare_) prepare_(*server_);
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
  Result<std::string> ask(std::string_view request) const {
    return control_request(path_, request, kPatience);
  }
  bool connections_become(std::size_t count) const {
    const auto deadline = Clock::now() + kPatience;
    while (connections_ != count && Clock::now() < deadline) ::poll(nullptr, 0, 1);
    return connections_ == count;
  }

  std::filesystem::path folder_;
  std::string path_;
  milliseconds deadline_ = kPatience;
  std::function<void(ControlServer&)> prepare_;
  std::unique_ptr<ControlServer> server_;
  std::thread thread_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::size_t> connections_ = 0;
};

TEST_F(ControlTest, AnswersOneLine) {
  start([](std::string_view request) { return "<" + std::string(request) + ">"; });
  EXPECT_EQ(ask("status").value(), "<status>");
  EXPECT_EQ(ask("").value(), "<>");
}

TEST_F(ControlTest, CarriesAnswersLargerThanAnySocketBuffer) {
  const std::string large(20U << 20, 'x');
  start([&](std::string_view) { return large; });
  EXPECT_TRUE(ask("status").value() == large);
}

TEST_F(ControlTest, SocketIsForItsOwnerOnlyAndGoesAway) {
  start([](std::string_view) { return "x"; });
  struct stat info = {};
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
  EXPECT_EQ(ask("status").value(), "new");
}

TEST_F(ControlTest, NeverDisplacesALiveDaemonNorAnotherFile) {
  start([](std::string_view) { return "first"; });
  const auto second = ControlServer::open(path_, [](std::string_view) { return "second"; });
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message.find("another daemon answers there"), std::string::npos);
  EXPECT_EQ(ask("status").value(), "first");

  const auto file = (folder_ / "file").string();
  std::ofstream(file) << "precious";
  const auto third = ControlServer::open(file, [](std::string_view) { return "third"; });
  ASSERT_FALSE(third.ok());
  EXPECT_NE(third.error().message.find("not a socket is in the way"), std::string::npos);
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
  EXPECT_EQ(ask(std::string(kMaxControlRequest - 1, 'a')).value(), "4095");
  EXPECT_EQ(ask(std::string(kMaxControlRequest, 'a')).value(),
            "{\"error\":\"request too long\"}\n");
}

TEST_F(ControlTest, GarbageReachesTheHandlerAsBytesAndNothingElseHappens) {
  std::string seen;
  start([&](std::string_view request) {
    seen = request;
    return "no";
  });
  const std::string garbage("\0\xff\x1b[2J\r", 7);
  EXPECT_EQ(ask(garbage).value(), "no");
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
  EXPECT_EQ(ask("x").value(), "{\"error\":\"bad '///x1b'\"}\n");
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
  start([&](std::string_view request) { return request == "large" ? large : "small"; });
  const auto slow = connect_raw();
  ASSERT_EQ(::send(slow.get(), "large\n", 6, 0), 6);
  EXPECT_EQ(ask("x").value(), "small");
  EXPECT_EQ(read_to_end(slow.get()).size(), large.size()) << "it was there all the time";
}

TEST_F(ControlTest, ClientThatDoesNotReadIsClosedAtItsDeadline) {
  const std::string large(8U << 20, 'x');
  start([&](std::string_view) { return large; }, milliseconds(300));
  const auto slow = connect_raw();
  ASSERT_EQ(::send(slow.get(), "large\n", 6, 0), 6);
  ASSERT_TRUE(connections_become(1));
  EXPECT_TRUE(connections_become(0));
  EXPECT_LT(read_to_end(slow.get()).size(), large.size());
}

TEST_F(ControlTest, SeventeenthConnectionIsTurnedAwayInWords) {
  start([](std::string_view) { return "x"; });
  std::vector<UniqueFd> idle;
  for (std::size_t i = 0; i < kMaxControlConnections; ++i) {
    idle.push_back(connect_raw());
    ASSERT_TRUE(connections_become(i + 1));
  }
  EXPECT_EQ(ask("x").value(), "{\"error\":\"too many connections, try again\"}\n");
  idle.pop_back();
  EXPECT_TRUE(connections_become(kMaxControlConnections - 1));
  EXPECT_EQ(ask("x").value(), "x");
}

class ControlStreamTest : public ControlTest {
 protected:
  // Streams of the word "follow"; their requests are kept. send() is of the serving thread, so the
  // ordinary request "tell" sends `line` to every stream and answers to how many.
  void start_streams() {
    start([this](std::string_view request) {
      const std::string line = request == "tell" ? "x\n" : std::string(request);
      std::size_t reached = 0;
      for (const auto id : open_) reached += server_->send(id, line) ? 1U : 0U;
      return std::to_string(reached);
    });
  }
  void SetUp() override {
    ControlTest::SetUp();
    prepare_ = [this](ControlServer& server) {
      server.stream({"follow",
                     [this](std::string_view request, ControlStreams::Id id) {
                       if (request == "follow error") throw std::runtime_error("no \"such\" thing");
                       open_.insert(id);
                       server_->send(id, "hello " + std::string(request) + "\n");
                     },
                     [this](ControlStreams::Id id) { open_.erase(id); }});
    };
  }
  // Everything that has come, once it has `wanted` in it.
  static std::string until(const ControlStream& stream, std::string_view wanted) {
    std::string text;
    const auto deadline = Clock::now() + kPatience;
    while (text.find(wanted) == std::string::npos && Clock::now() < deadline) {
      pollfd entry{stream.descriptor(), POLLIN, 0};
      ::poll(&entry, 1, 100);
      if (!stream.read(text)) break;
    }
    return text;
  }
  std::set<ControlStreams::Id> open_;  // of the serving thread
};

TEST_F(ControlStreamTest, TellsUntilTheReaderLeaves) {
  start_streams();
  auto stream = ControlStream::open(path_, "follow 60").value();
  EXPECT_EQ(until(stream, "\n"), "hello follow 60\n");
  EXPECT_EQ(ask("tell").value(), "1");
  EXPECT_EQ(until(stream, "\n"), "x\n");
  // A word that only begins alike is none.
  EXPECT_EQ(ask("followers").value(), "1");
  EXPECT_EQ(until(stream, "followers"), "followers");
  std::optional(std::move(stream)).reset();
  EXPECT_TRUE(connections_become(0));
  EXPECT_EQ(ask("tell").value(), "0");
}

TEST_F(ControlStreamTest, OutlivesTheDeadlineOfOrdinaryRequests) {
  deadline_ = milliseconds(50);
  start_streams();
  const auto stream = ControlStream::open(path_, "follow").value();
  const auto silent = connect_raw();
  EXPECT_EQ(read_to_end(silent.get()), "");  // closed at its deadline
  // So may be this one, where the machine is busy.
  auto told = ask("tell");
  for (const auto end = Clock::now() + kPatience; !told.ok() && Clock::now() < end;)
    told = ask("tell");
  EXPECT_EQ(told.value(), "1");
  EXPECT_NE(until(stream, "x\n").find("x\n"), std::string::npos);
}

TEST_F(ControlStreamTest, AReaderThatStallsCostsABoundedBufferAndNobodyElse) {
  start_streams();
  const auto stalled = ControlStream::open(path_, "follow").value();
  const auto reader = ControlStream::open(path_, "follow").value();
  ASSERT_NE(until(reader, "\n"), "");
  const std::string line(4000, 'y');
  std::size_t sent = 0;
  std::string both = "2";
  for (; both == "2" && sent < 10 * kMaxStreamBacklog; sent += line.size()) {
    both = ask(line).value();
    (void)until(reader, line);
  }
  EXPECT_EQ(both, "1") << "after " << sent << " bytes";
  EXPECT_GT(sent, kMaxStreamBacklog);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask(line).value(), "1");
  EXPECT_NE(until(reader, line), "");
  // It goes on where it was: every line that was accepted, whole.
  std::string text;
  const auto deadline = Clock::now() + kPatience;
  while (text.size() < 13 + sent - line.size() && Clock::now() < deadline) {
    pollfd entry{stalled.descriptor(), POLLIN, 0};
    ::poll(&entry, 1, 100);
    ASSERT_TRUE(stalled.read(text));
  }
  EXPECT_EQ(text.substr(0, 13), "hello follow\n");
  EXPECT_EQ(text.find_first_not_of('y', 13), std::string::npos);
  EXPECT_EQ(ask("tell").value(), "2");
}

TEST_F(ControlStreamTest, TheNinthIsRefusedInWordsAndOrdinaryRequestsAreNot) {
  start_streams();
  std::vector<ControlStream> streams;
  for (std::size_t i = 0; i < kMaxControlStreams; ++i) {
    streams.push_back(ControlStream::open(path_, "follow").value());
    ASSERT_NE(until(streams.back(), "\n"), "");
  }
  const auto ninth = ControlStream::open(path_, "follow").value();
  EXPECT_NE(until(ninth, "\n").find("8 commands follow already"), std::string::npos);
  EXPECT_EQ(ask("tell").value(), "8");
  streams.pop_back();
  EXPECT_TRUE(connections_become(kMaxControlStreams - 1));
  const auto again = ControlStream::open(path_, "follow").value();
  EXPECT_EQ(until(again, "\n"), "hello follow\n");
}

TEST_F(ControlStreamTest, AnExceptionIsAnAnswer) {
  start_streams();
  const auto stream = ControlStream::open(path_, "follow error").value();
  EXPECT_EQ(until(stream, "\n"), "{\"error\":\"no 'such' thing\"}\n");
  EXPECT_TRUE(connections_become(0));
}

TEST_F(ControlStreamTest, TheReaderSeesThatTheDaemonHasGone) {
  start_streams();
  const auto stream = ControlStream::open(path_, "follow").value();
  ASSERT_NE(until(stream, "\n"), "");
  stop();
  std::string text;
  EXPECT_FALSE(stream.read(text));
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
  EXPECT_LT(Clock::now() - begin, kPatience / 2);
}

}  // namespace
}  // namespace espial
