// SPDX-License-Identifier: Apache-2.0
// om3's socket against stand-ins for the agent: one that answers, and those that are slow, lie,
// tell too much or leave.
#include "sources/opensvc/opensvc_socket.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "sources/opensvc/opensvc_watch.h"
#include "unit/facts_builder.h"
#include "unit/opensvc_stand_in.h"

namespace espial {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::StandIn;
using test::Visitor;
using Clock = std::chrono::steady_clock;

// Of what has to come: it guards against hanging only. Below the minute after which everything is
// read again without a reason.
constexpr seconds kPatience{40};

// The event stream of a stand-in: says what it is told to, to all who listen.
class Stream {
 public:
  bool operator()(const Visitor& visitor, const std::string& target) {
    if (target.find("/daemon/event?filter=") == std::string::npos) return false;
    visitor.say(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        "Transfer-Encoding: chunked\r\n\r\n");
    {
      const std::scoped_lock lock(mutex_);
      listeners_.push_back(&visitor);
      ++begun_;
    }
    visitor.wait_until_gone();
    const std::scoped_lock lock(mutex_);
    std::erase(listeners_, &visitor);
    return true;
  }
  void tell() {
    const std::scoped_lock lock(mutex_);
    for (const auto* one : listeners_)
      one->say("2b\r\nevent: ConfigFileUpdated\ndata: {\"a\":null}\n\n\r\n");
  }
  int begun() {
    const std::scoped_lock lock(mutex_);
    return begun_;
  }
  bool wait_begun(int count) {
    const auto until = Clock::now() + kPatience;
    while (begun() < count && Clock::now() < until) std::this_thread::yield();
    return begun() >= count;
  }

 private:
  std::mutex mutex_;
  std::vector<const Visitor*> listeners_;  // by mutex
  int begun_ = 0;                          // by mutex
};

class OpensvcSocketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/espial-om3-XXXXXX";  // a socket's path is short
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ + "/http.sock";
    conf_ = folder_ + "/cluster.conf";
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  void serve(StandIn::Answer answer) {
    server_.reset();
    server_ = std::make_unique<StandIn>(path_, std::move(answer));
    ASSERT_TRUE(server_->listens());
  }
  // The agent, except where `own` answers.
  void serve_om3(const std::function<bool(const Visitor&, const std::string&)>& own = {}) {
    serve([this, own](const Visitor& visitor, const std::string& target) {
      if (own && own(visitor, target)) return;
      std::unique_lock lock(mutex_);
      const auto cluster = cluster_;
      lock.unlock();
      test::answer_as_om3(cluster, visitor, target);
    });
  }
  std::string reason() const { return OpensvcSocket(path_).read().reason; }
  // Why not, when one target is answered like this.
  std::string reason_when(const std::string& target, const std::string& bytes) {
    serve_om3([=](const Visitor& visitor, const std::string& asked) {
      if (asked.find(target) == std::string::npos) return false;
      visitor.say(bytes);
      return true;
    });
    const auto said = reason();
    const auto prefix = path_ + ": ";
    return said.substr(0, prefix.size()) == prefix ? said.substr(prefix.size()) : said;
  }
  void set_nodes(const std::string& json) {
    const std::scoped_lock lock(mutex_);
    cluster_["cluster.nodes"] = json;
  }
  void put_conf(const std::string& nodes) const {
    std::ofstream(conf_ + ".new") << "[cluster]\nnodes = " << nodes << "\n";
    std::filesystem::rename(conf_ + ".new", conf_);
  }

  std::string folder_;
  std::string path_;
  std::string conf_;
  std::mutex mutex_;
  test::Cluster cluster_ = test::usual_cluster();  // by mutex
  Stream stream_;
  std::unique_ptr<StandIn> server_;  // last: its threads use what is above
};

