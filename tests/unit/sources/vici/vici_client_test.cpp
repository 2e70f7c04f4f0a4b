// SPDX-License-Identifier: Apache-2.0
// The VICI client against stand-ins for charon: one that answers, and those that hang, stall, lie
// or leave. The real charon is asked in tests/lab/scenarios/render.py.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <thread>

#include "sources/vici/vici_client.h"
#include "sources/vici/vici_message.h"
#include "sources/vici/vici_watch.h"
#include "unit/own_folder.h"

namespace espial {
namespace {

using namespace std::string_literals;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;
using Type = ViciPacketType;

// Of what has to come: it guards against hanging only, and a busy machine may take its time.
constexpr milliseconds kPatience{60000};

// One connection of the stand-in.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  // The next packet; empty: the client has gone.
  std::string packet() const {
    std::string header = exactly(4);
    if (header.empty()) return {};
    std::size_t length = 0;
    for (const char c : header) length = length << 8 | static_cast<std::uint8_t>(c);
    return exactly(length);
  }
  // False: the client has gone.
  bool say(const std::string& bytes) const {
    return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0;
  }
  void wait_until_gone() const {
    char byte = 0;
    while (::recv(fd_.get(), &byte, 1, 0) > 0) {
    }
  }

 private:
  std::string exactly(std::size_t count) const {
    std::string out(count, 0);
    const auto got = ::recv(fd_.get(), out.data(), count, MSG_WAITALL);
    return got == static_cast<ssize_t>(count) ? out : std::string();
  }
  UniqueFd fd_;
};

std::string reply(Type type, const ViciSection& message = {}, std::string_view name = "") {
  return vici_packet(type, name, message);
}

std::string event(std::string_view name, const ViciSection& message) {
  return reply(Type::kEvent, message, name);
}

ViciSection connection(const std::string& name) {
  const ViciSection child{{{"mode", "TUNNEL"}},
                          {{"local-ts", {"10.101.1.0/24"}}, {"remote-ts", {"10.101.2.0/24"}}},
                          {}};
  const ViciSection inner{
      {}, {{"remote_addrs", {"10.45.0.12"}}}, {{"children", {{}, {}, {{name + "-v4", child}}}}}};
  return {{}, {}, {{name, inner}}};
}

std::string log_line(const std::string& connection, const std::string& ike_sa,
                     const std::string& text) {
  return event("log", {{{"group", "IKE"},
                        {"level", "1"},
                        {"thread", "5"},
                        {"ikesa-name", connection},
                        {"ikesa-uniqueid", ike_sa},
                        {"msg", text}},
                       {},
                       {}});
}

// Answers as charon does.
void answer(const Peer& peer) {
  for (std::string bytes; !(bytes = peer.packet()).empty();) {
    const auto packet = parse_vici_packet(bytes);
    if (!packet.ok()) return;
    if (packet->type == Type::kRegister) {
      peer.say(reply(Type::kConfirm));
      if (packet->name != "log") continue;
      peer.say(log_line("node2", "1", "initiating IKE_SA node2[1] to 10.45.0.12") +
               log_line("node2", "1", "received AUTHENTICATION_FAILED notify error"));
      return;  // and goes: whoever listens has to come back
    }
    if (packet->name == "version")
      peer.say(reply(Type::kResponse, {{{"version", "5.9.8"}}, {}, {}}));
    else if (packet->name == "list-conns")
      peer.say(event("list-conn", connection("node2")) + event("list-conn", connection("node3")) +
               reply(Type::kResponse));
    else
      peer.say(reply(Type::kResponse));
  }
}

// Listens, and runs `serve` for each connection, one after the other.
class ViciClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = test::own_folder();
    path_ = folder_ + "/vici";
  }
  void TearDown() override {
    ::shutdown(listener_.get(), SHUT_RDWR);  // wakes accept()
    if (thread_.joinable()) thread_.join();
    std::filesystem::remove_all(folder_);
  }
  void serve(std::function<void(const Peer&)> serve) {
    listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener_.get(), 4), 0);
    thread_ = std::thread([fd = listener_.get(), serve = std::move(serve)] {
      for (int client; (client = ::accept(fd, nullptr, nullptr)) >= 0;) serve(Peer(client));
    });
  }
  // Why nothing could be read, without the path.
  std::string reason(milliseconds deadline = kPatience) const {
    const auto facts = read_charon(path_, deadline);
    if (facts.readable) return "readable";
    EXPECT_EQ(facts.reason.find(path_), 0U) << facts.reason;
    return facts.reason.substr(std::min(facts.reason.size(), path_.size() + 2));
  }

  std::string folder_;
  std::string path_;
  UniqueFd listener_;
  std::thread thread_;
};

