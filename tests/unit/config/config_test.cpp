// SPDX-License-Identifier: Apache-2.0
#include "config/config_file.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>

#include "golden.h"
#include "unit/own_folder.h"
#include "unit/processor_time.h"
#include "wire.h"

namespace espial {
namespace {

static_assert(kMaxExemptions == EP_EXEMPTIONS);

std::string problems_of(std::string_view text) {
  std::string out;
  for (const auto& problem : parse_config(text, "f").problems) out += problem.text() + "\n";
  return out;
}

TEST(ConfigFile, OpensvcIsUsedUnlessItIsOff) {
  const Config none = parse_config("", "f").config;
  EXPECT_TRUE(none.opensvc);
  EXPECT_EQ(none.opensvc_conf, "/etc/opensvc/cluster.conf");
  const auto off = parse_config("opensvc: off\nopensvc_conf: /run/c.conf\n", "f");
  EXPECT_TRUE(off.problems.empty());
  EXPECT_FALSE(off.config.opensvc);
  EXPECT_EQ(off.config.opensvc_conf, "/run/c.conf");
  EXPECT_EQ(none.opensvc_socket, "/var/lib/opensvc/lsnr/http.sock");
  EXPECT_EQ(parse_config("opensvc_socket: ''\n", "f").config.opensvc_socket, "");
  EXPECT_EQ(parse_config("opensvc_socket: /run/o.sock\n", "f").config.opensvc_socket,
            "/run/o.sock");
  EXPECT_EQ(parse_config("opensvc_socket: o.sock\n", "f").problems.size(), 1u);
  EXPECT_EQ(parse_config("opensvc: maybe\nopensvc_conf: c.conf\n", "f").problems.size(), 2u);
}

TEST(ConfigFile, EmptyMeansDefaults) {
  for (const char* text : {"", "# nothing\n", "---\n", "peers:\nnetworks: ~\nself:\n"}) {
    const auto parsed = parse_config(text, "f");
    EXPECT_EQ(problems_of(text), "") << text;
    EXPECT_EQ(parsed.config.pin_dir, "/sys/fs/bpf/espial");
    EXPECT_EQ(parsed.config.state_dir, "/var/lib/espial");
    EXPECT_EQ(parsed.config.max_peers, 1024U);
    EXPECT_TRUE(parsed.config.peers.empty());
    EXPECT_EQ(parsed.config.mode, std::nullopt);
    EXPECT_EQ(parsed.config.enforce.cleartext_host, Mode::ENFORCE);
    EXPECT_EQ(parsed.config.enforce.audit_minutes, 10U);
    EXPECT_FALSE(parsed.config.enforce.backstop);
    EXPECT_EQ(parsed.config.verify.interval.count(), 0) << "probes are off";
  }
}

TEST(ConfigFile, ReadsEveryKey) {
  const auto parsed = parse_config(R"(
node: node1
instance: blue
listen: "[::1]:9755"
discover: false
spi_proof: false
max_peers: 16
metrics: compact
coverage_target: 99.9%
flow_events_per_second: 0
networks:
  - {name: backendnet, subnets: [10.101.0.0/16, "fd00:101::/48"], unknown_node: enforce}
mode: audit
enforce:
  cleartext_host: audit
  cleartext_transit: monitor
  esp_foreign: audit
  audit_minutes: 30
  xfrm_block: true
  exempt:
    - {prefix: 10.101.2.0/24, protocol: tcp, port: 22}
    - {prefix: "::/0", protocol: icmpv6}
    - {prefix: 10.101.3.7, protocol: 89}
verify: {interval: 30s, probes_per_second: 20, path_mtu_interval: 1h, pods: [10.101.1.9, "fd00:101:1::9"]}
self: {underlay: [10.45.0.11], backend: [10.101.0.0/24]}
peers:
  - name: node2
    underlay: [10.45.0.12, "fd00:45::12"]
    backend: [10.101.1.0/24, "fd00:101:1::/64", 172.16.0.0/12]
    mode: monitor
  - underlay: [10.45.0.13]
devices: {include: [eth0], exclude: [docker0, wg0]}
)",
                                   "f");
  ASSERT_TRUE(parsed.problems.empty()) << parsed.problems.front().text();
  const Config& c = parsed.config;
  EXPECT_EQ(c.node, "node1");
  EXPECT_EQ(c.pin_dir, "/sys/fs/bpf/espial-blue");
  EXPECT_EQ(c.state_dir, "/var/lib/espial-blue");
  EXPECT_EQ(c.listen, "[::1]:9755");
  EXPECT_FALSE(c.discover);
  EXPECT_EQ(c.max_peers, 16U);
  EXPECT_EQ(c.metrics, "compact");
  EXPECT_EQ(c.coverage_target, 0.999);
  EXPECT_EQ(c.flow_events_per_second, 0U);
  ASSERT_EQ(c.networks.size(), 1U);
  EXPECT_EQ(c.networks[0].prefixes[1].text(), "fd00:101::/48");
  EXPECT_EQ(c.networks[0].unknown_node, Mode::ENFORCE);
  EXPECT_EQ(c.mode, Mode::AUDIT);
  EXPECT_EQ(c.enforce.cleartext_host, Mode::AUDIT);
  EXPECT_EQ(c.enforce.cleartext_transit, Mode::MONITOR);
  EXPECT_EQ(c.enforce.esp_foreign, Mode::AUDIT);
  EXPECT_FALSE(c.spi_proof);
  EXPECT_EQ(c.enforce.audit_minutes, 30U);
  EXPECT_TRUE(c.enforce.backstop);
  ASSERT_EQ(c.enforce.exempt.size(), 3U);
  EXPECT_EQ(c.enforce.exempt[0].prefix.text(), "10.101.2.0/24");
  EXPECT_EQ(c.enforce.exempt[0].protocol, 6);
  EXPECT_EQ(c.enforce.exempt[0].port, 22);
  EXPECT_EQ(c.enforce.exempt[1].protocol, 58);
  EXPECT_EQ(c.enforce.exempt[2].protocol, 89);
  EXPECT_EQ(c.enforce.exempt[2].prefix.length(), 32U);
  EXPECT_EQ(c.verify.interval, std::chrono::seconds{30});
  EXPECT_EQ(c.verify.probes_per_second, 20U);
  EXPECT_EQ(c.verify.path_mtu_interval, std::chrono::hours{1});
  ASSERT_EQ(c.verify.pods.size(), 2U);
  EXPECT_EQ(c.verify.pods[1].text(), "fd00:101:1::9");
  EXPECT_EQ(c.self_underlays[0].text(), "10.45.0.11");
  EXPECT_EQ(c.self_backends[0].text(), "10.101.0.0/24");
  ASSERT_EQ(c.peers.size(), 2U);
  EXPECT_EQ(c.peers[0].underlays[1].text(), "fd00:45::12");
  EXPECT_EQ(c.peers[0].backends[2].text(), "172.16.0.0/12");
  EXPECT_EQ(c.peers[0].mode, Mode::MONITOR);
  EXPECT_EQ(c.peers[1].name, "10.45.0.13");
  EXPECT_EQ(c.peers[1].mode, std::nullopt);
  EXPECT_EQ(c.exclude_devices[1], "wg0");
}

TEST(ConfigFile, FoldersNamedInTheFileWinOverTheInstance) {
  const auto parsed = parse_config("instance: b\npin_dir: /p\nstate_dir: /s\n", "f");
  EXPECT_EQ(parsed.config.pin_dir, "/p");
  EXPECT_EQ(parsed.config.state_dir, "/s");
}

struct Bad {
  const char* text;
  const char* problems;
};

class BadConfig : public ::testing::TestWithParam<Bad> {};

TEST_P(BadConfig, IsRefusedInTheseWords) {
  EXPECT_EQ(problems_of(GetParam().text), GetParam().problems) << GetParam().text;
}

// yaml-cpp 0.8 adds which anchor.
TEST(ConfigFile, RefusesAnUnknownAnchor) {
  const std::string said = problems_of("node: *x\n");
  EXPECT_TRUE(said.starts_with("f:1: not valid YAML: the referenced anchor is not defined"))
      << said;
}

constexpr Bad kBad[] = {
    {"[a]",
     "f:1: expected a map of keys (node, instance, pin_dir, state_dir, listen, "
     "listen_anywhere, discover, opensvc, opensvc_conf, opensvc_socket, max_peers, xdp, spi_proof, "
     "vici, "
     "metrics, "
     "flow_events_per_second, coverage_target, mode, enforce, alerts, "
     "verify, networks, self, peers, devices), found a list\n"},
    {"a: [1\n", "f:2: not valid YAML: end of sequence flow not found\n"},
    {",\n", "f:1: a second YAML document starts here (keep one)\n"},
    {"node: a\n---\nnode: b\n", "f:2: a second YAML document starts here (keep one)\n"},
    {"peer: []\n", "f:1: peer: unknown key (did you mean \"peers\"?)\n"},
    {"\n\nmax_peer: 3\n", "f:3: max_peer: unknown key (did you mean \"max_peers\"?)\n"},
    {"self: {colour: 1}\n", "f:1: self.colour: unknown key (known here: underlay, backend)\n"},
    {"\"a\\e[31m\": 1\nself: {\"\\e\": 1}\n",
     "f:1: a\\x1b[31m: unknown key (known here: node, instance, pin_dir, state_dir, listen, "
     "listen_anywhere, discover, opensvc, opensvc_conf, opensvc_socket, max_peers, xdp, spi_proof, "
     "vici, "
     "metrics, "
     "flow_events_per_second, coverage_target, mode, enforce, alerts, "
     "verify, networks, self, peers, devices)\n"
     "f:2: self.\\x1b: unknown key (known here: underlay, backend)\n"},
    {"? [a]\n: 1\nself: {[b]: 1}\n",
     "f:1: a key must be text (one of node, instance, pin_dir, state_dir, listen, "
     "listen_anywhere, discover, opensvc, opensvc_conf, opensvc_socket, max_peers, xdp, spi_proof, "
     "vici, "
     "metrics, "
     "flow_events_per_second, coverage_target, mode, enforce, alerts, "
     "verify, networks, self, peers, devices)\n"
     "f:3: self: a key must be text (one of underlay, backend)\n"},
    {"node: a\nnode: b\n", "f:2: node: key given twice, first on line 1 (keep one)\n"},
    {"node:\n", "f:1: node: expected a name, found nothing\n"},
    {"node: [a]\n", "f:1: node: expected a name, found a list\n"},
    {"node: {a: b}\n", "f:1: node: expected a name, found a map\n"},
    {"node: \"a\\nb\"\n",
     "f:1: node: \"a\\x0ab\" is not a name (1 to 63 printable ASCII characters)\n"},
    {"peers: a\n",
     "f:1: peers: expected a list, found a single value (write [a, b] or one \"- a\" per line)\n"},
    {"peers: [a]\n",
     "f:1: peers[0]: expected a map of keys (name, underlay, backend, mode), found a single "
     "value\nf:1: peers[0]: a peer needs a name or an underlay address\n"},
    {"discover: yes\n", "f:1: discover: \"yes\" is not one of true, false\n"},
    {"metrics: all\n", "f:1: metrics: \"all\" is not one of auto, full, compact\n"},
    {"coverage_target: 99.9\n",
     "f:1: coverage_target: \"99.9\" is not a ratio (write 0.999 or 99.9%)\n"},
    {"coverage_target: 0\n", "f:1: coverage_target: \"0\" is not a ratio (write 0.999 or 99.9%)\n"},
    {"coverage_target: 100.1%\n",
     "f:1: coverage_target: \"100.1%\" is not a ratio (write 0.999 or 99.9%)\n"},
    {"coverage_target: nan\n",
     "f:1: coverage_target: \"nan\" is not a ratio (write 0.999 or 99.9%)\n"},
    {"coverage_target: [1]\n", "f:1: coverage_target: expected a ratio, found a list\n"},
    {"max_peers: 0\n", "f:1: max_peers: \"0\" is not a whole number from 1 to 10000\n"},
    {"max_peers: 10001\n", "f:1: max_peers: \"10001\" is not a whole number from 1 to 10000\n"},
    {"max_peers: 1e3\n", "f:1: max_peers: \"1e3\" is not a whole number from 1 to 10000\n"},
    {"max_peers: 99999999999999999999\n",
     "f:1: max_peers: \"99999999999999999999\" is not a whole number from 1 to 10000\n"},
    {"flow_events_per_second: -1\n",
     "f:1: flow_events_per_second: \"-1\" is not a whole number from 0 to 100000\n"},
    {"max_peers: 1\npeers: [{name: a}, {name: b}]\n",
     "f:1: max_peers: 2 peers are listed, max_peers is 1 (raise it)\n"},
    {"instance: A\n", "f:1: instance: \"A\" is not an instance name (1 to 32 of a-z 0-9 _ . -)\n"},
    {"instance: abcdefghijabcdefghijabcdefghijabc\n",
     "f:1: instance: \"abcdefghijabcdefghijabcdefghijabc\" is not an instance name (1 to 32 of "
     "a-z 0-9 _ . -)\n"},
    {"pin_dir: bpf\n", "f:1: pin_dir: \"bpf\" is not an absolute path (start it with /)\n"},
    {"state_dir: ./x\n", "f:1: state_dir: \"./x\" is not an absolute path (start it with /)\n"},
    {"state_dir: "
     "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aa\n",
     "f:1: state_dir: the path is longer than 94 bytes (the control socket inside would not "
     "fit)\n"},
    {"listen: 9754\n", "f:1: listen: \"9754\" is not ADDRESS:PORT, [ADDRESS]:PORT or off\n"},
    {"listen: 127.0.0.1:0\n",
     "f:1: listen: \"127.0.0.1:0\" is not ADDRESS:PORT, [ADDRESS]:PORT or off\n"},
    {"listen: ::1:80\n", "f:1: listen: \"::1:80\" is not ADDRESS:PORT, [ADDRESS]:PORT or off\n"},
    {"listen: 127.0.0.1:65536\n",
     "f:1: listen: \"127.0.0.1:65536\" is not ADDRESS:PORT, [ADDRESS]:PORT or off\n"},
    {"listen: 0.0.0.0:9754\n",
     "f:1: listen: \"0.0.0.0:9754\" is not a loopback address (set "
     "listen_anywhere: true to allow it)\n"},
    {"listen: \"[::]:9754\"\n",
     "f:1: listen: \"[::]:9754\" is not a loopback address (set "
     "listen_anywhere: true to allow it)\n"},
    {"self: {underlay: [node1]}\n",
     "f:1: self.underlay[0]: \"node1\" is not an IPv4 or IPv6 address\n"},
    {"self: {underlay: [10.0.0.0/24]}\n",
     "f:1: self.underlay[0]: \"10.0.0.0/24\" is not an IPv4 or IPv6 address\n"},
    {"self: {underlay: [\"10.0.0.1\\0x\"]}\n",
     "f:1: self.underlay[0]: \"10.0.0.1\\x00x\" is not an IPv4 or IPv6 address\n"},
    {"self: {underlay: [224.0.0.1]}\n",
     "f:1: self.underlay[0]: \"224.0.0.1\" cannot be an underlay address (use the address that "
     "ESP is sent to)\n"},
    {"self: {backend: [10.0.0.1/24]}\n",
     "f:1: self.backend[0]: \"10.0.0.1/24\" has host bits set (write 10.0.0.0/24)\n"},
    {"self: {backend: [10.0.0.0/33]}\n",
     "f:1: self.backend[0]: \"10.0.0.0/33\" is not a prefix (write ADDRESS/LENGTH, for example "
     "10.101.2.0/24)\n"},
    {"self: {backend: [ff00::/8]}\n",
     "f:1: self.backend[0]: \"ff00::/8\" cannot be a backend subnet\n"},
    {"self: {backend: [10.1.0.0/24, ~]}\n",
     "f:1: self.backend[1]: expected a prefix, found nothing\n"},
    {"self:\n  backend: [10.1.0.0/16]\npeers:\n- name: b\n  backend: [10.1.2.0/24]\n",
     "f:5: peers[0].backend[0]: 10.1.2.0/24 overlaps 10.1.0.0/16 of self, line 2; an address "
     "belongs to one node\n"},
    {"peers:\n- name: a\n  backend: [10.1.2.0/24]\n- name: b\n  backend: [10.0.0.0/8]\n",
     "f:5: peers[1].backend[0]: 10.0.0.0/8 overlaps 10.1.2.0/24 of peer \"a\", line 3; an "
     "address belongs to one node\n"},
    {"peers:\n- name: a\n  backend: [fd00::/64]\n- name: b\n  backend: [fd00::/64]\n",
     "f:5: peers[1].backend[0]: fd00::/64 is also a subnet of peer \"a\", line 3; an address "
     "belongs to one node\n"},
    {"self: {backend: [10.1.0.0/24, 10.1.0.0/24]}\n",
     "f:1: self.backend[1]: 10.1.0.0/24 is listed twice, line 1; keep one\n"},
    {"peers:\n- name: a\n  underlay: [10.0.0.1]\n- name: b\n  underlay: [10.0.0.1]\n",
     "f:5: peers[1].underlay[0]: 10.0.0.1 is also an underlay address of peer \"a\", line 3; an "
     "address belongs to one node\n"},
    {"self: {underlay: [10.0.0.1]}\npeers:\n- underlay: [10.0.0.1]\n",
     "f:3: peers[0].underlay[0]: 10.0.0.1 is also an underlay address of self, line 1; an "
     "address belongs to one node\n"},
    {"peers:\n- name: a\n  underlay: [10.0.0.1, 10.0.0.1]\n",
     "f:3: peers[0].underlay[1]: 10.0.0.1 is listed twice, line 3; keep one\n"},
    {"self: {backend: [10.1.0.0/24]}\npeers:\n- name: b\n  underlay: [10.1.0.9]\n",
     "f:4: peers[0].underlay[0]: 10.1.0.9 lies inside backend subnet 10.1.0.0/24 of self, line "
     "1; an address belongs to one node\n"},
    {"networks: [{name: a, subnets: [10.0.0.0/8]}, {name: b, subnets: [10.1.0.0/16]}]\n",
     "f:1: networks[1].subnets[0]: 10.1.0.0/16 overlaps 10.0.0.0/8 of network \"a\", line 1; an "
     "address belongs to one network\n"},
    {"peers:\n- name: a\n- name: a\n",
     "f:3: peers[1].name: \"a\" is already the name of a node on line 2 (choose another)\n"},
    {"node: a\npeers:\n- name: a\n",
     "f:3: peers[0].name: \"a\" is already the name of a node on line 1 (choose another)\n"},
    {"networks: [{name: a}, {name: a}, {}]\n",
     "f:1: networks[1].name: \"a\" is already the name of a network on line 1 (choose another)\n"
     "f:1: networks[2]: a network needs a name\n"},
    {"devices: {include: [a/b, abcdefghijklmnop]}\n",
     "f:1: devices.include[0]: \"a/b\" is not a device name (1 to 15 characters, no space, / or "
     ":)\n"
     "f:1: devices.include[1]: \"abcdefghijklmnop\" is not a device name (1 to 15 characters, no "
     "space, / or :)\n"},
    {"devices:\n  include: [eth0]\n  exclude: [eth0]\n",
     "f:3: devices.exclude[0]: \"eth0\" is also included, line 2 (keep one)\n"},
    {"self: {underlay: [\"::ffff:10.45.0.11\"], backend: [\"::ffff:10.101.0.0/120\"]}\n",
     "f:1: self.underlay[0]: \"::ffff:10.45.0.11\" is IPv4 in IPv6 notation, which no packet "
     "carries "
     "(write 10.45.0.11)\n"
     "f:1: self.backend[0]: \"::ffff:10.101.0.0/120\" is IPv4 in IPv6 notation, which no packet "
     "carries "
     "(write 10.101.0.0/24)\n"},
    {"mode: drop\n", "f:1: mode: \"drop\" is not one of monitor, audit, enforce\n"},
    {"enforce: {cleartext: audit}\n",
     "f:1: enforce.cleartext: unknown key (known here: cleartext_host, cleartext_transit, "
     "esp_foreign, audit_minutes, xfrm_block, exempt)\n"},
    {"enforce:\n  cleartext_host: drop\n  audit_minutes: -1\n",
     "f:2: enforce.cleartext_host: \"drop\" is not one of monitor, audit, enforce\n"
     "f:3: enforce.audit_minutes: \"-1\" is not a whole number from 0 to 10080\n"},
    {"enforce:\n  exempt:\n  - {protocol: sctp, port: 0}\n  - {prefix: 10.0.0.1/8, port: 22}\n",
     "f:3: enforce.exempt[0].protocol: \"sctp\" is not a protocol (tcp, udp, icmp, icmpv6 or a "
     "number from 1 to 255)\n"
     "f:3: enforce.exempt[0].port: \"0\" is not a whole number from 1 to 65535\n"
     "f:3: enforce.exempt[0]: an exemption needs a prefix (for example 10.101.2.0/24)\n"
     "f:4: enforce.exempt[1].prefix: \"10.0.0.1/8\" has host bits set (write 10.0.0.0/8)\n"
     "f:4: enforce.exempt[1].port: a port needs protocol: tcp or udp\n"},
    {"enforce: {exempt: [{prefix: 0.0.0.0/0}, {prefix: 10.0.0.0/8, protocol: icmpv6}]}\n",
     "f:1: enforce.exempt[0].prefix: 0.0.0.0/0 would exempt everything (name a protocol, or set "
     "mode: audit)\n"
     "f:1: enforce.exempt[1].protocol: IPv4 has no icmpv6 (write icmp)\n"},
    {"networks: [{name: a, unknown_node: drop}]\n",
     "f:1: networks[0].unknown_node: \"drop\" is not one of monitor, audit, enforce\n"},
    {"verify: 30s\n",
     "f:1: verify: expected a map of keys (interval, path_mtu_interval, probes_per_second, pods), "
     "found a single value\n"},
    {"verify:\n  pods: [10.101.1.9]\n",
     "f:1: verify: without an interval no probe is sent (write interval: 60s, or off)\n"},
    {"verify:\n  interval: 1s\n  path_mtu_interval: 25h\n  probes_per_second: 101\n  every: 3\n",
     "f:2: verify.interval: \"1s\" is not a duration from 5s to 24h (write 30s, 5m or 1h, or "
     "off)\nf:3: verify.path_mtu_interval: \"25h\" is not a duration from 10s to 24h (write 30s, "
     "5m or 1h, or off)\nf:4: verify.probes_per_second: \"101\" is not a whole number from 1 to "
     "100\nf:5: verify.every: unknown key (known here: interval, path_mtu_interval, "
     "probes_per_second, pods)\n"},
    {"verify:\n  interval: off\n  pods:\n  - 10.101.1.9\n  - 10.101.1.0/24\n  - \"ff02::1\"\n"
     "  - 10.101.1.9\n",
     "f:5: verify.pods[1]: \"10.101.1.0/24\" is not an IPv4 or IPv6 address\n"
     "f:6: verify.pods[2]: \"ff02::1\" cannot be the address of a pod\n"
     "f:7: verify.pods[3]: 10.101.1.9 is listed twice, line 4; keep one\n"},
    {"peers: [{name: all}]\n",
     "f:1: peers[0].name: \"all\" stands for every peer in commands (choose another)\n"},
};
INSTANTIATE_TEST_SUITE_P(Table, BadConfig, ::testing::ValuesIn(kBad));

TEST(ConfigFile, AcceptsWhatOnlyLooksWrong) {
  for (const char* text : {
           "listen: off\n",
           "listen: 0.0.0.0:9754\nlisten_anywhere: true\n",
           "self: {underlay: [10.1.0.1], backend: [10.1.0.0/24, 10.1.0.128/25]}\n",
           "networks: [{name: n, subnets: [10.0.0.0/8]}]\nself: {backend: [192.168.0.0/24]}\n",
           "peers: [{name: a, backend: [0.0.0.0/1]}, {name: b, backend: ['::/0']}]\n",
       })
    EXPECT_EQ(problems_of(text), "") << text;
}

TEST(ConfigFile, OnePodTooManyIsRefused) {
  std::string text = "verify:\n  interval: 5s\n  pods:\n";
  for (int i = 0; i < 256; ++i) text += "  - 10.0.0." + std::to_string(i) + "\n";
  EXPECT_EQ(problems_of(text), "");
  EXPECT_EQ(problems_of(text + "  - 10.0.1.0\n"),
            "f:260: verify.pods[256]: 257 pods are listed (at most 256)\n");
}

TEST(ConfigFile, OneExemptionTooManyIsRefused) {
  std::string text = "enforce:\n  exempt:\n";
  for (int i = 0; i < 16; ++i) text += "  - prefix: 10.0.0." + std::to_string(i) + "\n";
  EXPECT_EQ(problems_of(text), "");
  EXPECT_EQ(problems_of(text + "  - prefix: 10.1.0.0/16\n"),
            "f:19: enforce.exempt[16]: 17 exemptions are listed (at most 16)\n");
}

TEST(ConfigFile, PrefixLengthsBeyondEightAreTakenWhileThereIsRoom) {
  std::string text = "max_peers: 16\nself:\n  backend:\n";
  for (int length = 8; length < 15; ++length)  // 7 lengths, and /32
    text += "  - " + std::to_string(length) + ".0.0.0/" + std::to_string(length) + "\n";
  EXPECT_EQ(problems_of(text), "");
  // Two of the nine and ten become one: a few more prefixes.
  EXPECT_EQ(problems_of(text + "  - 30.0.0.0/30\n  - 31.0.0.0/31\n"), "");
  for (int i = 0; i < 100; ++i) text += "  - 40." + std::to_string(i) + ".0.0/24\n";
  EXPECT_EQ(
      problems_of(text),
      "f:105: self.backend[101]: 40.94.0.0/24 is one prefix length too many: beyond 8 per family "
      "(/32 included) they are split into longer prefixes, for which there is no room (use fewer "
      "lengths, or raise max_peers)\n");
}

TEST(ConfigFile, ReportsEverythingAtOnce) {
  std::string actual;
  for (const auto& problem :
       parse_config(testing::read_golden("config_errors.yaml"), "espial.yaml").problems)
    actual += problem.text() + "\n";
  testing::expect_golden("config_errors.txt", actual);
}

TEST(ConfigFile, ListsAThousandProblemsAndCountsTheRest) {
  std::string text = "self:\n  backend:\n";
  for (int i = 0; i < 1005; ++i) text += "  - x\n";
  const auto problems = parse_config(text, "f").problems;
  ASSERT_EQ(problems.size(), kMaxConfigProblems + 1);
  EXPECT_EQ(problems.back().text(), "f: 5 more problems are not listed");
}

// Aliases let a small file name a huge one.
TEST(ConfigFile, BoundsWhatAliasesMultiply) {
  std::string text = "self: {backend: &b [";
  for (int i = 0; i < 1000; ++i) text += "10.0.0.0/8,";
  text += "]}\npeers:\n";
  for (int i = 0; i < 500; ++i) text += "- {name: a, backend: *b}\n";
  EXPECT_NE(problems_of(text).find("more than 200000 addresses and prefixes"), std::string::npos);
}

std::string large_config(int peers, bool nested) {
  std::string text = "max_peers: 10000\npeers:\n";
  for (int i = 0; i < peers; ++i) {
    const auto net = std::to_string(i / 256) + "." + std::to_string(i % 256);
    text += "- name: node" + std::to_string(i) + "\n  underlay: [10." + net +
            ".1]\n  backend: [172." + (nested ? "0.0.0/8" : net + ".0/24") + "]\n";
  }
  return text;
}

TEST(ConfigFile, TenThousandPeersAreCheckedQuickly) {
  const auto text = large_config(10000, false);
  const auto start = test::processor_time();
  const auto parsed = parse_config(text, "f");
  const auto took = test::processor_time() - start;
  EXPECT_TRUE(parsed.problems.empty()) << parsed.problems.front().text();
  EXPECT_EQ(parsed.config.peers.size(), 10000U);
  // A pairwise comparison is 10^8 steps; this allows for sanitizers.
  EXPECT_LT(took, std::chrono::seconds(10));
  EXPECT_EQ(parse_config(large_config(2000, true), "f").problems.size(), kMaxConfigProblems + 1);
}

// No text makes the reader throw, whatever is cut out of or put into a valid one.
TEST(ConfigFile, SurvivesDamagedText) {
  const auto text = testing::read_golden("config_errors.yaml");
  std::mt19937 random(7);
  const std::string_view alphabet = "[]{}:,-&*!|>'\"%@`#?~ \n\t\\0a\xff\x1b";
  for (int round = 0; round < 500; ++round) {
    std::string damaged = text;
    for (int i = 0; i < 5; ++i) {
      const auto place = random() % damaged.size();
      const auto c = alphabet[random() % alphabet.size()];
      if (random() % 2 == 0)
        damaged[place] = c;
      else
        damaged.erase(place, random() % 20);
    }
    for (const auto& problem : parse_config(damaged, "f").problems)
      for (const char c : problem.text()) ASSERT_TRUE(c >= 0x20 && c < 0x7f) << damaged;
  }
}

TEST(LoadConfig, OnlyTheDefaultFileMayBeMissing) {
  const std::filesystem::path folder = test::own_folder();
  const auto missing = (folder / "missing.yaml").string();
  EXPECT_FALSE(load_config(missing, missing).value().node.empty());
  const auto result = load_config(missing);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().failure, Failure::kUsage);
  EXPECT_EQ(result.error().message,
            missing + ": open the configuration: No such file or directory");
  EXPECT_EQ(load_config(folder.string()).error().message,
            folder.string() + ": read the configuration: Is a directory");

  const auto file = (folder / "espial.yaml").string();
  std::ofstream(file) << "node: n\ncolour: 1\nx: 2\n";
  EXPECT_EQ(load_config(file).error().message.find('\n'),
            load_config(file).error().message.rfind('\n'))
      << "one line per problem";
  std::ofstream(file) << "node: n\n";
  EXPECT_EQ(load_config(file).value().node, "n");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace espial
