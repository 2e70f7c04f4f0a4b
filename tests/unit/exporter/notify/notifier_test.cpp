// SPDX-License-Identifier: Apache-2.0
// Delivery to receivers that are well, away, slow and bad.
#include "exporter/notify/notifier.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/child_process.h"
#include "base/time_text.h"
#include "unit/alert_stand_in.h"
#include "unit/own_folder.h"

namespace espial {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using std::chrono::steady_clock;
using testing::AlertStandIn;
using testing::Manner;

constexpr Backoff kSoon{10ms, 40ms};
// Nobody who answers is given up, however busy the machine is.
constexpr HttpPostLimits kPatient{60s, 60s, 4096};
// Of one that never answers.
constexpr HttpPostLimits kShort{200ms, 300ms, 4096};

Alarm alarm(const std::string& peer, const std::string& name = "CleartextTraffic") {
  Alarm out;
  out.name = name;
  out.severity = Severity::kCritical;
  out.peer = peer;
  out.state = AlarmState::kFiring;
  out.since = std::chrono::system_clock::now();
  out.evidence = "40 packets in clear";
  return out;
}

template <typename Condition>
bool until(Condition condition, std::chrono::seconds most = 60s) {
  for (const auto end = steady_clock::now() + most; steady_clock::now() < end;) {
    if (condition()) return true;
    std::this_thread::sleep_for(2ms);
  }
  return condition();
}

json body_of(const std::string& request) {
  return json::parse(request.substr(request.find("\r\n\r\n") + 4));
}

// "+peer" for each that a stand-in was told fires, "-peer" for each that ended, in order. What is
// told again at once (it still fires, or an answer came too late for the sender) is there once.
std::string told(const AlertStandIn& receiver) {
  std::string out;
  std::string last;
  for (const auto& [request, when] : receiver.taken()) {
    const auto body = body_of(request);
    const bool webhook = body.is_object();
    for (const auto& alert : webhook ? body["alerts"] : body) {
      const bool ended = webhook ? alert["status"] == "resolved"
                                 : alert["endsAt"].get<std::string>() <= rfc3339(when);
      const auto word = (ended ? " -" : " +") + alert["labels"]["peer"].get<std::string>();
      if (word != last) out += word;
      last = word;
    }
  }
  return out;
}

class NotifierTest : public ::testing::Test {
 protected:
  void start(const ConfigAlerts& config, HttpPostLimits limits = kPatient) {
    NotifierHooks hooks;
    hooks.log = [this](bool good, const std::string& line) {
      const std::scoped_lock lock(mutex_);
      (good ? good_ : bad_).push_back(line);
    };
    hooks.enter = []() -> Status { return Ok{}; };
    hooks.run_command = [](const CommandCall& call) -> Status {
      ChildLimits child;
      child.time = 60s;
      child.stop = call.stop;
      child.input = call.input;
      child.environment = call.environment;
      EP_TRY(run_child(call.argv, child));
      return Ok{};
    };
    notifier_ =
        Notifier::start(config, {"node1", "default", {}}, std::move(hooks), kSoon, limits).value();
  }
  void publish(const std::vector<Alarm>& alarms) {
    notifier_->publish(alarms, std::chrono::system_clock::now());
  }
  ReceiverStatus status(std::size_t index = 0) { return notifier_->status().receivers[index]; }
  std::vector<std::string> bad() {
    const std::scoped_lock lock(mutex_);
    return bad_;
  }
  std::vector<std::string> good() {
    const std::scoped_lock lock(mutex_);
    return good_;
  }
  void TearDown() override {
    notifier_.reset();
    std::filesystem::remove_all(folder_);
  }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

  const std::filesystem::path folder_ = test::own_folder();

