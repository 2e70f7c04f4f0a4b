// SPDX-License-Identifier: Apache-2.0
// The command line as a user meets it: arguments in; output, error lines and exit status out.
#include "cli/cli.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "cli/terminal/watch_screen.h"
#include "config/config_file.h"
#include "control/control_client.h"
#include "control/control_server.h"
#include "golden.h"
#include "model/config.h"
#include "unit/own_folder.h"

namespace espial {
namespace {

using nlohmann::json;

struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
};

class CliTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = test::own_folder();
    config_ = (folder_ / "espial.yaml").string();
    std::ofstream(config_) << "node: node1\nstate_dir: " << folder_.string() << "\n";
    services_.version = "1.2.3";
  }
  void TearDown() override {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    std::filesystem::remove_all(folder_);
  }

  // A daemon that answers requests with handler, until the test ends.
  void start_daemon(const ControlHandler& handler) {
    auto server = ControlServer::open(control_socket_path(folder_.string()), handler);
    ASSERT_TRUE(server.ok()) << server.error().message;
    thread_ = std::thread([this, owned = std::move(server).value()]() mutable {
      while (!stop_) {
        pollfd entry{owned.descriptor(), POLLIN, 0};
        if (::poll(&entry, 1, 10) > 0) owned.serve();
      }
    });
  }

  // A daemon that tells a follower these lines.
  void start_stream(const std::string& lines) {
    auto server = ControlServer::open(control_socket_path(folder_.string()),
                                      [](std::string_view) { return R"({"error":"no"})"; });
    ASSERT_TRUE(server.ok()) << server.error().message;
    thread_ = std::thread([this, lines, owned = std::move(server).value()]() mutable {
      owned.stream({"follow",
                    [&](std::string_view request, ControlStreams::Id id) {
                      set_followed(request);
                      owned.send(id, lines);
                    },
                    [](ControlStreams::Id) {}});
      while (!stop_) {
        pollfd entry{owned.descriptor(), POLLIN, 0};
        if (::poll(&entry, 1, 10) > 0) owned.serve();
      }
    });
    // Ends the command a while after the last line: what is wanted has come by then, or never does.
    next_frame_ = [frames = 0]() mutable { return ++frames < 25; };
  }

  // The request of start_stream()'s follower.
  std::string followed() {
    const std::scoped_lock lock(mutex_);
    return followed_;
  }
  void set_followed(std::string_view request) {
    const std::scoped_lock lock(mutex_);
    followed_ = std::string(request);
  }

  Outcome run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "espial");
    std::vector<const char*> argv;
    for (const auto& argument : arguments) argv.push_back(argument.c_str());
    std::ostringstream out;
    std::ostringstream err;
    Console console{out, err, {}, false, 0, next_frame_};
    const int status = cli_main(static_cast<int>(argv.size()), argv.data(), services_, console);
    return {status, out.str(), err.str()};
  }
  Outcome run_configured(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--config", config_});
    return run(std::move(arguments));
  }

  std::filesystem::path folder_;
  std::string config_;
  Services services_;
  std::function<bool()> next_frame_;
  std::mutex mutex_;
  std::string followed_;
  std::thread thread_;
  std::atomic<bool> stop_ = false;
};

json encrypted_status() {
  return {{"schema_version", 1},
          {"node", "node1"},
          {"daemon", {{"running", false}}},
          {"peers", {{{"name", "node2"}, {"state", "configured"}, {"verdict", "encrypted"}}}}};
}

long lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

TEST_F(CliTest, HelpAndVersionAreGood) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"--help"}, {"status", "--help"}, {"config", "check", "--help"}}) {
    const auto outcome = run(arguments);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_NE(outcome.out.find("Usage: espial"), std::string::npos) << outcome.out;
    EXPECT_EQ(outcome.err, "");
  }
  EXPECT_EQ(run({"--version"}).out, "espial 1.2.3\n");
}