TEST_F(ViciClientTest, ReadsWhatCharonSays) {
  serve(answer);
  const auto facts = read_charon(path_);
  ASSERT_TRUE(facts.readable) << facts.reason;
  EXPECT_EQ(facts.version, "5.9.8");
  ASSERT_EQ(facts.connections.size(), 2U);
  EXPECT_EQ(facts.connections[1].name, "node3");
  EXPECT_EQ(facts.connections[0].children.at(0).remote.at(0).text, "10.101.2.0/24");
}

TEST_F(ViciClientTest, AsksForNoSecrets) {
  std::vector<std::string> asked;
  serve([&asked](const Peer& peer) {
    for (std::string bytes; !(bytes = peer.packet()).empty();) {
      const auto packet = parse_vici_packet(bytes);
      asked.emplace_back(packet->name);
      peer.say(reply(packet->type == Type::kRegister ? Type::kConfirm : Type::kResponse));
    }
  });
  EXPECT_EQ(reason(), "readable");
  TearDown();
  EXPECT_EQ(asked, (std::vector<std::string>{"version", "list-conn", "list-conns", "list-sa",
                                             "list-sas", "list-policy", "list-policies"}));
}

TEST_F(ViciClientTest, AnswersThatComeByteByByte) {
  serve([](const Peer& peer) {
    for (std::string bytes; !(bytes = peer.packet()).empty();) {
      const auto packet = parse_vici_packet(bytes);
      const auto text = reply(packet->type == Type::kRegister ? Type::kConfirm : Type::kResponse);
      for (const char c : text) peer.say(std::string(1, c));
    }
  });
  EXPECT_EQ(reason(), "readable");
}

TEST_F(ViciClientTest, NobodyListens) {
  EXPECT_EQ(reason(),
            "connect: No such file or directory (charon is not running, or listens elsewhere)");
}

TEST_F(ViciClientTest, ItClosesAtOnce) {
  serve([](const Peer&) {});
  const auto why = reason();
  EXPECT_TRUE(why == "read the answer: charon closed the connection" ||
              why.find("read the answer: Connection reset") == 0 ||
              why.find("send a request: Broken pipe") == 0)
      << why;
}

TEST_F(ViciClientTest, ItClosesInTheMiddle) {
  serve([](const Peer& peer) {
    peer.packet();
    peer.say("\0\0\0\x20\x01"s);
  });
  EXPECT_EQ(reason(), "read the answer: charon closed the connection");
}

TEST_F(ViciClientTest, ItHangs) {
  serve([](const Peer& peer) { peer.wait_until_gone(); });
  const auto started = Clock::now();
  EXPECT_EQ(reason(milliseconds(100)), "no answer in time (charon is busy or hangs)");
  EXPECT_LT(Clock::now() - started, kPatience / 2);
}

TEST_F(ViciClientTest, TheDeadlineIsOfTheWholeLook) {
  // Something comes all the time, an answer never.
  serve([](const Peer& peer) {
    peer.packet();
    std::string bytes = "\0\x01\0\0"s;  // a packet of 64 KiB
    while (peer.say(bytes)) {
      bytes = "x";
      ::poll(nullptr, 0, 10);
    }
  });
  const auto started = Clock::now();
  EXPECT_EQ(reason(milliseconds(200)), "no answer in time (charon is busy or hangs)");
  EXPECT_LT(Clock::now() - started, kPatience / 2);
}