  std::mutex mutex_;
  std::vector<std::string> good_, bad_;
  std::unique_ptr<Notifier> notifier_;
};

ConfigAlerts alertmanagers(const std::vector<std::string>& urls) {
  ConfigAlerts out;
  for (const auto& url : urls) out.alertmanagers.push_back({url, "", "", "", "", "", ""});
  out.resend_seconds = 1;
  return out;
}

ConfigAlerts webhook(const std::string& url) {
  ConfigAlerts out;
  out.webhooks.push_back({url, "", "", "", "", "", ""});
  out.collapse_above = 1000;
  return out;
}

TEST_F(NotifierTest, AnAlertmanagerHearsOfBeginningsAndEnds) {
  AlertStandIn receiver(Manner::kOk);
  start(alertmanagers({receiver.url() + "/"}));
  publish({alarm("node2")});
  ASSERT_TRUE(until([&] { return told(receiver) == " +node2"; }));
  EXPECT_EQ(receiver.taken()[0].request.substr(0, 30), "POST /api/v2/alerts HTTP/1.1\r\n");
  publish({});
  ASSERT_TRUE(until([&] { return told(receiver) == " +node2 -node2"; })) << told(receiver);
  EXPECT_TRUE(until([&] { return status().waiting == 0 && status().delivered >= 2; }));
  EXPECT_EQ(status().failed, 0u);
}

TEST_F(NotifierTest, WhatFiresIsSentAgainBeforeItExpires) {
  AlertStandIn receiver(Manner::kOk);
  start(alertmanagers({receiver.url()}));
  publish({alarm("node2")});
  ASSERT_TRUE(until([&] { return receiver.taken().size() >= 3; }));
  EXPECT_EQ(told(receiver), " +node2");
}

TEST_F(NotifierTest, OneThatWasAwayGetsTheStateWhenItComesBack) {
  auto receiver = std::make_unique<AlertStandIn>(Manner::kOk);
  const auto port = receiver->port();
  const auto url = receiver->url();
  receiver.reset();
  start(alertmanagers({url}));
  publish({alarm("node2")});
  ASSERT_TRUE(until([&] { return status().failed > 1; }));
  publish({alarm("node3")});
  EXPECT_TRUE(until([&] { return status().waiting == 2; }));
  receiver = std::make_unique<AlertStandIn>(Manner::kOk, port);
  ASSERT_TRUE(receiver->works());
  // node2 ended meanwhile: it is told as firing, then as ended.
  ASSERT_TRUE(until([&] { return told(*receiver).substr(0, 21) == " +node2 +node3 -node2"; }))
      << told(*receiver);
  EXPECT_EQ(status().dropped, 0u);
  ASSERT_EQ(bad().size(), 1u) << "one line, however often it fails";
  EXPECT_NE(bad()[0].find("alerts.alertmanager[0]: Failed to connect"), std::string::npos)
      << bad()[0];
  EXPECT_EQ(good(), std::vector<std::string>{"alerts.alertmanager[0]: accepts alarms again"});
}

TEST_F(NotifierTest, OneThatHangsHoldsUpNobody) {
  AlertStandIn hangs(Manner::kNever);
  AlertStandIn works(Manner::kOk);
  auto config = alertmanagers({hangs.url(), works.url()});
  config.webhooks = webhook(hangs.url()).webhooks;
  config.commands = {{"/bin/sleep", "60"}};
  start(config);
  publish({alarm("node2")});
  ASSERT_TRUE(until([&] { return hangs.asked() > 0 && told(works) == " +node2"; }));
  for (int i = 0; i < 300; ++i) {
    std::vector<Alarm> alarms;
    for (int peer = 0; peer < 100; ++peer)
      alarms.push_back(alarm("node" + std::to_string(peer + i % 2)));
    publish(alarms);
  }
  // All 300 were taken while the first exchange with those that hang lasted: nothing waited for its
  // end.
  for (const std::size_t one : {0U, 2U, 3U}) EXPECT_EQ(status(one).failed, 0U) << one;
  const auto begin = steady_clock::now();
  notifier_.reset();
  EXPECT_LT(steady_clock::now() - begin, kPatient.total / 2) << "ending waits for a receiver";
}

// What was failing arrives once the receiver is well, and every failure is counted.
class BadReceiver : public NotifierTest, public ::testing::WithParamInterface<Manner> {};

TEST_P(BadReceiver, LosesNothing) {
  AlertStandIn receiver(GetParam());
  AlertStandIn elsewhere(Manner::kOk);
  receiver.redirect_ = elsewhere.url();
  start(webhook(receiver.url()), GetParam() == Manner::kNever ? kShort : kPatient);
  publish({alarm("node2")});
  ASSERT_TRUE(until([&] { return status().failed >= 2; }));
  publish({});
  EXPECT_EQ(status().dropped, 0u);
  ASSERT_EQ(bad().size(), 1u);
  EXPECT_EQ(bad()[0].find('\x1b'), std::string::npos) << "an answer's bytes reach a terminal";
  std::printf("%s\n", bad()[0].c_str());
  receiver.behave(Manner::kOk);
  ASSERT_TRUE(until([&] { return told(receiver) == " +node2 -node2"; })) << told(receiver);
  EXPECT_TRUE(until([&] { return status().waiting == 0; }));
  EXPECT_EQ(status().dropped, 0u);
  EXPECT_EQ(elsewhere.asked(), 0) << "a redirect was followed";
}

INSTANTIATE_TEST_SUITE_P(Manners, BadReceiver,
                         ::testing::Values(Manner::kError, Manner::kHuge, Manner::kNever,
                                           Manner::kGarbage, Manner::kRedirect, Manner::kHangUp));

TEST_F(NotifierTest, WhatTheBufferDoesNotHoldIsCountedAndTold) {
  AlertStandIn receiver(Manner::kError);
  start(webhook(receiver.url()));
  publish({alarm("first")});
  ASSERT_TRUE(until([&] { return status().failed > 0; }));
  std::vector<Alarm> flood{alarm("first")};
  constexpr std::size_t kFlood = 1000;
  for (std::size_t i = 0; i < kFlood; ++i) flood.push_back(alarm("node" + std::to_string(i)));
  publish(flood);
  const auto held = status();
  EXPECT_EQ(held.waiting + held.dropped, kFlood + 1);
  EXPECT_GE(held.waiting, TransitionReceiver::kMaxWaiting);
  receiver.behave(Manner::kOk);
  ASSERT_TRUE(until([&] { return status().waiting == 0; }));
  std::size_t arrived = 0;
  std::vector<std::uint64_t> told;
  for (const auto& [request, when] : receiver.taken()) {
    arrived += body_of(request)["alerts"].size();
    told.push_back(body_of(request)["dropped"]);
  }
  EXPECT_EQ(arrived, held.waiting);
  ASSERT_GE(told.size(), 2u);
  // An attempt that was under way when the flood came says what was so when it began.
  if (told.front() == 0) told.erase(told.begin());
  EXPECT_EQ(told, std::vector<std::uint64_t>(told.size(), held.dropped));
  EXPECT_EQ(status().dropped, held.dropped);
}

TEST_F(NotifierTest, AFloodIsCollapsedAndCounted) {
  AlertStandIn receiver(Manner::kOk);
  start(alertmanagers({receiver.url()}));
  std::vector<Alarm> flood;
  for (int i = 0; i < 100; ++i) flood.push_back(alarm("node" + std::to_string(i)));
  publish(flood);
  publish(flood);
  ASSERT_TRUE(until([&] { return !receiver.taken().empty(); }));
  EXPECT_EQ(body_of(receiver.taken()[0].request).size(), 21u);
  EXPECT_EQ(notifier_->status().collapsed, 80u);
}

TEST_F(NotifierTest, ACommandGetsTheAlertOnceForEachChange) {
  const auto out = folder() / "told";
  ConfigAlerts config;
  config.commands = {{"/bin/sh", "-c",
                      "read -r line; echo \"$ESPIAL_STATUS $ESPIAL_ALARM $ESPIAL_PEER "
                      "$(ls /proc/self/fd | wc -l) $line\" >>" +
                          out.string()}};
  const UniqueFd careless(::open("/dev/null", O_RDONLY));  // as some library would
  start(config);
  publish({alarm("node2")});
  publish({});
  std::string text;
  ASSERT_TRUE(until([&] {
    std::ifstream file(out);
    text.assign(std::istreambuf_iterator<char>(file), {});
    return std::count(text.begin(), text.end(), '\n') == 2;
  })) << text;
  // Its standard descriptors and the one that ls reads: nothing of ours.
  EXPECT_EQ(text.substr(0, 53), "firing CleartextTraffic node2 4 {\"alerts\":[{\"annotati") << text;
  EXPECT_NE(text.find("\nresolved CleartextTraffic node2 4 {"), std::string::npos) << text;
}

TEST_F(NotifierTest, ACommandThatFailsIsRunAgain) {
  const auto mark = folder() / "mark";
  ConfigAlerts config;
  config.commands = {{"/bin/sh", "-c",
                      "test -e " + mark.string() + " && exit 0; touch " + mark.string() +
                          "; echo no mail today >&2; exit 1"}};
  start(config);
  publish({alarm("node2")});
  ASSERT_TRUE(until([&] { return status().delivered == 1; }));
  EXPECT_EQ(status().failed, 1u);
  ASSERT_EQ(bad().size(), 1u);
  EXPECT_EQ(bad()[0], "alerts.command[0]: /bin/sh: no mail today (alarms are queued; retrying)");
}

TEST_F(NotifierTest, PasswordsComeFromFilesThatNobodyElseReads) {
  const auto secret = folder() / "password";
  std::ofstream(secret) << "open sesame\n";
  ::chmod(secret.c_str(), 0644);
  AlertStandIn receiver(Manner::kOk);
  auto config = alertmanagers({receiver.url()});
  config.alertmanagers[0].username = "espial";
  config.alertmanagers[0].password_file = secret;
  EXPECT_EQ(receiver_problems(config),
            std::vector<std::string>{"alerts.alertmanager[0]: " + secret.string() +
                                     ": others than its owner may use it (chmod 600)"});
  start(config);
  publish({alarm("node2")});
  ASSERT_TRUE(until([&] { return status().failed > 0; }));
  EXPECT_EQ(receiver.asked(), 0);
  ::chmod(secret.c_str(), 0600);
  ASSERT_TRUE(until([&] { return !receiver.taken().empty(); }));
  // "espial:open sesame"
  EXPECT_NE(
      receiver.taken()[0].request.find("\r\nAuthorization: Basic ZXNwaWFsOm9wZW4gc2VzYW1l\r\n"),
      std::string::npos);
  for (const auto& line : bad()) EXPECT_EQ(line.find("sesame"), std::string::npos) << line;
  EXPECT_TRUE(receiver_problems(config).empty());
}

}  // namespace
}  // namespace espial