TEST_F(CliTest, UsageErrorsAreTwoAndOneLine) {
  services_.forget = [](const Config&, const std::string&) -> Result<std::string> {
    return std::string();
  };
  for (const auto& arguments : std::vector<std::vector<std::string>>{{},
                                                                     {"nonsense"},
                                                                     {"status", "extra"},
                                                                     {"status", "--nonsense"},
                                                                     {"flows", "--class", "x"},
                                                                     {"flows", "--class"},
                                                                     {"config"},
                                                                     {"config", "forget"},
                                                                     {"run"},
                                                                     {"\x1b[31m\n"}}) {
    const auto outcome = run(arguments);
    EXPECT_EQ(outcome.status, 2) << outcome.err;
    EXPECT_EQ(lines(outcome.err), 1) << outcome.err;
    EXPECT_EQ(outcome.err.find('\x1b'), std::string::npos);
    EXPECT_EQ(outcome.out, "");
  }
  EXPECT_EQ(run({"nonsense"}).err, "espial: \"nonsense\" is not a command (see espial --help)\n");
}

constexpr const char* kStream =
    R"({"event":"start","schema_version":1,"node":"node1","since":"2026-01-02T03:04:05.000Z"}
{"event":"flow","again":false,"first":"2026-01-02T03:04:05.250Z","last":"2026-01-02T03:04:05.250Z","direction":"transmit","class":"cleartext","peer":"node3","device":"eth0","source":"10.101.0.10","source_port":4000,"destination":"10.101.2.10","destination_port":80,"protocol":6,"packets":1,"bytes":60,"dropped_packets":1,"would_drop_packets":0}
{"event":"flow","again":true,"first":"2026-01-02T03:00:00.000Z","last":"2026-01-02T03:04:06.000Z","direction":"receive","class":"cleartext_host","peer":"n\u001b[31m","device":"eth0","source":"fd00::1","source_port":0,"destination":"fd00::2","destination_port":0,"protocol":58,"packets":1234,"bytes":60,"dropped_packets":0,"would_drop_packets":4}
{"event":"kernel_drop","again":false,"first":"2026-01-02T03:04:07.000Z","last":"2026-01-02T03:04:07.000Z","direction":"receive","peer":"node2","device":"","source":"10.101.1.10","source_port":1,"destination":"10.101.0.10","destination_port":2,"protocol":17,"packets":3,"reason":"NETFILTER_DROP","hook":"forward"}
{"event":"lost","lost":12}
{"event":"of a later version"}
)";

