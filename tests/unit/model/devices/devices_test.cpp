// SPDX-License-Identifier: Apache-2.0
#include "model/devices/devices.h"

#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <sstream>

#include "model/devices/xdp_plan.h"
#include "unit/facts_builder.h"

namespace espial {

std::ostream& operator<<(std::ostream& out, const DevicePlan& plan) {
  out << plan.name
      << (plan.role == DeviceRole::kWire      ? " wire"
          : plan.role == DeviceRole::kReentry ? " reentry"
                                              : " wire+reentry");
  if (!plan.ethernet) out << " raw";
  if (plan.expected) out << " expected";
  for (const auto& vlan : plan.vlans) out << " " << vlan.vid << (vlan.ours ? "=ours" : "=claimed");
  return out;
}

namespace {

using test::addr;
using test::mac;
using test::net;
using test::Node;

// The plan as text, one device per line, without the reasons.
std::string shown(const DevicePlans& plans) {
  std::ostringstream out;
  for (const auto& plan : plans.devices) out << plan << "\n";
  return out.str();
}

std::string reason(const std::vector<PassedDevice>& passed, const std::string& name) {
  for (const auto& device : passed)
    if (device.name == name) return device.reason;
  return "";
}

// Layout A: br-prd has the uplink port, the pods, 10.45.0.11 and 10.101.1.1.
Node layout_a() {
  Node node;
  node.link(1, "lo").arphrd = 772;
  node.link(2, "br-prd", "bridge");
  node.veth(3, "prd-port", 2);
  node.veth(4, "pod-a", 2);
  node.veth(5, "pod-b", 2);
  node.address(2, "10.45.0.11/24");
  node.address(2, "10.101.1.1/24");
  return node;
}

void know_peers(Node& node, int bridge, int port) {
  node.neighbour(bridge, "10.45.0.12", mac(0x12));
  node.fdb(bridge, port, mac(0x12));
}

// Layout B: the underlay on its own bridge or NIC, pods on obr_backendnet.
void add_pod_bridge(Node& node) {
  node.link(20, "obr_backendnet", "bridge");
  node.veth(21, "pod-port", 20);
  node.address(20, "10.101.1.1/24");
  node.route("10.101.2.0/24", "10.45.0.12", 2);
}

struct Case {
  const char* name;
  std::function<Node()> node;
  const char* expected;
};

void PrintTo(const Case& test, std::ostream* out) { *out << test.name; }

class PlanDevices : public testing::TestWithParam<Case> {};

TEST_P(PlanDevices, ChoosesDevicesAndRoles) {
  EXPECT_EQ(shown(plan_devices(GetParam().node().facts, test::mesh(), Config{})),
            GetParam().expected);
}

TEST_P(PlanDevices, PlansEachDeviceOnceAndGivesAReason) {
  const auto node = GetParam().node();
  const auto plans = plan_devices(node.facts, test::mesh(), Config{});
  EXPECT_EQ(plans.devices.size() + plans.refused.size() + plans.ignored.size(),
            node.facts.links.size());
  for (const auto& plan : plans.devices) EXPECT_FALSE(plan.why.empty()) << plan.name;
}

const Case kCases[] = {
    {"layout_a",
     [] {
       auto node = layout_a();
       know_peers(node, 2, 3);
       return node;
     },
     "br-prd reentry\nprd-port wire expected\n"},
    {"layout_a_until_a_peer_is_known", [] { return layout_a(); },
     "br-prd reentry\nprd-port wire expected\npod-a wire expected\npod-b wire expected\n"},
    {"layout_a_known_pods_are_no_uplinks",
     [] {
       auto node = layout_a();
       node.neighbour(2, "10.101.1.14", mac(0x44));
       node.fdb(2, 4, mac(0x44));
       return node;
     },
     "br-prd reentry\nprd-port wire expected\npod-b wire expected\n"},
    {"layout_a_local_fdb_entries_prove_nothing",
     [] {
       auto node = layout_a();
       know_peers(node, 2, 3);
       node.facts.fdb.push_back({2, 4, mac(0x12), true});
       return node;
     },
     "br-prd reentry\nprd-port wire expected\n"},
    {"layout_a_with_a_nic",
     [] {
       auto node = layout_a();
       node.link(6, "eth0", "", 2);
       return node;
     },
     "br-prd reentry\neth0 wire expected\n"},
    {"layout_a_peers_behind_a_router",
     [] {
       auto node = layout_a();
       node.facts.routes.clear();
       node.route("0.0.0.0/0", "10.45.0.1", 2);
       node.neighbour(2, "10.45.0.1", mac(0x01));
       node.fdb(2, 3, mac(0x01));
       return node;
     },
     "br-prd reentry\nprd-port wire expected\n"},
    {"layout_b_underlay_bridge",
     [] {
       Node node;
       node.link(2, "br-prd", "bridge");
       node.veth(3, "prd-port", 2);
       node.address(2, "10.45.0.11/24");
       add_pod_bridge(node);
       know_peers(node, 2, 3);
       return node;
     },
     "br-prd reentry\nprd-port wire expected\n"},
    {"layout_b_plain_nic",
     [] {
       Node node;
       node.link(1, "lo").arphrd = 772;
       node.link(2, "eth0");
       node.address(2, "10.45.0.11/24");
       add_pod_bridge(node);
       return node;
     },
     "eth0 wire+reentry expected\n"},
    {"layout_b_nic_is_a_veth",
     [] {
       Node node;
       node.veth(2, "eth0");
       node.address(2, "10.45.0.11/24");
       add_pod_bridge(node);
       return node;
     },
     "eth0 wire+reentry expected\n"},
    {"two_uplinks_one_without_address",
     [] {
       Node node;
       node.link(2, "eth0");
       node.link(3, "eth1");
       node.link(4, "eth2");
       node.address(2, "10.45.0.11/24");
       node.address(3, "192.168.1.5/24");
       add_pod_bridge(node);
       return node;
     },
     "eth0 wire+reentry expected\neth1 wire+reentry\neth2 wire\n"},
    {"bond",
     [] {
       Node node;
       node.link(2, "bond0", "bond");
       node.link(3, "eth0", "", 2).slave_kind = "bond";
       node.link(4, "eth1", "", 2).slave_kind = "bond";
       node.address(2, "10.45.0.11/24");
       return node;
     },
     "bond0 wire+reentry expected\n"},
    {"bond_in_a_bridge",
     [] {
       auto node = layout_a();
       node.link(6, "bond0", "bond", 2);
       node.link(7, "eth0", "", 6);
       return node;
     },
     "br-prd reentry\nbond0 wire expected\n"},
    {"vlan_uplink",
     [] {
       Node node;
       node.link(2, "eth0");
       node.vlan(3, "eth0.100", 2, 100);
       node.address(3, "10.45.0.11/24");
       return node;
     },
     "eth0 wire 100=claimed\neth0.100 wire+reentry expected\n"},
    {"vlan_in_a_vlan",
     [] {
       Node node;
       node.link(2, "eth0");
       node.vlan(3, "eth0.100", 2, 100);
       node.vlan(4, "eth0.100.7", 3, 7);
       node.address(4, "10.45.0.11/24");
       return node;
     },
     "eth0 wire 100=claimed\neth0.100 wire 7=claimed\neth0.100.7 wire+reentry expected\n"},
    {"vlan_of_a_nic_as_bridge_port",
     [] {
       auto node = layout_a();
       node.link(6, "eth0");
       node.vlan(7, "eth0.100", 6, 100, 2);
       return node;
     },
     "br-prd reentry\neth0 wire 100=claimed\neth0.100 wire expected\n"},
    {"vlan_over_a_bridge",
     [] {
       Node node;
       node.link(2, "br0", "bridge");
       node.link(3, "eth0", "", 2);
       node.veth(4, "pod", 2);
       node.vlan(5, "br0.45", 2, 45);
       node.address(5, "10.45.0.11/24");
       node.neighbour(5, "10.45.0.12", mac(0x12));
       node.fdb(2, 3, mac(0x12));
       return node;
     },
     "eth0 wire expected 45=ours\nbr0.45 reentry\n"},
    {"vlan_over_a_bridge_as_port_of_another",
     [] {
       auto node = layout_a();
       node.link(6, "br0", "bridge");
       node.link(7, "eth0", "", 6);
       node.vlan(8, "br0.45", 6, 45, 2);
       return node;
     },
     "br-prd reentry\neth0 wire expected 45=ours\n"},
    {"vlan_over_a_bridge_for_pods_is_not_ours",
     [] {
       auto node = layout_a();
       know_peers(node, 2, 3);
       node.vlan(6, "br-prd.9", 2, 9);
       node.address(6, "10.101.1.129/25");
       return node;
     },
     "br-prd reentry\nprd-port wire expected\n"},
    {"two_bridges",
     [] {
       auto node = layout_a();
       know_peers(node, 2, 3);
       node.link(6, "br-lan", "bridge");
       node.link(7, "eth7", "", 6);
       node.veth(8, "guest", 6);
       node.address(6, "192.168.7.1/24");
       return node;
     },
     "br-prd reentry\nprd-port wire expected\neth7 wire\n"},
    {"docker_bridge_has_no_uplink",
     [] {
       auto node = layout_a();
       know_peers(node, 2, 3);
       node.link(6, "docker0", "bridge");
       node.veth(7, "veth1234", 6);
       node.address(6, "172.17.0.1/16");
       return node;
     },
     "br-prd reentry\nprd-port wire expected\n"},
    {"cni_ptp_pods",
     [] {
       Node node;
       node.link(2, "eth0");
       node.address(2, "10.45.0.11/24");
       node.veth(3, "cali1");
       node.address(3, "169.254.1.1/32");
       node.facts.routes.push_back({net("10.101.1.14/32"), 3, {}, 254, 0});
       node.veth(4, "ptp2");
       node.address(4, "10.101.1.1/32");
       return node;
     },
     "eth0 wire+reentry expected\n"},
    {"tun_uplink_with_an_address",
     [] {
       Node node;
       node.link(2, "tun0", "tun").arphrd = 65534;
       node.address(2, "10.45.0.11/24");
       return node;
     },
     "tun0 wire+reentry raw expected\n"},
    {"ppp_uplink_by_default_route",
     [] {
       Node node;
       node.link(2, "ppp0", "ppp").arphrd = 512;
       node.facts.routes.push_back({net("0.0.0.0/0"), 2, {}, 254, 0});
       return node;
     },
     "ppp0 wire raw expected\n"},
    {"user_space_ipsec_tun_is_no_uplink",
     [] {
       Node node;
       node.link(2, "eth0");
       node.address(2, "10.45.0.11/24");
       node.link(3, "ipsec0", "tun").arphrd = 65534;
       node.address(3, "198.51.100.1/32");
       return node;
     },
     "eth0 wire+reentry expected\n"},
    {"xfrm_and_vti_interfaces",
     [] {
       Node node;
       node.link(2, "eth0");
       node.address(2, "10.45.0.11/24");
       node.link(3, "ipsec1", "xfrm").arphrd = 65534;
       node.link(4, "vti1", "vti").arphrd = 768;
       node.link(5, "vti6", "vti6").arphrd = 769;
       return node;
     },
     "eth0 wire+reentry expected\nipsec1 reentry raw\nvti1 reentry raw\nvti6 reentry raw\n"},
    {"tunnels_are_no_uplinks",
     [] {
       Node node;
       node.link(2, "eth0");
       node.address(2, "10.45.0.11/24");
       int ifindex = 3;
       for (const char* kind : {"ipip", "sit", "gre", "gretap", "ip6tnl", "ip6gre", "vxlan",
                                "geneve", "wireguard", "macsec", "dummy", "ifb", "nlmon"})
         node.link(ifindex++, kind, kind);
       return node;
     },
     "eth0 wire+reentry expected\n"},
    {"wireguard_that_carries_the_underlay",
     [] {
       Node node;
       node.link(2, "eth0");
       node.address(2, "192.0.2.1/24");
       node.link(3, "wg0", "wireguard").arphrd = 65534;
       node.address(3, "10.45.0.11/24");
       return node;
     },
     "eth0 wire+reentry\nwg0 wire+reentry raw expected\n"},
    {"macvlan_shares_the_lower_device",
     [] {
       Node node;
       node.link(2, "eth0");
       node.address(2, "192.0.2.1/24");
       node.link(3, "mv0", "macvlan").lower = 2;
       node.address(3, "10.45.0.11/24");
       return node;
     },
     "eth0 wire expected\nmv0 reentry\n"},
    {"macvlan_from_another_namespace_is_an_uplink",
     [] {
       Node node;
       node.link(2, "eth0", "macvlan").lower_elsewhere = true;
       node.address(2, "10.45.0.11/24");
       return node;
     },
     "eth0 wire+reentry expected\n"},
    {"vrf",
     [] {
       Node node;
       node.link(2, "eth0", "", 3).slave_kind = "vrf";
       node.link(3, "vrf-prd", "vrf");
       node.address(2, "10.45.0.11/24");
       return node;
     },
     "eth0 wire+reentry expected\nvrf-prd reentry\n"},
    {"underlay_on_loopback",
     [] {
       Node node;
       node.link(1, "lo").arphrd = 772;
       node.link(2, "eth0");
       node.link(3, "eth1");
       node.address(1, "10.45.0.11/32");
       node.route("10.45.0.0/24", "192.0.2.1", 2);
       node.facts.routes.push_back({net("10.45.0.0/24"), 3, addr("192.0.2.9"), 254, 0});
       return node;
     },
     "eth0 wire+reentry expected\neth1 wire+reentry expected\n"},
    {"longest_prefix_says_what_is_expected",
     [] {
       Node node;
       node.link(2, "eth0");
       node.link(3, "eth1");
       node.address(2, "10.45.0.11/16");
       node.route("10.45.0.0/24", "192.0.2.1", 3);
       return node;
     },
     "eth0 wire+reentry\neth1 wire expected\n"},
};

INSTANTIATE_TEST_SUITE_P(Layouts, PlanDevices, testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(PlanDevicesConfig, IncludeAndExcludeOverride) {
  auto node = layout_a();
  know_peers(node, 2, 3);
  node.link(9, "dummy0", "dummy");
  Config config;
  config.include_devices = {"pod-a", "dummy0"};
  config.exclude_devices = {"prd-port", "br-prd"};
  const auto plans = plan_devices(node.facts, test::mesh(), config);
  EXPECT_EQ(shown(plans), "pod-a wire\ndummy0 wire\n");
  EXPECT_NE(reason(plans.refused, "prd-port").find("exclude_devices"), std::string::npos);
  EXPECT_NE(reason(plans.refused, "br-prd").find("exclude_devices"), std::string::npos);
}

TEST(PlanDevicesConfig, IncludedBridgeMeansItsPorts) {
  Node node;
  node.link(2, "br-x", "bridge");
  node.veth(3, "port", 2);
  EXPECT_EQ(shown(plan_devices(node.facts, test::mesh(), Config{})), "");
  Config config;
  config.include_devices = {"br-x"};
  EXPECT_EQ(shown(plan_devices(node.facts, test::mesh(), config)), "port wire\n");
}

TEST(PlanDevicesRefused, UnsupportedLinkTypeIsNamed) {
  Node node;
  node.link(2, "ib0").arphrd = 32;
  const auto plans = plan_devices(node.facts, test::mesh(), Config{});
  EXPECT_TRUE(plans.devices.empty());
  EXPECT_NE(reason(plans.refused, "ib0").find("link type 32 is not supported"), std::string::npos);
}

TEST(PlanDevicesMemory, APortOnceKnownStaysWhenItsEntryAgesOut) {
  auto node = layout_a();
  know_peers(node, 2, 3);
  const auto first = plan_devices(node.facts, test::mesh(), Config{});
  EXPECT_EQ(first.peer_ports, std::vector<int>{3});
  node.facts.fdb.clear();
  const auto later = plan_devices(node.facts, test::mesh(), Config{}, first.peer_ports);
  EXPECT_EQ(later.devices, first.devices);
  // Another port that is known now replaces the remembered one.
  node.fdb(2, 5, mac(0x12));
  EXPECT_EQ(shown(plan_devices(node.facts, test::mesh(), Config{}, later.peer_ports)),
            "br-prd reentry\npod-b wire expected\n");
}

TEST(PlanDevicesHostile, LoopsAndDanglingReferencesEnd) {
  Node node;
  node.vlan(2, "a", 3, 1);
  node.vlan(3, "b", 2, 2);
  node.link(4, "br", "bridge", 4);
  node.vlan(5, "br.1", 4, 1, 4);
  node.link(6, "orphan", "", 99);
  node.address(77, "10.45.0.11/24");
  node.fdb(98, 97, mac(1));
  const auto plans = plan_devices(node.facts, test::mesh(), Config{});
  EXPECT_NE(plans.find(6), nullptr);
}

// -- the XDP accelerator -------------------------------------------------------------------------

DevicePlan wire_device(int ifindex) {
  DevicePlan plan;
  plan.ifindex = ifindex;
  plan.name = "wire";
  return plan;
}

std::string xdp_reason(const Node& node, XdpChoice choice, const std::string& kind) {
  Node with = node;
  with.facts.xfrm_readable = true;
  with.link(7, "port", kind);
  const auto plans = plan_xdp({wire_device(7)}, with.facts, choice);
  return plans.empty() ? "none" : plans[0].obstacle;
}

TEST(XdpPlan, NativeOnPortsOnly) {
  EXPECT_EQ(xdp_reason({}, XdpChoice::kOff, ""), "none");
  EXPECT_EQ(xdp_reason({}, XdpChoice::kAuto, ""), "");
  EXPECT_EQ(xdp_reason({}, XdpChoice::kRequire, ""), "");
  EXPECT_EQ(xdp_reason({}, XdpChoice::kAuto, "veth"),
            "native XDP disables segmentation offload on a veth");
  EXPECT_EQ(xdp_reason({}, XdpChoice::kRequire, "veth"), "");
  for (const auto* kind : {"bridge", "vlan", "bond", "macvlan", "team"})
    EXPECT_NE(xdp_reason({}, XdpChoice::kRequire, kind), "") << kind;
}

TEST(XdpPlan, NeverUnderPacketOffload) {
  Node node;
  XfrmStateFact state;
  state.offload_packet = true;
  node.facts.states.push_back(state);
  EXPECT_EQ(xdp_reason(node, XdpChoice::kRequire, ""),
            "an SA is in packet offload: XDP would see its packets in clear");
}

TEST(XdpPlan, WireDevicesWithAnEthernetHeaderOnly) {
  Node node;
  node.facts.xfrm_readable = true;
  node.link(3, "wire");
  DevicePlan reentry = wire_device(3);
  reentry.role = DeviceRole::kReentry;
  EXPECT_TRUE(plan_xdp({reentry}, node.facts, XdpChoice::kRequire).empty());
  DevicePlan raw = wire_device(3);
  raw.ethernet = false;
  EXPECT_EQ(plan_xdp({raw}, node.facts, XdpChoice::kRequire).at(0).obstacle,
            "frames have no Ethernet header");
  node.facts.xfrm_readable = false;
  EXPECT_NE(plan_xdp({wire_device(3)}, node.facts, XdpChoice::kRequire).at(0).obstacle, "");
}

// An own entry would make `require` alarm for ever about a device that its parent does the work of.
TEST(XdpPlan, VlanDevicesLeaveItToTheirParent) {
  Node node;
  node.facts.xfrm_readable = true;
  node.link(3, "eth0");
  node.link(4, "eth0.100", "vlan");
  node.facts.links.back().lower = 3;
  const auto both = plan_xdp({wire_device(3), wire_device(4)}, node.facts, XdpChoice::kRequire);
  ASSERT_EQ(both.size(), 1U);
  EXPECT_EQ(both[0].ifindex, 3);
  EXPECT_EQ(both[0].obstacle, "");
  // Nobody watches the parent: nothing there could match.
  const auto alone = plan_xdp({wire_device(4)}, node.facts, XdpChoice::kRequire);
  ASSERT_EQ(alone.size(), 1U);
  EXPECT_NE(alone[0].obstacle, "");
}

// Layout A on a bridge that filters VLANs: the node is in 45, a pod in 46, somebody else's pods, on
// the trunk too, in 47; nobody here is in 48.
Node vlan_aware() {
  Node node = layout_a();
  auto& links = node.facts.links;
  for (auto& link : links) {
    if (link.name == "br-prd") {
      link.vlan_filtering = true;
      link.bridge_vlans = {45};
    }
    if (link.name == "prd-port") link.bridge_vlans = {1, 45, 46, 48};
    if (link.name == "pod-a") link.bridge_vlans = {45};
    if (link.name == "pod-b") link.bridge_vlans = {46, 47};
  }
  know_peers(node, 2, 3);
  return node;
}

TEST(VlanAwareBridges, OursAreTheVlansOfTheNodeAndOfThePods) {
  EXPECT_EQ(shown(plan_devices(vlan_aware().facts, test::mesh(), Config{})),
            "br-prd reentry\nprd-port wire expected 45=ours 46=ours\n");
}

TEST(VlanAwareBridges, WithoutFilteringTheListMeansNothing) {
  auto node = vlan_aware();
  for (auto& link : node.facts.links) link.vlan_filtering = false;
  EXPECT_EQ(shown(plan_devices(node.facts, test::mesh(), Config{})).find("ours"),
            std::string::npos);
}

// prd.45 on the port itself has a program of its own.
TEST(VlanAwareBridges, AVlanDeviceOnThePortClaimsItsOwn) {
  auto node = vlan_aware();
  node.vlan(9, "prd.45", 3, 45);
  node.address(9, "10.46.0.11/24");
  const auto text = shown(plan_devices(node.facts, test::mesh(), Config{}));
  EXPECT_NE(text.find("45=claimed 46=ours"), std::string::npos) << text;
}

// -- what leads to the peers without an address of its own ----------------------------------------

TEST(UplinksWithoutAddresses, ARouteToAPeersBackendMakesAWire) {
  auto node = layout_a();
  know_peers(node, 2, 3);
  node.veth(8, "eth1");
  EXPECT_EQ(shown(plan_devices(node.facts, test::mesh(), Config{})).find("eth1"),
            std::string::npos);
  for (const char* destination : {"10.101.2.0/24", "10.101.2.64/26", "10.101.0.0/16"}) {
    auto with = node;
    with.route(destination, "10.46.0.12", 8);
    const auto text = shown(plan_devices(with.facts, test::mesh(), Config{}));
    EXPECT_NE(text.find("eth1 wire"), std::string::npos) << destination << "\n" << text;
  }
}

// A route into an xfrm interface leads to IPsec, not to the wire.
TEST(UplinksWithoutAddresses, ATunnelIsNoWireForABackendsRoute) {
  auto node = layout_a();
  know_peers(node, 2, 3);
  node.link(8, "ipsec0", "xfrm");
  node.route("10.101.2.0/24", "10.46.0.12", 8);
  EXPECT_EQ(shown(plan_devices(node.facts, test::mesh(), Config{})).find("ipsec0 wire"),
            std::string::npos);
}

TEST(UplinksWithoutAddresses, TheLowerDeviceOfAMacvlanWithTheUnderlay) {
  for (const char* kind : {"macvlan", "ipvlan"}) {
    Node node;
    node.link(1, "lo").arphrd = 772;
    node.veth(2, "eth0");
    auto& upper = node.link(3, "mv0", kind);
    upper.lower = 2;
    node.address(3, "10.45.0.11/24");
    add_pod_bridge(node);
    const auto text = shown(plan_devices(node.facts, test::mesh(), Config{}));
    EXPECT_NE(text.find("eth0 wire"), std::string::npos) << kind << "\n" << text;
    EXPECT_NE(text.find("mv0 reentry"), std::string::npos) << kind << "\n" << text;
  }
}

}  // namespace
}  // namespace espial
