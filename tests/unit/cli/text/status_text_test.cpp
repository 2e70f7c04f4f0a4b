// SPDX-License-Identifier: Apache-2.0
#include "cli/text/status_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "cli/text/flows_text.h"
#include "golden.h"

namespace espial {
namespace {

using nlohmann::json;

json status_sample() { return json::parse(testing::read_golden("status_sample.json")); }

bool plain_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); });
}

TEST(StatusText, OffloadAndUserSpaceIpsecAreSaid) {
  auto status = status_sample();
  EXPECT_EQ(render_status(status, {}).find("CANNOT PROVE"), std::string::npos);
  status["peers"][0]["ipsec"] = {{"verdict", "protected"}, {"sas", {{"packet_offload", 2}}}};
  status["peers"][1]["ipsec"] = {{"verdict", "user_space"}, {"sas", {{"packet_offload", 0}}}};
  const auto text = render_status(status, {});
  EXPECT_NE(text.find("node2  2 SAs in packet offload"), std::string::npos) << text;
  EXPECT_NE(text.find("node3  user-space IPsec (kernel-libipsec)"), std::string::npos) << text;
}

TEST(StatusText, IsTheGoldenTable) {
  testing::expect_golden("status.txt", render_status(status_sample(), {}));
}

// status.json is what the daemon is promised to produce: no column may stay empty for want of a
// key.
TEST(StatusText, ReadsTheDaemonsOwnDocument) {
  const auto document = json::parse(testing::read_golden("status.json"));
  const auto text = render_status(document, {});
  EXPECT_NE(
      text.find("node2  leaking         0 %       0 %       0.4      <0.1       320        27  "
                "         13  16 s ago  monitor  configured\n"),
      std::string::npos)
      << text;
  for (const char* part :
       {"3 peers: 1 leaking, 1 candidate, 1 encrypted", "ProgramDetached",
        "node2  cleartext_host           0           1", "eth0    wire     tcx ",
        "xfrm         not permitted", "flow_event_rate      5", "2 times a device"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
  EXPECT_EQ(status_exit(document), 1);
}

TEST(StatusText, ProbesAreOneLineAndThoseThatAreNotWell) {
  EXPECT_EQ(render_status(status_sample(), {}).find("probes"), std::string::npos)
      << "none are sent";
  const auto text = render_status(json::parse(testing::read_golden("status.json")), {});
  EXPECT_NE(text.find("\nprobes, each way every 30 s: 1 encrypted both ways, 1 both leak, 1 lost "
                      "there\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("node2  ipv4    forward_there  10.101.2.9  lost there                3"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("not probed: node2: fd00:101:2::/64: no device"), std::string::npos) << text;
  EXPECT_EQ(text.find("node3  ipv6    host"), std::string::npos) << "is well";
}

TEST(StatusText, ColoursOnlyWhenAsked) {
  EXPECT_TRUE(plain_ascii(render_status(status_sample(), {false, 0})));
  const auto coloured = render_status(status_sample(), {true, 0});
  EXPECT_NE(coloured.find("\x1b[1;31mmixed\x1b[0m"), std::string::npos);
  EXPECT_NE(coloured.find("\x1b[32mencrypted\x1b[0m"), std::string::npos);
}

// The same text, whatever the colour: alignment must not count the sequences.
TEST(StatusText, ColourChangesNothingElse) {
  auto text = render_status(status_sample(), {true, 0});
  for (std::size_t at; (at = text.find('\x1b')) != std::string::npos;)
    text.erase(at, text.find('m', at) - at + 1);
  EXPECT_EQ(text, render_status(status_sample(), {false, 0}));
}

TEST(StatusText, FitsANarrowTerminal) {
  auto status = status_sample();
  status["alarms"] = json::array();
  status["sources"] = json::array();
  status["devices"] = json::array();
  status["config"] = json::object();
  status["xfrm_block"] = json::object();
  for (auto& peer : status["peers"]) peer["reason"] = "";
  const auto text = render_status(status, {false, 80});
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    EXPECT_LE(end - at, 80U) << text.substr(at, end - at);
  EXPECT_NE(text.find("VERDICT"), std::string::npos);
  EXPECT_NE(text.find("UNPROTECTED"), std::string::npos);
  EXPECT_EQ(text.find("RX BIT/S"), std::string::npos);
}

TEST(StatusText, NoByteOfTheDocumentReachesTheTerminal) {
  const std::string evil = "\x1b]0;owned\x07\r\n\x9b\xc2\x9b\xe2\x80\xae";
  auto status = status_sample();
  for (const char* key : {"node", "instance", "time"}) status[key] = evil;
  for (auto& peer : status["peers"])
    for (const char* key : {"name", "verdict", "reason", "mode", "state", "last_cleartext"})
      peer[key] = evil;
  for (auto& alarm : status["alarms"])
    for (auto& [key, value] : alarm.items()) value = evil;
  for (auto& device : status["devices"])
    for (const char* key : {"name", "role", "mode", "why"}) device[key] = evil;
  for (auto& source : status["sources"])
    for (const char* key : {"source", "detail"}) source[key] = evil;
  status["config"]["error"] = evil;
  const auto text = render_status(status, {});
  EXPECT_TRUE(plain_ascii(text));
  EXPECT_NE(text.find("\\x1b]0;owned\\x07\\x0d\\x0a\\x9b"), std::string::npos);

  json flow;
  for (const char* key : {"first", "last", "direction", "class", "peer", "device", "source",
                          "destination", "protocol"})
    flow[key] = evil;
  EXPECT_TRUE(plain_ascii(render_flows({{"flows", {flow}}}, {})));
}

// Whatever a member is replaced by, there is a text and a status.
TEST(StatusText, SurvivesADocumentOfAnotherShape) {
  const json wrong[] = {nullptr, 7, -1.5, "x", true, json::array({1, nullptr}), {{"a", 1}}};
  const auto good = status_sample();
  std::set<std::string> members;
  const auto flat = good.flatten();  // outlives its items()
  for (const auto& [pointer, unused] : flat.items())
    for (json::json_pointer at(pointer); !at.empty(); at.pop_back()) members.insert(at.to_string());
  for (const auto& member : members) {
    for (const auto& value : wrong) {
      auto status = good;
      status[json::json_pointer(member)] = value;
      EXPECT_FALSE(render_status(status, {}).empty());
      const auto code = status_exit(status);
      EXPECT_TRUE(code == 0 || code == 1 || code == 3);
    }
  }
  for (const auto& value : wrong) EXPECT_FALSE(render_flows(value, {}).empty());
}

TEST(StatusText, SaysWhenNoDaemonRuns) {
  auto status = status_sample();
  EXPECT_EQ(render_status(status, {}).find("no daemon"), std::string::npos);
  status["daemon"]["running"] = false;
  EXPECT_NE(render_status(status, {}).find("systemctl start espial"), std::string::npos);
}

TEST(StatusText, SaysWhenThereAreNoPeers) {
  EXPECT_NE(render_status({{"schema_version", 1}, {"peers", json::array()}}, {})
                .find("0 peers: none is configured"),
            std::string::npos);
}

json one_peer(const char* state, const char* verdict) {
  return {{"peers", {{{"name", "a"}, {"state", state}, {"verdict", verdict}}}}};
}

TEST(StatusExit, FollowsVerdictsAndAlarms) {
  for (const char* verdict : {"leaking", "mixed", "one_way", "down", "exposed"})
    EXPECT_EQ(status_exit(one_peer("configured", verdict)), 1) << verdict;
  for (const char* verdict : {"encrypted", "silent"})
    EXPECT_EQ(status_exit(one_peer("learnt", verdict)), 0) << verdict;
  EXPECT_EQ(status_exit(one_peer("learnt", "unknown")), 3);
  EXPECT_EQ(status_exit(one_peer("candidate", "leaking")), 0) << "never alarmed";
  auto status = one_peer("configured", "encrypted");
  for (const auto& [state, code] :
       {std::pair("pending", 0), std::pair("resolved", 0), std::pair("firing", 1)}) {
    status["alarms"] = {{{"alarm", "ProgramDetached"}, {"state", state}}};
    EXPECT_EQ(status_exit(status), code) << state;
  }
}

const json kFlows = json::parse(R"({"schema_version":1,"flows":[
 {"first":"2026-01-02T03:00:00Z","last":"2026-01-02T03:00:01Z","direction":"transmit",
  "class":"cleartext","peer":"node2","device":"eth0","source":"10.101.0.5","source_port":0,
  "destination":"10.101.1.5","destination_port":0,"protocol":1,"packets":5,"bytes":420},
 {"first":"2026-01-02T03:00:00Z","last":"2026-01-02T03:00:09Z","direction":"receive",
  "class":"cleartext_host","peer":"","device":"eth0","source":"fd00::1","source_port":40000,
  "destination":"fd00::2","destination_port":80,"protocol":6,"packets":1234,"bytes":99999}]})");

TEST(FlowsText, LatestFirst) {
  EXPECT_EQ(render_flows(kFlows, {}),
            "LAST                  FIRST                 DIRECTION  CLASS           PEER   DEVICE  "
            "PROTO  "
            "SOURCE           DESTINATION   PACKETS   BYTES\n"
            "2026-01-02T03:00:09Z  2026-01-02T03:00:00Z  receive    cleartext_host         eth0    "
            "tcp    "
            "[fd00::1]:40000  [fd00::2]:80    1,234  99,999\n"
            "2026-01-02T03:00:01Z  2026-01-02T03:00:00Z  transmit   cleartext       node2  eth0    "
            "icmp   "
            "10.101.0.5       10.101.1.5          5     420\n");
  EXPECT_EQ(render_flows({{"flows", json::array()}}, {}), "no unprotected flows seen\n");
}

TEST(FlowsText, SaysWhatWasDroppedOnceSomethingWas) {
  auto flows = kFlows;
  flows["flows"][0]["dropped_packets"] = 4;
  auto text = render_flows(flows, {});
  EXPECT_NE(text.find("   BYTES  DROPPED\n"), std::string::npos) << text;
  EXPECT_NE(text.find(" 99,999        0\n"), std::string::npos) << text;
  EXPECT_NE(text.find("    420        4\n"), std::string::npos) << text;
  flows["flows"][1]["would_drop_packets"] = 1234;
  text = render_flows(flows, {});
  EXPECT_NE(text.find("  DROPPED  WOULD DROP\n"), std::string::npos) << text;
  EXPECT_EQ(select_flows(flows, "dropped")["flows"], json::array({flows["flows"][0]}));
  EXPECT_EQ(select_flows(flows, "would_drop")["flows"], json::array({flows["flows"][1]}));
}

TEST(FlowsText, SelectsAClass) {
  EXPECT_EQ(select_flows(kFlows, "")["flows"].size(), 2U);
  EXPECT_EQ(select_flows(kFlows, "cleartext")["flows"].size(), 1U);
  EXPECT_EQ(select_flows(kFlows, "ah")["flows"].size(), 0U);
}

TEST(StatusText, SaysInALineWhatTheKernelDropped) {
  const auto text = render_status(json::parse(testing::read_golden("status.json")), {});
  EXPECT_NE(text.find("9 netfilter forward, 2 IP_RPFILTER"), std::string::npos) << text;
  EXPECT_EQ(text.find("NETFILTER_DROP"), std::string::npos) << "told twice";
}

TEST(FlowsText, KernelDropsAreShownWithThoseOfEspial) {
  const json flows = json::parse(R"({"flows":[{"class":"ah","dropped_packets":0}],
      "kernel_drops":[{"peer":"node2","hook":"forward","reason":"NETFILTER_DROP","packets":4,
                       "source":"10.101.1.5","destination":"10.101.2.7","protocol":1},
                      {"peer":"node2","hook":null,"reason":"IP_RPFILTER","packets":2}]})");
  const auto text = render_flows(select_flows(flows, "dropped"), {});
  EXPECT_NE(text.find("netfilter forward"), std::string::npos) << text;
  EXPECT_NE(text.find("IP_RPFILTER"), std::string::npos) << text;
  EXPECT_EQ(text.find("no unprotected"), std::string::npos) << text;
  EXPECT_FALSE(select_flows(flows, "ah").contains("kernel_drops"));
  EXPECT_TRUE(select_flows(flows, "").contains("kernel_drops"));
}

}  // namespace
}  // namespace espial