TEST_F(ViciClientTest, Garbage) {
  serve([](const Peer& peer) {
    peer.packet();
    peer.say("HTTP/1.1 400 Bad Request\r\n\r\n");
    peer.wait_until_gone();
  });
  EXPECT_EQ(reason(), "read the answer: a packet of 1213486160 bytes (is this charon?)");
}

TEST_F(ViciClientTest, AMessageThatIsNone) {
  serve([](const Peer& peer) {
    peer.packet();
    peer.say("\0\0\0\x02\x01\x02"s);
    peer.wait_until_gone();
  });
  EXPECT_EQ(reason(), "VICI message: a section ends that did not begin");
}

TEST_F(ViciClientTest, AnAnswerThatNobodyAskedFor) {
  serve([](const Peer& peer) {
    peer.packet();
    peer.say(event("list-conn", connection("node2")));
    peer.wait_until_gone();
  });
  EXPECT_EQ(reason(), "version: an unexpected answer (is this charon?)");
}

TEST_F(ViciClientTest, ACommandThatItDoesNotKnow) {
  serve([](const Peer& peer) {
    peer.packet();
    peer.say(reply(Type::kUnknownCommand));
    peer.wait_until_gone();
  });
  EXPECT_EQ(reason(), "version: charon does not know this command (is it too old?)");
}

TEST_F(ViciClientTest, AFloodHasAnEnd) {
  serve([](const Peer& peer) {
    peer.packet();
    peer.say(reply(Type::kResponse));
    peer.packet();
    peer.say(reply(Type::kConfirm));
    std::string many;
    while (many.size() < (std::size_t{1} << 20)) many += event("list-conn", connection("node2"));
    for (int i = 0; i < 40; ++i) peer.say(many);
  });
  EXPECT_EQ(reason(), "read the answer: more than 32 MiB");
}

// -- the watch of the daemon ---------------------------------------------------------------------

ViciWatch watch_of(const std::string& choice) {
  auto watch = ViciWatch::open(choice);
  EXPECT_TRUE(watch.ok());
  return std::move(watch).value();
}

// Advances whenever the descriptor says so; false: no look ended within the time.
bool look_ends(ViciWatch& watch, milliseconds within) {
  const auto until = Clock::now() + within;
  while (Clock::now() < until) {
    pollfd entry{watch.fd(), POLLIN, 0};
    if (::poll(&entry, 1, 10) > 0 && watch.advance(Clock::now())) return true;
  }
  return false;
}

TEST_F(ViciClientTest, TheWatchLooksAgainAndFollowsACharonThatLeaves) {
  serve(answer);
  auto watch = watch_of(path_);
  const auto start = Clock::now();
  watch.tick(start);
  ASSERT_TRUE(watch.facts().readable || look_ends(watch, kPatience));
  EXPECT_EQ(watch.facts().connections.size(), 2U);
  TearDown();  // charon leaves
  watch.tick(start + seconds(1));
  EXPECT_TRUE(watch.facts().readable) << "asked again too soon";
  watch.tick(Clock::now() + kViciInterval + seconds(1));
  EXPECT_FALSE(watch.facts().readable);
  EXPECT_NE(watch.facts().reason.find("charon is not running"), std::string::npos);
}

// Advances until the condition holds; a look may have ended within tick() already.
bool comes_true(ViciWatch& watch, const std::function<bool()>& condition) {
  const auto until = Clock::now() + kPatience;
  while (!condition() && Clock::now() < until) {
    pollfd entry{watch.fd(), POLLIN, 0};
    if (::poll(&entry, 1, 10) > 0) watch.advance(Clock::now());
  }
  return condition();
}

// Looks once, then hears what charon logs.
void listen_once(ViciWatch& watch) {
  watch.tick(Clock::now());
  ASSERT_TRUE(comes_true(watch, [&] { return watch.facts().readable; }));
  ASSERT_TRUE(comes_true(watch, [&] { return !watch.troubles().empty(); }));
}