std::string ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST_F(OpensvcSocketTest, TheClusterAsTheAgentTellsIt) {
  serve_om3();
  const auto facts = OpensvcSocket(path_).read();
  serve([this](const Visitor& visitor, const std::string& target) {
    test::answer_as_om3(cluster_, visitor, target, test::Om3::kOlder);
  });
  EXPECT_EQ(facts, OpensvcSocket(path_).read()) << "an older agent";
  ASSERT_TRUE(facts.readable()) << facts.reason;
  EXPECT_EQ(facts.source, path_);
  EXPECT_EQ(facts.nodes.size(), 3U);
  ASSERT_EQ(facts.networks.size(), 1U);
  const auto& network = facts.networks[0];
  EXPECT_EQ(network.prefix, test::net("10.101.0.0/16"));
  EXPECT_EQ(network.tunnel, OpensvcTunnel::kNever);
  EXPECT_EQ(network.device, "obr_b");
  ASSERT_EQ(network.members.size(), 3U);
  EXPECT_EQ(network.members[0].subnet, test::net("10.101.0.0/24"));  // not set: computed
  EXPECT_EQ(network.members[1].subnet, test::net("10.101.9.0/24"));
  EXPECT_EQ(network.members[2].host, "10.45.0.13");
  for (const auto& target : server_->targets())
    EXPECT_TRUE(target == "/api/network" || target.find("&kw=") != std::string::npos) << target;
}

TEST_F(OpensvcSocketTest, ListsThatAreNull) {
  serve_om3([](const Visitor& visitor, const std::string& target) {
    if (target != "/api/network") return false;
    visitor.answer(R"({"kind":"NetworkList","items":null})");
    return true;
  });
  const auto facts = OpensvcSocket(path_).read();
  EXPECT_TRUE(facts.readable()) << facts.reason;
  EXPECT_TRUE(facts.networks.empty());
  for (const char* nodes : {"null", "[]", R"("")"}) {
    set_nodes(nodes);
    EXPECT_NE(reason().find("cluster.nodes is empty or missing"), std::string::npos) << nodes;
  }
}

TEST_F(OpensvcSocketTest, NobodyListens) {
  EXPECT_EQ(OpensvcSocket(path_).read().state, OpensvcState::kAbsent);
  EXPECT_EQ(OpensvcSocket("").read().state, OpensvcState::kAbsent);
  serve_om3();
  server_.reset();  // the socket stays, as after a crash
  EXPECT_TRUE(std::filesystem::exists(path_));
  EXPECT_EQ(OpensvcSocket(path_).read().state, OpensvcState::kAbsent);
}