TEST_F(CliTest, FollowsFlowsAsLines) {
  start_stream(kStream);
  const auto outcome = run_configured({"flows", "--follow"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(followed(), "follow 0");
  EXPECT_EQ(outcome.out,
            "2026-01-02T03:04:05.250Z  transmit  cleartext          node3         tcp "
            "10.101.0.10:4000 > 10.101.2.10:80  eth0  dropped\n2026-01-02T03:04:06.000Z  receive   "
            "cleartext_host     n\\x1b[31m     icmp6 fd00::1 > fd00::2  eth0  1,234 packets since "
            "2026-01-02T03:00:00.000Z, 4 would be dropped\n2026-01-02T03:04:07.000Z  receive   "
            "netfilter forward  node2         udp 10.101.1.10:1 > 10.101.0.10:2  dropped by the "
            "kernel\n12 not shown: too many new flows at once; the counters include them all\n");
}

TEST_F(CliTest, FollowsFlowsAsJsonOfOneClass) {
  start_stream(kStream);
  const auto outcome =
      run_configured({"flows", "--follow", "--since", "5m", "--json", "--class", "dropped"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(followed(), "follow 300");
  std::vector<std::string> events;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);)
    events.push_back(json::parse(line)["event"].get<std::string>());
  EXPECT_EQ(events, (std::vector<std::string>{"start", "flow", "kernel_drop", "lost",
                                              "of a later version"}));
}

TEST_F(CliTest, FollowingNeedsADaemonThatCan) {
  auto outcome = run_configured({"flows", "--follow"});
  EXPECT_EQ(outcome.status, 3);
  EXPECT_NE(outcome.err.find("no daemon is running"), std::string::npos) << outcome.err;
  EXPECT_EQ(run_configured({"flows", "--follow", "--since", "yesterday"}).status, 2);
  EXPECT_EQ(run_configured({"flows", "--since", "5m"}).status, 2);
  start_stream(R"({"error":"8 commands follow already"})"
               "\n");
  outcome = run_configured({"flows", "--follow"});
  EXPECT_EQ(outcome.status, 3);
  EXPECT_EQ(lines(outcome.err), 1) << outcome.err;
  EXPECT_NE(outcome.err.find("8 commands follow already"), std::string::npos) << outcome.err;
}

TEST_F(CliTest, FollowingWaitsForADaemonThatRestarts) {
  start_stream(R"({"event":"start","schema_version":1})"
               "\n");
  int frames = 0;
  next_frame_ = [&] {
    if (++frames == 10) {  // the daemon goes
      stop_ = true;
      thread_.join();
      stop_ = false;
    }
    if (frames == 20) {
      const auto keep = next_frame_;
      start_stream(kStream);
      next_frame_ = keep;
    }
    return frames < 45;
  };
  const auto outcome = run_configured({"flows", "--follow"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(
      outcome.err,
      "espial: the daemon stopped; waiting for it (Ctrl-C quits)\nespial: the daemon is back\n");
  EXPECT_NE(outcome.out.find("tcp 10.101.0.10:4000"), std::string::npos);
  EXPECT_NE(followed(), "follow 0") << "what passed meanwhile was not asked for";
}

TEST_F(CliTest, TopNeedsATerminal) {
  const auto outcome = run_configured({"top"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(lines(outcome.err), 1);
  EXPECT_NE(outcome.err.find("espial status --watch"), std::string::npos) << outcome.err;
  EXPECT_EQ(run_configured({"top", "--interval", "0"}).status, 2);
}

TEST_F(CliTest, DoctorExplainsOnePacketAndSaysHowItEnds) {
  services_.doctor = [](const Config&) -> Result<json> {
    return json{{"findings", json::array()}};
  };
  services_.explain = [](const Config&, const std::string& from,
                         const std::string& to) -> Result<json> {
    if (to == "x") return Error{"--explain x: not an IP address", Failure::kUsage};
    return json{
        {"source", from}, {"destination", to}, {"end", "fail_closed"}, {"conclusion", "waits"}};
  };
  const auto told = run_configured({"doctor", "--explain", "10.0.0.1", "10.0.0.2"});
  EXPECT_EQ(told.status, 1) << told.err;
  EXPECT_NE(told.out.find("fail_closed  10.0.0.1 > 10.0.0.2: waits\n"), std::string::npos)
      << told.out;
  const auto as_json = run_configured({"doctor", "--explain", "10.0.0.1", "10.0.0.2", "--json"});
  EXPECT_EQ(json::parse(as_json.out)["end"], "fail_closed");
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"doctor", "--explain", "10.0.0.1"},
           {"doctor", "--explain", "10.0.0.1", "x"},
           {"doctor", "--explain", "10.0.0.1", "10.0.0.2", "--peer", "node2"}}) {
    const auto outcome = run_configured(arguments);
    EXPECT_EQ(outcome.status, 2) << outcome.out;
    EXPECT_EQ(lines(outcome.err), 1) << outcome.err;
  }
  EXPECT_EQ(run_configured({"doctor"}).status, 0) << "without it, the findings";
}

TEST_F(CliTest, ConfigCheckReportsEveryProblemOnItsLine) {
  EXPECT_EQ(run({"config", "check", config_}).out, config_ + ": valid, 0 peers\n");
  std::ofstream(config_) << "max_peers: 0\npeer: []\n";
  const auto outcome = run({"config", "check", config_});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.err,
            "espial: " + config_ + ":1: max_peers: \"0\" is not a whole number from 1 to 10000\n" +
                "espial: " + config_ + ":2: peer: unknown key (did you mean \"peers\"?)\n");
  EXPECT_EQ(run_configured({"config", "check"}).status, 2);
  EXPECT_EQ(run_configured({"status"}).status, 2);
  EXPECT_EQ(run({"config", "check", "/nonexistent"}).err,
            "espial: /nonexistent: open the configuration: No such file or directory\n");
}

// Every key is in the example, and the example is right: with one "#" taken from each line, what
// is left is valid.
TEST_F(CliTest, PackagedExampleIsValid) {
  std::ifstream file(std::string(ESPIAL_SOURCE_DIR) + "/userspace/espial.yaml.example");
  std::string stripped;
  for (std::string line; std::getline(file, line);)
    stripped += (line.rfind('#', 0) == 0 ? line.substr(1) : line) + "\n";
  std::ofstream(config_) << stripped;
  const auto outcome = run({"config", "check", config_});
  EXPECT_EQ(outcome.status, 0) << outcome.err << stripped;
  for (const char* key : {"node:",
                          "instance:",
                          "pin_dir:",
                          "state_dir:",
                          "listen:",
                          "listen_anywhere:",
                          "discover:",
                          "max_peers:",
                          "metrics:",
                          "flow_events_per_second:",
                          "networks:",
                          "self:",
                          "peers:",
                          "devices:",
                          "subnets:",
                          "underlay:",
                          "backend:",
                          "mode:",
                          "enforce:",
                          "exempt:",
                          "cleartext_host:",
                          "cleartext_transit:",
                          "esp_foreign:",
                          "audit_minutes:",
                          "xfrm_block:",
                          "prefix:",
                          "protocol:",
                          "port:",
                          "unknown_node:",
                          "verify:",
                          "interval:",
                          "pods:",
                          "probes_per_second:",
                          "path_mtu_interval:",
                          "include:",
                          "exclude:",
                          "coverage_target:"})
    EXPECT_NE(stripped.find(key), std::string::npos) << key;
  const auto as_packaged =
      run({"config", "check", std::string(ESPIAL_SOURCE_DIR) + "/userspace/espial.yaml.example"});
  EXPECT_EQ(as_packaged.status, 0) << as_packaged.err;
}

TEST_F(CliTest, StatusComesFromTheDaemon) {
  std::string request;
  start_daemon([&](std::string_view line) {
    request = line;
    return testing::read_golden("status_sample.json");
  });
  services_.offline_status = [](const Config&) -> Result<json> { return Error{"not asked"}; };
  const auto outcome = run_configured({"status"});
  EXPECT_EQ(request, "status");
  EXPECT_EQ(outcome.out, testing::read_golden("status.txt"));
  EXPECT_EQ(outcome.status, 1) << "an alarm fires";
  EXPECT_EQ(json::parse(run_configured({"status", "--json"}).out),
            json::parse(testing::read_golden("status_sample.json")));
}

TEST_F(CliTest, AlarmsComeFromTheDaemon) {
  std::string request;
  start_daemon([&](std::string_view line) {
    request = line;
    return testing::read_golden("alarms.json");
  });
  services_.offline_alarms = [](const Config&) -> Result<json> { return Error{"not asked"}; };
  const auto outcome = run_configured({"alarms", "--history"});
  EXPECT_EQ(request, "alarms");
  EXPECT_EQ(outcome.out, testing::read_golden("alarms.txt"));
  EXPECT_EQ(outcome.status, 1) << "an alarm fires";
  EXPECT_EQ(json::parse(run_configured({"alarms", "--json", "--history"}).out),
            json::parse(testing::read_golden("alarms.json")));
  EXPECT_EQ(run_configured({"alarms", "--peer", "node3"}).status, 0);
  const auto unknown = run_configured({"alarms", "--peer", "nod3"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_EQ(lines(unknown.err), 1) << unknown.err;
}

TEST_F(CliTest, AlarmsWithoutADaemonAreThoseThatWereSaved) {
  auto saved = json::parse(testing::read_golden("alarms.json"));
  saved["daemon"]["running"] = false;
  services_.offline_alarms = [&](const Config&) -> Result<json> { return saved; };
  const auto outcome = run_configured({"alarms"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.out.find("no daemon is running"), std::string::npos);
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(run_configured({"alarms", "--peer", "node3"}).status, 3) << "nobody looks";
  services_.offline_alarms = [](const Config&) -> Result<json> { return Error{"nothing saved"}; };
  const auto failed = run_configured({"alarms"});
  EXPECT_EQ(failed.status, 3);
  EXPECT_EQ(failed.out, "");
  EXPECT_EQ(lines(failed.err), 2) << failed.err;
}

// What `espial policy` asks, whoever answers, and what it says then.
class PolicyCliTest : public CliTest {
 protected:
  void answer(json document) {
    services_.offline_modes = [this, document](const Config&, const json& request) -> Result<json> {
      request_ = request;
      if (document.contains("error")) return Error{"refused", Failure::kUsage};
      return document;
    };
  }
  json request_;
};

json mode_answer() {
  return {{"schema_version", 1},
          {"changed", json::array()},
          {"refused", json::array()},
          {"notes", json::array()}};
}

TEST_F(PolicyCliTest, SetAsksForAModeAndSaysWhatChanged) {
  auto document = mode_answer();
  document["changed"].push_back({{"peer", "node2"},
                                 {"mode", "enforce"},
                                 {"mode_from", "command"},
                                 {"confirm", {{"seconds_left", 299.2}}}});
  document["notes"].push_back("a note");
  answer(document);
  const auto outcome =
      run_configured({"policy", "set", "node2", "enforce", "--confirm-within", "5m", "--force"});
  EXPECT_EQ(request_, (json{{"command", "set"},
                            {"peer", "node2"},
                            {"mode", "enforce"},
                            {"force", true},
                            {"confirm_within_seconds", 300}}));
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.out,
            "node2: enforce (command), audit in 300 s unless confirmed (espial policy confirm "
            "'node2')\na note\n");
  EXPECT_EQ(json::parse(run_configured({"policy", "confirm", "all", "--json"}).out), document);
  EXPECT_EQ(request_, (json{{"command", "confirm"}, {"peer", "all"}}));
}

TEST_F(PolicyCliTest, ARefusalIsOneLinePerReasonAndFlow) {
  auto document = mode_answer();
  document["refused"].push_back({{"peer", "node2"},
                                 {"reasons", {"audit has run for 3 min of 10 min", "another"}},
                                 {"flows",
                                  {{{"direction", "transmit"},
                                    {"class", "cleartext"},
                                    {"protocol", 6},
                                    {"source", "10.101.1.2"},
                                    {"source_port", 40000},
                                    {"destination", "10.101.2.2"},
                                    {"destination_port", 80},
                                    {"packets", 1234}}}}});
  answer(document);
  const auto outcome = run_configured({"policy", "set", "node2", "enforce"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(
      outcome.err,
      "espial: node2: refused: audit has run for 3 min of 10 min\nespial: node2: refused: "
      "another\nespial: node2: would be dropped: transmit tcp 10.101.1.2:40000 > 10.101.2.2:80, "
      "cleartext, 1,234 packets\nespial: nothing was changed (--force sets it anyway)\n");
  EXPECT_EQ(run_configured({"policy", "set", "node2", "enforce", "--json"}).status, 1);
}

TEST_F(PolicyCliTest, WrongWordsAreUsageErrors) {
  answer({{"error", "x"}});
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"policy"},
           {"policy", "set"},
           {"policy", "set", "node2"},
           {"policy", "set", "node2", "drop"},
           {"policy", "set", "node2", "enforce", "--confirm-within", "0s"},
           {"policy", "set", "node2", "enforce", "--confirm-within", "25h"},
           {"policy", "set", "node2", "enforce", "--confirm-within", "5 m"},
           {"policy", "set", "node2", "audit"},  // the answer says so
           {"policy", "confirm"}}) {
    const auto outcome = run_configured(arguments);
    EXPECT_EQ(outcome.status, 2) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_GE(lines(outcome.err), 1);
  }
}

TEST_F(PolicyCliTest, TheDaemonIsAskedFirst) {
  std::string asked;
  start_daemon([&](std::string_view line) {
    asked = line;
    return std::string(R"({"error":"node9: no such peer","usage":true})");
  });
  answer(mode_answer());
  const auto outcome = run_configured({"policy", "set", "node9", "file"});
  EXPECT_EQ(asked, R"(policy {"command":"set","force":false,"mode":"file","peer":"node9"})");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.err, "espial: node9: no such peer\n");
}

TEST_F(PolicyCliTest, ShowSaysWhatIsNotInForce) {
  const auto peer = [](const char* name, const char* mode, json in_force) {
    return json{{"name", name},
                {"state", "configured"},
                {"mode", mode},
                {"mode_from", "command"},
                {"in_force", std::move(in_force)},
                {"since", "2026-01-02T03:00:05.000Z"},
                {"confirm", nullptr},
                {"would_drop", {{"packets", 1234}, {"last", "2026-01-02T03:03:05.000Z"}}},
                {"dropped", {{"packets", 0}}}};
  };
  json document{{"schema_version", 1},
                {"node", "node1"},
                {"time", "2026-01-02T03:04:05.000Z"},
                {"daemon", {{"running", true}}},
                {"audit_minutes", 10},
                {"peers", {peer("node2", "enforce", "enforce"), peer("node3", "audit", "audit")}},
                {"findings", {"node3: they disagree"}}};
  document["peers"][0]["confirm"] = {{"seconds_left", 41.1}};
  answer(document);
  const auto good = run_configured({"policy", "show"});
  EXPECT_EQ(good.status, 0);
  EXPECT_EQ(good.out, R"(node1  2026-01-02T03:04:05.000Z  enforce needs 10 min of quiet audit

PEER   MODE     FROM     SINCE           WOULD DROP  DROPPED  REMARK
node2  enforce  command  4 min ago  1,234, 60 s ago        0  audit in 42 s unless confirmed
node3  audit    command  4 min ago  1,234, 60 s ago        0

node3: they disagree
)");
  document["peers"][1]["in_force"] = "monitor";
  document["peers"][0]["in_force"] = nullptr;
  answer(document);
  const auto bad = run_configured({"policy", "show"});
  EXPECT_EQ(bad.status, 1);
  EXPECT_NE(bad.out.find("in force: monitor"), std::string::npos);
  EXPECT_NE(bad.out.find("not in force: no programs"), std::string::npos);
}

TEST_F(CliTest, StatusWithoutADaemonReadsThePins) {
  services_.offline_status = [](const Config& config) -> Result<json> {
    EXPECT_EQ(config.node, "node1");
    return encrypted_status();
  };
  const auto outcome = run_configured({"status"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.out.find("no daemon is running"), std::string::npos);
  EXPECT_EQ(outcome.err, "");

  services_.offline_status = [](const Config&) -> Result<json> {
    return Error{"/sys/fs/bpf/espial: open: No such file or directory (start the daemon)"};
  };
  const auto failed = run_configured({"status"});
  EXPECT_EQ(failed.status, 3);
  EXPECT_EQ(lines(failed.err), 2) << failed.err;
  EXPECT_EQ(failed.out, "");
}

// A daemon that refused a reload is asked why, through the very file that it refused.
TEST_F(CliTest, ABadFileDoesNotHideTheDaemon) {
  std::ofstream(config_, std::ios::app) << "peers:\n  - underlay: [10.45.0.1200]\n";
  services_.offline_status = [](const Config&) -> Result<json> { return Error{"not asked"}; };
  const auto without = run_configured({"status"});
  EXPECT_EQ(without.status, 2);
  EXPECT_NE(without.err.find(":4: peers[0].underlay[0]"), std::string::npos) << without.err;
  start_daemon([](std::string_view) { return encrypted_status().dump(); });
  EXPECT_EQ(run_configured({"status"}).status, 0);
  std::ofstream(config_, std::ios::app) << "state_dirr: /elsewhere\n";
  EXPECT_EQ(run_configured({"status"}).status, 2) << "the place itself is in doubt";
}

TEST_F(CliTest, AnswersThatAreNoStatusAreThree) {
  std::string answer;
  start_daemon([&](std::string_view) { return answer; });
  for (const char* bad : {"garbage", "[1]", "{\"schema_version\":2}", "{\"error\":\"busy\\u001b\"}",
                          "{\"schema_version\":1,"}) {
    answer = bad;
    const auto outcome = run_configured({"status"});
    EXPECT_EQ(outcome.status, 3) << bad;
    EXPECT_EQ(lines(outcome.err), 1) << outcome.err;
    EXPECT_EQ(outcome.err.find('\x1b'), std::string::npos);
  }
}

TEST_F(CliTest, JsonOutputCarriesNoControlByte) {
  auto status = encrypted_status();
  status["peers"][0]["name"] = "\x1b[2J\xc2\x9b\x7f";
  services_.offline_status = [&](const Config&) -> Result<json> { return status; };
  const auto outcome = run_configured({"status", "--json"});
  EXPECT_TRUE(std::all_of(outcome.out.begin(), outcome.out.end(),
                          [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); }));
  status["peers"][0]["name"] = "\xff";  // not UTF-8
  EXPECT_EQ(run_configured({"status", "--json"}).status, 0);
}

TEST_F(CliTest, WatchRefreshesUntilStopped) {
  int frames = 0;
  services_.offline_status = [&](const Config&) -> Result<json> {
    ++frames;
    if (frames == 2) return Error{"pins: read: gone"};
    return encrypted_status();
  };
  next_frame_ = [&] { return frames < 3; };
  const auto outcome = run_configured({"status", "--watch", "--json"});
  EXPECT_EQ(frames, 3);
  EXPECT_EQ(outcome.status, 0) << "of the last frame";
  std::istringstream out(outcome.out);
  std::string line;
  std::getline(out, line);
  EXPECT_EQ(json::parse(line)["node"], "node1") << "one document per line";
  EXPECT_NE(outcome.out.find("pins: read: gone"), std::string::npos);
}

TEST_F(CliTest, InterruptEndsTheWait) {
  const InterruptWait wait;
  EXPECT_TRUE(wait.sleep(1));
  ::raise(SIGINT);
  EXPECT_FALSE(wait.sleep(60000));
}

TEST_F(CliTest, FlowsOfOneClass) {
  start_daemon([](std::string_view request) {
    EXPECT_EQ(request, "flows");
    return R"({"schema_version":1,"flows":[{"class":"cleartext"},{"class":"ah"}]})";
  });
  const auto outcome = run_configured({"flows", "--class", "ah", "--json"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(json::parse(outcome.out)["flows"], json::parse(R"([{"class":"ah"}])"));
}

TEST_F(CliTest, CommandsPassWhatWasSaid) {
  RunOptions run_options;
  services_.run_daemon = [&](const Config& config, const RunOptions& options) -> Result<int> {
    run_options = options;
    return config.node == "node1" ? 0 : 70;
  };
  EXPECT_EQ(run_configured({"run", "--strict"}).status, 0);
  EXPECT_TRUE(run_options.strict);
  EXPECT_EQ(run_options.config_path, config_);
  run_options = {};
  EXPECT_EQ(run_configured({"run", "--check"}).status, 0);
  EXPECT_EQ(run_options.config_path, "") << "--check must not start the daemon";

  ClassifyArguments classified;
  services_.classify = [&](const ClassifyArguments& arguments) -> Result<int> {
    classified = arguments;
    return 1;
  };
  EXPECT_EQ(run({"classify", "a.pcap", "b.pcap"}).status, 1);
  EXPECT_EQ(classified.captures, (std::vector<std::string>{"a.pcap", "b.pcap"}));
  EXPECT_EQ(classified.direction, std::nullopt);
  EXPECT_FALSE(classified.captured_on_wire);
  EXPECT_FALSE(classified.config.has_value());
  EXPECT_EQ(run_configured({"classify", "a.pcap", "--direction", "transmit", "--captured-on",
                            "wire", "--json"})
                .status,
            1);
  EXPECT_EQ(classified.direction, Direction::TRANSMIT);
  EXPECT_TRUE(classified.captured_on_wire);
  EXPECT_TRUE(classified.json);
  EXPECT_EQ(classified.config.value().node, "node1");

  services_.forget = [](const Config&, const std::string& peer) -> Result<std::string> {
    if (peer == "node9") return Error{"node9: forget: no such peer", Failure::kUsage};
    return peer + ": forgotten";
  };
  EXPECT_EQ(run_configured({"config", "forget", "node2"}).out, "node2: forgotten\n");
  EXPECT_EQ(run_configured({"config", "forget", "node9"}).status, 2);

  services_.detach = [](const Config&) -> Result<std::string> {
    return Error{"eth0: detach: Operation not permitted (run as root)"};
  };
  EXPECT_EQ(run_configured({"detach"}).status, 3);

  services_.show_topology = [](const Config& config) -> Result<Topology> {
    Topology topology;
    topology.node = config.node;
    return topology;
  };
  EXPECT_NE(run_configured({"config", "show"}).out.find("node: \"node1\"\n"), std::string::npos);
  EXPECT_EQ(json::parse(run_configured({"config", "show", "--json"}).out)["node"], "node1");
}

TEST_F(CliTest, ConfigOptionStandsAnywhere) {
  services_.offline_status = [](const Config&) -> Result<json> { return encrypted_status(); };
  EXPECT_EQ(run({"--config", config_, "status"}).status, 0);
  EXPECT_EQ(run({"status", "--config", config_}).status, 0);
  EXPECT_EQ(run({"status", "--config", "/nonexistent"}).status, 2);
}

TEST_F(CliTest, AnExceptionIsABug) {
  services_.offline_status = [](const Config&) -> Result<json> {
    throw std::runtime_error("boom\n");
  };
  const auto outcome = run_configured({"status"});
  EXPECT_EQ(outcome.status, 70);
  EXPECT_EQ(outcome.err, "espial: internal error: boom\\x0a (please report it)\n");
}

TEST_F(CliTest, OutputThatCannotBeWrittenIsNotGood) {
  services_.offline_status = [](const Config&) -> Result<json> { return encrypted_status(); };
  std::ofstream full("/dev/full");
  std::ostringstream err;
  Console console{full, err, {}, false, 0, {}};
  const char* argv[] = {"espial", "status", "--config", config_.c_str()};
  EXPECT_EQ(cli_main(4, argv, services_, console), 3);
}

TEST_F(CliTest, TerminalFramesAreClippedAndRestoreTheCursor) {
  services_.offline_status = [](const Config&) -> Result<json> {
    return json::parse(testing::read_golden("status_sample.json"));
  };
  std::ostringstream out;
  {
    std::ostringstream err;
    Console console{out, err, {true, 40}, true, 10, {}};
    WatchScreen screen(console);
    screen.show(std::string(50, 'a') + "\n" + std::string("b\n", 2));
    for (int i = 0; i < 3; ++i) screen.show("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n");
  }
  EXPECT_EQ(
      out.str().rfind("\x1b[?25l\x1b[2J\x1b[H" + std::string(40, 'a') + "\x1b[0m\x1b[K\r\nb", 0),
      0U);
  EXPECT_NE(out.str().find("\x1b[H1\x1b[K\r\n"), std::string::npos);
  EXPECT_NE(out.str().find("9\x1b[K\r\n2 more lines\x1b[K\x1b[J"), std::string::npos);
  EXPECT_EQ(out.str().substr(out.str().size() - 7), "\x1b[?25h\n");
}

}  // namespace
}  // namespace espial