TEST_F(ViciClientTest, TheWatchHearsWhyCharonMakesNoSa) {
  serve(answer);
  auto watch = watch_of(path_);
  listen_once(watch);
  ASSERT_EQ(watch.troubles().size(), 1U);
  EXPECT_EQ(watch.troubles()[0].kind, IkeTroubleKind::kAuthentication);
  EXPECT_EQ(watch.troubles()[0].connection, "node2");
  EXPECT_EQ(watch.troubles()[0].line, "received AUTHENTICATION_FAILED notify error");
  EXPECT_TRUE(watch.facts().troubles.empty()) << "its look was before";
  watch.tick(Clock::now() + kViciInterval + seconds(1));
  EXPECT_TRUE(comes_true(watch, [&] { return watch.facts().troubles == watch.troubles(); }));
  watch.choose("off");
  EXPECT_TRUE(watch.troubles().empty()) << "what the former socket said is forgotten";
}

TEST_F(ViciClientTest, ATroubleIsOverWhenItsConnectionHasAnSa) {
  const ViciSection child{{{"name", "node2-v4"}, {"state", "INSTALLED"}}, {}, {}};
  const ViciSection sa{
      {{"state", "ESTABLISHED"}}, {}, {{"child-sas", {{}, {}, {{"node2-v4-1", child}}}}}};
  // The stand-in outlives this function: it shares what it reads.
  const auto up = std::make_shared<std::atomic<bool>>(false);
  serve([sa, up](const Peer& peer) {
    for (std::string bytes; !(bytes = peer.packet()).empty();) {
      const auto packet = parse_vici_packet(bytes);
      ASSERT_TRUE(packet.ok());
      if (packet->type == Type::kRegister) peer.say(reply(Type::kConfirm));
      if (packet->name == "log") {
        if (!*up) peer.say(log_line("node2", "1", "received NO_PROPOSAL_CHOSEN notify error"));
        return;
      }
      if (packet->type == Type::kRegister) continue;
      peer.say((*up && packet->name == "list-sas" ? event("list-sa", {{}, {}, {{"node2", sa}}})
                                                  : std::string()) +
               reply(Type::kResponse));
    }
  });
  auto watch = watch_of(path_);
  listen_once(watch);
  ASSERT_EQ(watch.troubles().size(), 1U);
  EXPECT_EQ(watch.troubles()[0].kind, IkeTroubleKind::kIkeProposals);
  *up = true;
  watch.tick(Clock::now() + kViciInterval + seconds(1));
  ASSERT_TRUE(comes_true(watch, [&] { return watch.facts().ike_sas.size() == 1; }));
  EXPECT_TRUE(watch.troubles().empty());
}

TEST_F(ViciClientTest, TheWatchNeverWaits) {
  serve([](const Peer& peer) { peer.wait_until_gone(); });
  // The least of five: one that waits does it each time, a busy machine does not.
  auto least = Clock::duration::max();
  for (int round = 0; round < 5; ++round) {
    auto watch = watch_of(path_);
    const auto start = Clock::now();
    watch.tick(start);
    EXPECT_FALSE(watch.advance(start));
    watch.tick(start + kViciDeadline - milliseconds(1));
    EXPECT_EQ(watch.facts().reason, "not asked yet");
    watch.tick(start + kViciDeadline);
    EXPECT_EQ(watch.facts().reason, "charon did not answer within 3000 ms (it is busy or hangs)");
    least = std::min(least, Clock::now() - start);
  }
  EXPECT_LT(least, seconds(2));
}

TEST_F(ViciClientTest, TheWatchIsOffWhenToldSo) {
  serve(answer);
  auto watch = watch_of("off");
  watch.tick(Clock::now());
  EXPECT_TRUE(watch.off());
  EXPECT_FALSE(look_ends(watch, milliseconds(50)));
  watch.choose(path_);
  watch.tick(Clock::now());
  EXPECT_TRUE(watch.facts().readable || look_ends(watch, kPatience));
  watch.choose("off");
  EXPECT_FALSE(watch.facts().readable);
}

TEST(ViciSocket, WhereItIsLookedFor) {
  EXPECT_EQ(find_vici_socket("off"), std::nullopt);
  EXPECT_EQ(find_vici_socket("/x/y"), "/x/y");
}

}  // namespace
}  // namespace espial