TEST_F(OpensvcSocketTest, AnswersThatAreNone) {
  EXPECT_EQ(reason_when("cluster.nodes", ""), "the connection ended before the answer");
  EXPECT_EQ(reason_when("/api/network", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"items"),
            "the connection ended in the middle of the answer");
  EXPECT_EQ(reason_when("subnet", ok(R"({"items":[{"meta")")),
            "network#b.subnet@node1: the answer is not KeywordList (is this agent om3?)");
  EXPECT_EQ(reason_when("cluster.nodes", "HTTP/1.1 500 no\r\n\r\n"),
            "cluster.nodes: the agent answers 500");
  EXPECT_EQ(reason_when("/api/network", "HTTP/1.1 403 no\r\n\r\n"),
            "networks: the agent answers 403 (run as root)");
  EXPECT_EQ(reason_when("/api/network", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"),
            "the answer is larger than 4194304 bytes");
}

// Whatever is wrong with one answer, it never looks like a node without a subnet.
TEST_F(OpensvcSocketTest, OneNodeThatCannotBeAskedAboutSpoilsTheLook) {
  const std::string who = "network#b.subnet@node2: ";
  const auto problem = [](const char* title, const char* detail) {
    const auto body =
        R"({"detail":")" + std::string(detail) + R"(","status":500,"title":")" + title + R"("})";
    return "HTTP/1.1 500 x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  const auto when = [&](const std::string& bytes) {
    return reason_when("impersonate=node2", bytes);
  };
  EXPECT_EQ(when("HTTP/1.1 500 x\r\n\r\n"), who + "the agent answers 500");
  EXPECT_EQ(when(problem("EvalAs", "unreadable config")), who + "the agent answers 500");
  EXPECT_EQ(when(problem("NewCore", "cluster.conf does not exist")), who + "the agent answers 500");
  EXPECT_EQ(when(ok(R"({"kind":"KeywordList","items":[]})")),
            who + "network#b.subnet is not in the answer (the agent is starting?)");
  EXPECT_EQ(when(ok(R"({"items":[{"keyword":"network#b.subnet","value":"","error":"x"}]})")),
            who + "an item of the answer has no keyword or no value");
  EXPECT_EQ(when(""), "the connection ended before the answer");
  // What the agent does not know is said by it, and is no failure.
  EXPECT_EQ(when(problem("EvalAs", "keyword does not exist: network#b.subnet")), "");
}

TEST_F(OpensvcSocketTest, AHundredNodesAreAskedSideBySide) {
  std::string nodes;
  for (int i = 0; i < 100; ++i) nodes += (i == 0 ? "\"n" : ",\"n") + std::to_string(i) + "\"";
  set_nodes("[" + nodes + "]");
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  serve_om3([&](const Visitor&, const std::string& target) {
    if (target.find("impersonate") == std::string::npos) return false;
    const int here = ++now;
    for (int seen = most; here > seen && !most.compare_exchange_weak(seen, here);) {
    }
    std::this_thread::sleep_for(milliseconds(20));  // an agent that has to think
    --now;
    return false;
  });
  const auto facts = OpensvcSocket(path_).read();
  ASSERT_TRUE(facts.readable()) << facts.reason;
  EXPECT_EQ(facts.networks.at(0).members.size(), 100U);
  EXPECT_EQ(facts.networks[0].members[99].node, "n99");
  EXPECT_EQ(facts.networks[0].members[99].subnet, test::net("10.101.99.0/24"));
  EXPECT_GT(most, 1);
  EXPECT_LE(most, static_cast<int>(kOpensvcAtOnce));
}

TEST_F(OpensvcSocketTest, AWholeConfigurationIsRefusedAndNotAskedForAgain) {
  serve([](const Visitor& visitor, const std::string&) {
    visitor.answer(R"({"data":{"cluster":{"nodes":"node1","secret":"s3cr3t"}},"mtime":"x"})");
  });
  OpensvcSocket socket(path_);
  for (int turn = 0; turn < 2; ++turn) {
    const auto facts = socket.read();
    EXPECT_EQ(facts.state, OpensvcState::kUnreadable);
    EXPECT_NE(facts.reason.find("\"secret\", which espial did not ask for"), std::string::npos)
        << facts.reason;
    EXPECT_EQ(facts.reason.find("s3cr3t"), std::string::npos);
  }
  EXPECT_EQ(server_->targets().size(), 1U);
}

TEST_F(OpensvcSocketTest, SlowAnswersAreWaitedForAndHangingOnesAreNot) {
  serve_om3([](const Visitor& visitor, const std::string& target) {
    if (target != "/api/network") return false;
    for (const char c : ok(test::kNetworks)) visitor.say({c});
    return true;
  });
  EXPECT_TRUE(OpensvcSocket(path_).read().readable());
  serve([](const Visitor& visitor, const std::string&) { visitor.wait_until_gone(); });
  const auto start = Clock::now();
  EXPECT_NE(reason().find("no answer in time"), std::string::npos);
  EXPECT_LT(Clock::now() - start, kOpensvcAnswerTime + kPatience);
}

TEST_F(OpensvcSocketTest, WhoMustStopDoesNotWait) {
  serve([](const Visitor& visitor, const std::string&) { visitor.wait_until_gone(); });
  const UniqueFd stop(::eventfd(1, EFD_CLOEXEC));
  // The least of three: one that waits does it each time, a busy machine does not.
  auto reading = Clock::duration::max();
  auto ending = Clock::duration::max();
  for (int round = 0; round < 3; ++round) {
    auto start = Clock::now();
    EXPECT_FALSE(OpensvcSocket(path_).read(stop.get()).readable());
    reading = std::min(reading, Clock::now() - start);
    const auto asked = server_->targets().size();
    auto watch = OpensvcWatch::start({conf_, path_});
    ASSERT_TRUE(watch.ok());
    while (server_->targets().size() < asked + 2) std::this_thread::yield();  // it asks
    start = Clock::now();
    { const auto gone = std::move(*watch); }
    ending = std::min(ending, Clock::now() - start);
  }
  EXPECT_LT(reading, kOpensvcAnswerTime / 2);
  EXPECT_LT(ending, kOpensvcAnswerTime / 2);
}

TEST_F(OpensvcSocketTest, TheFileCountsMoreThanTheSocket) {
  serve_om3();
  EXPECT_EQ(read_opensvc({conf_, path_}).source, path_);
  put_conf("node7");
  const auto facts = read_opensvc({conf_, path_});
  EXPECT_EQ(facts.source, conf_);
  EXPECT_EQ(facts.nodes, std::vector<std::string>{"node7"});
  std::ofstream(conf_) << "";
  EXPECT_EQ(read_opensvc({conf_, path_}).source, path_);
  EXPECT_EQ(read_opensvc({conf_, ""}).state, OpensvcState::kUnreadable);
  server_.reset();
  EXPECT_EQ(read_opensvc({conf_, path_}).reason.find(path_), std::string::npos) << "silent";
}

// The facts, once they are like that; else those of the last moment.
OpensvcFacts facts_with(OpensvcWatch& watch, std::size_t nodes, milliseconds within) {
  const auto until = Clock::now() + within;
  auto facts = watch.take();
  while (facts.nodes.size() != nodes && Clock::now() < until) {
    pollfd wait{watch.fd(), POLLIN, 0};
    (void)::poll(&wait, 1, 20);
    facts = watch.take();
  }
  return facts;
}

TEST_F(OpensvcSocketTest, AnEventIsFollowedAlsoAfterTheAgentWasAway) {
  serve_om3([this](const Visitor& v, const std::string& t) { return stream_(v, t); });
  auto watch = OpensvcWatch::start({conf_, path_});
  ASSERT_TRUE(watch.ok());
  ASSERT_TRUE(stream_.wait_begun(1));
  EXPECT_EQ(facts_with(*watch, 3, kPatience).nodes.size(), 3U);
  // It is read when the thread begins, and when the stream does.
  const auto reads = [&] {
    const auto targets = server_->targets();
    return std::count(targets.begin(), targets.end(), "/api/network");
  };
  for (const auto until = Clock::now() + kPatience; reads() < 2 && Clock::now() < until;)
    std::this_thread::yield();
  EXPECT_EQ(facts_with(*watch, 0, milliseconds(300)).nodes.size(), 3U);
  set_nodes(R"(["node1","node2"])");
  EXPECT_EQ(facts_with(*watch, 2, milliseconds(300)).nodes.size(), 3U) << "not told, and read";
  stream_.tell();
  EXPECT_EQ(facts_with(*watch, 2, kPatience).nodes.size(), 2U);
  // The stream ends, and begins again: what changed meanwhile is read.
  server_->drop_all();
  set_nodes(R"(["node1"])");
  ASSERT_TRUE(stream_.wait_begun(2));
  EXPECT_EQ(facts_with(*watch, 1, kPatience).nodes.size(), 1U);
  stream_.tell();
  set_nodes(R"(["node1","node2","node3"])");
  stream_.tell();
  EXPECT_EQ(facts_with(*watch, 3, kPatience).nodes.size(), 3U);
}

TEST_F(OpensvcSocketTest, AFailureThatPassesIsOverSoon) {
  std::atomic<int> failing{0};
  serve_om3([&](const Visitor& visitor, const std::string& target) {
    if (target.find("impersonate=node2") == std::string::npos || failing == 0) return false;
    --failing;
    visitor.answer("{}", 500);
    return true;
  });
  auto watch = OpensvcWatch::start({conf_, path_});
  ASSERT_TRUE(watch.ok());
  ASSERT_EQ(facts_with(*watch, 3, kPatience).nodes.size(), 3U);
  failing = 2;
  const auto start = Clock::now();
  put_conf("");  // what happens in the folder is a reason to look
  const auto until = start + kPatience;
  OpensvcFacts facts;
  bool down = false;
  do {
    pollfd wait{watch->fd(), POLLIN, 0};
    (void)::poll(&wait, 1, 20);
    facts = watch->take();
    down = down || facts.state == OpensvcState::kUnreadable;
  } while ((!down || !facts.readable()) && Clock::now() < until);
  EXPECT_TRUE(down) << "it was not said";
  EXPECT_TRUE(facts.readable()) << facts.reason;
  EXPECT_EQ(facts.nodes.size(), 3U);
  // 250 and 500 ms: in order before the 10 s after which an agent is asked in any case.
  EXPECT_LT(Clock::now() - start, seconds(9)) << "not soon";
}

TEST_F(OpensvcSocketTest, AStreamThatAlwaysEndsIsNotAskedForAllTheTime) {
  serve([](const Visitor& visitor, const std::string&) { visitor.say("HTTP/1.1 200 OK\r\n\r\n"); });
  put_conf("node1");
  const auto start = Clock::now();
  auto watch = OpensvcWatch::start({conf_, path_});
  ASSERT_TRUE(watch.ok());
  EXPECT_TRUE(watch->first(60000).readable());
  const auto until = start + kPatience;
  while (server_->targets().size() < 4 && Clock::now() < until) std::this_thread::yield();
  EXPECT_EQ(server_->targets().size(), 4U);
  EXPECT_GE(Clock::now() - start, milliseconds(250 + 500 + 1000));
}

}  // namespace
}  // namespace espial
