// SPDX-License-Identifier: Apache-2.0
#include "exporter/documents/status_document.h"

#include <gtest/gtest.h>

#include "unit/exporter_fixture.h"

namespace espial {
namespace {

using nlohmann::json;

std::vector<std::string> keys(const json& object) {
  std::vector<std::string> out;
  for (const auto& [key, value] : object.items()) out.push_back(key);
  return out;
}

using Keys = std::vector<std::string>;

TEST(StatusDocument, HasThePromisedKeys) {
  const json doc = status_document(*testing::golden_report());
  EXPECT_EQ(keys(doc),
            (Keys{"alarms",   "config",         "daemon",    "devices",        "findings", "gaps",
                  "instance", "lost",           "maps",      "networks",       "no_peer",  "node",
                  "outcomes", "peers",          "programs",  "schema_version", "sources",  "time",
                  "verify",   "window_seconds", "xfrm_block"}));
  const json& peer = doc["peers"][0];
  EXPECT_EQ(keys(peer),
            (Keys{"backend", "ipsec", "kernel_drops", "last_cleartext", "last_dropped",
                  "last_would_drop", "mode", "mtu_black_holes", "name", "probes", "reason",
                  "receive", "state", "transmit", "underlay", "verdict", "window_seconds"}));
  EXPECT_EQ(keys(peer["transmit"]), (Keys{"bytes", "coverage", "dropped", "exempted",
                                          "last_unprotected", "packets", "window", "would_drop"}));
  EXPECT_EQ(keys(peer["receive"]),
            (Keys{"bytes", "coverage", "decrypted", "dropped", "exempted", "last_unprotected",
                  "packets", "spoofed", "unattributed", "window", "would_drop"}));
  EXPECT_EQ(keys(peer["receive"]["window"]), (Keys{"encrypted_bytes", "encrypted_packets",
                                                   "unprotected_bytes", "unprotected_packets"}));
  EXPECT_EQ(doc["schema_version"], 1);
  EXPECT_EQ(doc["time"], "2024-05-01T12:00:00.250Z");
  EXPECT_EQ(doc["window_seconds"], 30);
}

TEST(StatusDocument, EveryClassIsThereWithBothFamilies) {
  const json doc = status_document(*testing::golden_report());
  for (const char* unit : {"packets", "bytes"})
    for (const std::string_view klass : kClassLabels) {
      EXPECT_EQ(keys(doc["peers"][2]["receive"][unit][std::string(klass)]), (Keys{"ipv4", "ipv6"}));
      EXPECT_EQ(keys(doc["no_peer"]["transmit"][unit][std::string(klass)]), (Keys{"ipv4", "ipv6"}));
    }
  EXPECT_EQ(doc["outcomes"].size(), kOutcomes);
  EXPECT_EQ(doc["lost"].size(), kLosts);
}

TEST(StatusDocument, EveryRowOfEnforcementThatCanOccurIsThere) {
  const json doc = status_document(*testing::golden_report());
  const json& peer = doc["peers"][1];
  for (const char* action : {"dropped", "would_drop"}) {
    EXPECT_EQ(keys(peer["receive"][action]),
              (Keys{"ah", "cleartext", "cleartext_host", "cleartext_tunnel", "esp_null", "spoofed",
                    "too_deep"}));
    EXPECT_EQ(keys(peer["transmit"][action]),
              (Keys{"ah", "cleartext", "cleartext_host", "cleartext_resent", "cleartext_transit",
                    "cleartext_tunnel", "esp_foreign", "esp_null", "too_deep"}));
    EXPECT_EQ(keys(doc["no_peer"]["receive"][action]),
              (Keys{"spoofed", "too_deep", "unknown_node"}));
    EXPECT_EQ(keys(doc["no_peer"]["transmit"][action]), (Keys{"too_deep", "unknown_node"}));
  }
  EXPECT_EQ(peer["transmit"]["dropped"]["cleartext_transit"],
            json::parse(R"({"packets":21,"bytes":2100})"));
  EXPECT_EQ(peer["transmit"]["exempted"],
            json::parse(R"({"pmtu":{"packets":6},"rule":{"packets":0}})"));
  EXPECT_EQ(peer["last_dropped"], "2024-05-01T11:59:43.250Z");
  EXPECT_TRUE(peer["last_would_drop"].is_null());
  EXPECT_EQ(doc["no_peer"]["transmit"]["dropped"]["unknown_node"]["packets"], 8);
  EXPECT_EQ(doc["no_peer"]["last_dropped"], "2024-05-01T11:59:45.250Z");
}

TEST(StatusDocument, CoverageIsOfTheWindowAndNullWithoutTraffic) {
  const json doc = status_document(*testing::golden_report());
  EXPECT_EQ(doc["peers"][0]["receive"]["coverage"], 0.0);
  EXPECT_EQ(doc["peers"][1]["receive"]["coverage"], 1.0);
  EXPECT_TRUE(doc["peers"][2]["receive"]["coverage"].is_null());
  EXPECT_TRUE(doc["peers"][2]["last_cleartext"].is_null());
  EXPECT_EQ(doc["peers"][0]["last_cleartext"], "2024-05-01T11:59:44.750Z");
  EXPECT_EQ(doc["peers"][0]["receive"]["last_unprotected"], "2024-05-01T11:59:40.250Z");
}

TEST(StatusDocument, ReloadIsNullUntilThereWasOne) {
  Report report = *testing::golden_report();
  EXPECT_EQ(status_document(report)["config"]["last_reload_successful"], false);
  report.snapshot.last_reload_successful.reset();
  EXPECT_TRUE(status_document(report)["config"]["last_reload_successful"].is_null());
}

TEST(StatusDocument, BytesThatAreNotUtf8DoNotThrow) {
  Report report = *testing::golden_report();
  report.snapshot.devices[0].name = "\xff\x1b";
  const std::string text = document_text(status_document(report));
  EXPECT_NE(text.find("\xEF\xBF\xBD\\u001b"), std::string::npos);
  EXPECT_EQ(text.back(), '\n');
}

TEST(FlowsDocument, SaysWhoWhereAndHowMuch) {
  FlowRecord flow;
  flow.source = *IpAddress::parse("10.101.1.5");
  flow.destination = *IpAddress::parse("fd00::7");
  flow.source_port = 40000;
  flow.destination_port = 443;
  flow.protocol = 6;
  flow.direction = Direction::TRANSMIT;
  flow.klass = Class::CLEARTEXT_TUNNEL;
  flow.peer = "node2";
  flow.device = "eth0";
  flow.packets = 3;
  flow.bytes = 300;
  flow.enforced = {1, 2};
  flow.first = WallTime{std::chrono::seconds{1714564800}};
  flow.last = WallTime{std::chrono::seconds{1714564801}};
  EXPECT_EQ(flows_document({flow}), json::parse(R"({"schema_version":1,"flows":[{
      "first":"2024-05-01T12:00:00.000Z","last":"2024-05-01T12:00:01.000Z",
      "direction":"transmit","class":"cleartext_tunnel","peer":"node2","device":"eth0",
      "source":"10.101.1.5","source_port":40000,"destination":"fd00::7","destination_port":443,
      "protocol":6,"packets":3,"bytes":300,"dropped_packets":2,"would_drop_packets":1}],
      "kernel_drops":[]})"));
  EXPECT_EQ(flows_document({}),
            json::parse(R"({"schema_version":1,"flows":[],"kernel_drops":[]})"));
}

