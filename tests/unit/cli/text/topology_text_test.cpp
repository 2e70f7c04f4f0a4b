// SPDX-License-Identifier: Apache-2.0
#include "cli/text/topology_text.h"

#include <gtest/gtest.h>

#include "config/config_file.h"

namespace espial {
namespace {

Topology topology() {
  Topology t;
  t.node = "node1";
  t.self_underlays = {{*IpAddress::parse("10.45.0.11"), Origin::kAddress}};
  t.self_backends = {{*Prefix::parse("10.101.0.0/24"), "backendnet", Origin::kFile}};
  t.networks = {{"backendnet", {*Prefix::parse("10.101.0.0/16")}, Origin::kFile}};
  Origins both = Origin::kFile;
  both.add(Origin::kPolicy);
  Peer peer;
  peer.name = "node \"2\\";
  peer.state = PeerState::kConfigured;
  peer.from = both;
  peer.mode = Mode::ENFORCE;
  peer.mode_from = ModeSource::kFile;
  peer.underlays = {{*IpAddress::parse("10.45.0.12"), both},
                    {*IpAddress::parse("fd00:45::"), Origin::kState}};
  peer.backends = {{*Prefix::parse("fd00:101:1::/64"), "fd00:101:1::/64", Origin::kPolicy}};
  t.peers = {peer};
  t.findings = {"file and policy disagree\nabout node2"};
  return t;
}

Config enforcing() {
  Config config;
  config.mode = Mode::AUDIT;
  config.enforce.cleartext_transit = Mode::AUDIT;
  config.enforce.exempt = {{*Prefix::parse("10.101.2.0/24"), 6, 22},
                           {*Prefix::parse("fd00::/8"), 89, 0},
                           {*Prefix::parse("10.9.0.0/16"), 0, 0}};
  config.verify = {
      std::chrono::seconds{90}, 5, {*IpAddress::parse("fd00:101:1::9")}, std::chrono::seconds{0}};
  return config;
}

TEST(TopologyText, SaysWhoSaidIt) {
  Config config = enforcing();
  config.exclude_devices = {"wg0"};
  EXPECT_EQ(render_topology(topology(), config),
            R"(# The effective topology; each comment names the source.
# finding: file and policy disagree\x0aabout node2
node: "node1"
instance: "default"
pin_dir: "/sys/fs/bpf/espial"
state_dir: "/var/lib/espial"
listen: "127.0.0.1:9754"
listen_anywhere: false
discover: true
opensvc: auto
opensvc_conf: "/etc/opensvc/cluster.conf"
opensvc_socket: "/var/lib/opensvc/lsnr/http.sock"
max_peers: 1024
metrics: "auto"
xdp: off
vici: "auto"
spi_proof: true
flow_events_per_second: 100
mode: audit
enforce:
  cleartext_host: enforce
  cleartext_transit: audit
  esp_foreign: enforce
  audit_minutes: 10
  xfrm_block: false
  exempt:
    - prefix: 10.101.2.0/24
      protocol: tcp
      port: 22
    - prefix: "fd00::/8"
      protocol: 89
    - prefix: 10.9.0.0/16
verify:
  interval: 90s
  probes_per_second: 5
  path_mtu_interval: off
  pods:
    - "fd00:101:1::9"
networks:
  - name: "backendnet"  # file
    subnets:
      - 10.101.0.0/16
    unknown_node: audit
self:
  underlay:
    - 10.45.0.11  # address
  backend:
    - 10.101.0.0/24  # network backendnet; file
peers:
  - name: "node \"2\\"  # configured: file, policy
    underlay:
      - 10.45.0.12  # file, policy
      - "fd00:45::"  # state
    backend:
      - "fd00:101:1::/64"  # network fd00:101:1::/64; policy
    mode: enforce  # file
devices:  # file
  exclude:
    - "wg0"
)");
}

// What is shown can be saved as espial.yaml.
TEST(TopologyText, IsAConfigurationThatMeansTheSame) {
  const auto parsed = parse_config(render_topology(topology(), enforcing()), "f");
  ASSERT_TRUE(parsed.problems.empty()) << parsed.problems.front().text();
  const auto& peer = parsed.config.peers.at(0);
  EXPECT_EQ(peer.name, "node \"2\\");
  EXPECT_EQ(peer.underlays.at(1).text(), "fd00:45::");
  EXPECT_EQ(peer.backends.at(0).text(), "fd00:101:1::/64");
  EXPECT_EQ(peer.mode, Mode::ENFORCE);
  EXPECT_EQ(parsed.config.mode, Mode::AUDIT);
  EXPECT_EQ(parsed.config.enforce.cleartext_transit, Mode::AUDIT);
  ASSERT_EQ(parsed.config.enforce.exempt.size(), 3U);
  EXPECT_EQ(parsed.config.enforce.exempt[0].port, 22);
  EXPECT_EQ(parsed.config.enforce.exempt[1].protocol, 89);
  EXPECT_EQ(parsed.config.enforce.exempt[2].prefix.text(), "10.9.0.0/16");
  EXPECT_EQ(parsed.config.verify, enforcing().verify);
  EXPECT_EQ(parsed.config.networks.at(0).prefixes.at(0).text(), "10.101.0.0/16");
  EXPECT_EQ(parsed.config.self_underlays.at(0).text(), "10.45.0.11");
  const auto empty = parse_config(render_topology({}, {}), "f");
  EXPECT_TRUE(empty.problems.empty()) << empty.problems.front().text();
}

TEST(TopologyDocument, CarriesTheOriginOfEveryPart) {
  const auto document = topology_document(topology(), {});
  EXPECT_EQ(document["schema_version"], 1);
  EXPECT_EQ(document["self"]["underlay"][0]["from"], nlohmann::json({"address"}));
  const auto& peer = document["peers"][0];
  EXPECT_EQ(peer["state"], "configured");
  EXPECT_EQ(peer["from"], nlohmann::json({"file", "policy"}));
  EXPECT_EQ(peer["underlay"][1]["address"], "fd00:45::");
  EXPECT_EQ(peer["backend"][0]["network"], "fd00:101:1::/64");
  EXPECT_EQ(document["findings"].size(), 1U);
}

}  // namespace
}  // namespace espial