TEST(FlowsDocument, SaysWhatTheKernelDropped) {
  DropRecord drop;
  drop.source = *IpAddress::parse("10.101.1.5");
  drop.destination = *IpAddress::parse("10.101.2.7");
  drop.protocol = 1;
  drop.direction = Direction::TRANSMIT;
  drop.peer = "node2";
  drop.device = "br-prd";
  drop.reason = "NETFILTER_DROP";
  drop.hook = Hook::FORWARD_OR_POSTROUTING;
  drop.packets = 4;
  drop.first = drop.last = WallTime{std::chrono::seconds{1714564800}};
  DropRecord other = drop;
  other.reason = "IP_RPFILTER";
  other.hook.reset();
  const json list = flows_document({}, {drop, other})["kernel_drops"];
  EXPECT_EQ(list[0], json::parse(R"({
      "first":"2024-05-01T12:00:00.000Z","last":"2024-05-01T12:00:00.000Z",
      "direction":"transmit","peer":"node2","device":"br-prd","source":"10.101.1.5",
      "source_port":0,"destination":"10.101.2.7","destination_port":0,"protocol":1,"packets":4,
      "reason":"NETFILTER_DROP","hook":"forward_or_postrouting"})"));
  EXPECT_EQ(list[1]["reason"], "IP_RPFILTER");
  EXPECT_TRUE(list[1]["hook"].is_null());
}

}  // namespace
}  // namespace espial
