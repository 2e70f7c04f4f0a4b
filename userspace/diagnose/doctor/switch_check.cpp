// SPDX-License-Identifier: Apache-2.0
#include "diagnose/doctor/switch_check.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "diagnose/rules/rule_walk.h"

namespace espial {
namespace {

constexpr int kStrict = 1;
constexpr int kLoose = 2;
constexpr WalkStep kForwardOnly[] = {{Layer::kIp, PacketHook::kForward}};

using Peers = std::set<std::string>;

class SwitchCheck {
 public:
  SwitchCheck(const SwitchInput& input, DoctorReport& report) : in_(input), report_(report) {}

  void check() {
    forwarding();
    xfrm_disabled();
    for (const auto& [device, peers] : tunnel_ends()) {
      policy_disabled(device, peers);
      reverse_path(device);
    }
    for (const Family family : {Family::kIpv4, Family::kIpv6}) bridge_rules(family);
  }

 private:
  const DeviceSysctls* of(const std::string& device) const {
    const auto at = in_.sysctls.devices.find(device);
    return at == in_.sysctls.devices.end() ? nullptr : &at->second;
  }

  static std::string key(const std::string& device, const char* name) {
    return "net.ipv4.conf." + device + "." + name;
  }

  using Switch = std::optional<bool> DeviceSysctls::*;
  // Which of "all" and the device's own are on: each of them is enough.
  std::vector<std::string> on(const std::string& device, const char* name, Switch member) const {
    std::vector<std::string> keys;
    for (const std::string& which : {std::string(kAllDevices), device})
      if (const auto* own = of(which); own != nullptr && own->*member == true)
        keys.push_back(key(which, name));
    return keys;
  }

  void add_switches(Cause cause, std::string summary, const std::vector<std::string>& keys,
                    const Peers& peers) {
    DoctorFinding finding{.cause = cause,
                          .summary = std::move(summary),
                          .remedies = {"sysctl -w"},
                          .family = Family::kIpv4};
    for (const auto& key : keys) {
      finding.evidence.push_back(key + " = 1");
      finding.remedies.front() += " " + key + "=0";
    }
    finding.peers.assign(peers.begin(), peers.end());
    report_.findings.push_back(std::move(finding));
  }

  // Devices where packets for or from pods arrive.
  std::set<std::string> arriving(Family family) const {
    std::set<std::string> devices;
    for (const auto& path : in_.paths)
      if (path.kind == PathKind::kPods && path.packet.family == family && path.packet.iif)
        devices.insert(*path.packet.iif);
    return devices;
  }

  void forwarding() {
    std::vector<std::string> off;
    std::string set;
    for (const auto& device : arriving(Family::kIpv4)) {
      const auto* own = of(device);
      if (own == nullptr || own->forwarding_v4 != false) continue;
      off.push_back(key(device, "forwarding") + " = 0");
      set += " " + key(device, "forwarding") + "=1";
    }
    if (!off.empty())
      report_.findings.push_back({.cause = Cause::FORWARDING_OFF,
                                  .summary = "this node does not forward IPv4",
                                  .evidence = off,
                                  .remedies = {"sysctl -w net.ipv4.ip_forward=1" + set},
                                  .family = Family::kIpv4});
    if (in_.sysctls.forwarding_v6 == false && !arriving(Family::kIpv6).empty())
      report_.findings.push_back({.cause = Cause::FORWARDING_OFF,
                                  .summary = "this node does not forward IPv6",
                                  .evidence = {"net.ipv6.conf.all.forwarding = 0"},
                                  .remedies = {"sysctl -w net.ipv6.conf.all.forwarding=1"},
                                  .family = Family::kIpv6});
  }

  // Of the devices that routes to peers leave by. IPv6 has no such switch for encryption.
  void xfrm_disabled() {
    std::map<std::string, Peers> leaving;
    for (const auto& path : in_.paths)
      if (path.kind == PathKind::kPods && path.direction == Direction::TRANSMIT &&
          path.packet.family == Family::kIpv4 && path.packet.oif)
        leaving[*path.packet.oif].insert(path.peer);
    for (const auto& [device, peers] : leaving)
      if (const auto keys = on(device, "disable_xfrm", &DeviceSysctls::disable_xfrm_v4);
          !keys.empty())
        add_switches(
            Cause::XFRM_DISABLED,
            "IPv4 leaving through " + device + " is never encrypted, regardless of the policies",
            keys, peers);
  }

  const LinkFact* holder(const IpAddress& address) const {
    for (const auto& own : in_.facts.addresses)
      if (own.address == address) return in_.routes.link(own.ifindex);
    return nullptr;
  }

  // The IPv4 ends of this node's tunnels, by the device that has the address, and the peers of
  // each.
  std::map<std::string, Peers> tunnel_ends() const {
    std::map<std::string, Peers> ends;
    for (const auto& peer : in_.topology.peers)
      for (const auto& underlay : peer.underlays)
        for (const auto& policy : in_.facts.policies)
          if (policy.direction != PolicyDirection::kOut && policy.has_template &&
              policy.template_source == underlay.address &&
              underlay.address.family() == Family::kIpv4)
            if (const auto* link = holder(policy.template_destination))
              ends[link->name].insert(peer.name);
    return ends;
  }

  void policy_disabled(const std::string& device, const Peers& peers) {
    const auto keys = on(device, "disable_policy", &DeviceSysctls::disable_policy_v4);
    if (!keys.empty())
      add_switches(
          Cause::POLICY_DISABLED,
          "cleartext IPv4 arriving through " + device + " is accepted, regardless of the policies",
          keys, peers);
  }

  // ESP whose sender this node would answer by another device. What was decrypted is not filtered.
  void reverse_path(const std::string& device) {
    const auto* own = of(device);
    const auto* all = of(kAllDevices);
    const int mode = std::max(own == nullptr ? 0 : own->reverse_path_filter.value_or(0),
                              all == nullptr ? 0 : all->reverse_path_filter.value_or(0));
    if (mode != kStrict) return;
    DoctorFinding finding{.cause = Cause::REVERSE_PATH_FILTER, .family = Family::kIpv4};
    for (const auto& policy : in_.facts.policies) {
      const auto* link = holder(policy.template_destination);
      if (policy.direction != PolicyDirection::kIn || !policy.has_template || link == nullptr ||
          link->name != device)
        continue;
      const auto& far = policy.template_source;
      const auto answer = in_.routes.ask(
          {Prefix(far, far.bits()), Prefix(policy.template_destination, far.bits()), nullptr});
      const auto* route = answer.unicast();
      const auto* back = route == nullptr ? nullptr : in_.routes.link(route->oif);
      if (back == nullptr || back->name == device) continue;
      const auto line = far.text() + " arrives by " + device + ", and is answered by " + back->name;
      if (std::find(finding.evidence.begin(), finding.evidence.end(), line) ==
          finding.evidence.end())
        finding.evidence.push_back(line);
      for (const auto& peer : in_.topology.peers)
        for (const auto& underlay : peer.underlays)
          if (underlay.address == far && std::find(finding.peers.begin(), finding.peers.end(),
                                                   peer.name) == finding.peers.end())
            finding.peers.push_back(peer.name);
    }
    if (finding.evidence.empty()) return;
    finding.summary =
        "ESP and IKE arriving through " + device +
        " are dropped by the strict reverse path filter: the route back uses another device";
    finding.evidence.push_back(key(device, "rp_filter") + " = 1 (the larger of it and " +
                               key(kAllDevices, "rp_filter") + " counts)");
    if (in_.sysctls.reverse_path_drops.value_or(0) > 0)
      finding.evidence.push_back(
          "IPReversePathFilter: " + std::to_string(*in_.sysctls.reverse_path_drops) + " packets");
    finding.remedies = {"sysctl -w " + key(device, "rp_filter") + "=" + std::to_string(kLoose)};
    report_.findings.push_back(std::move(finding));
  }

  // Pods of one bridge speak without this node's routing, unless br_netfilter asks FORWARD.
  void bridge_rules(Family family) {
    const bool v4 = family == Family::kIpv4;
    if ((v4 ? in_.sysctls.bridge_rules_v4 : in_.sysctls.bridge_rules_v6) != true) return;
    std::set<std::string> looked;
    for (const auto& path : in_.paths) {
      if (path.kind != PathKind::kPods || path.direction != Direction::TRANSMIT ||
          path.packet.family != family || !path.packet.iif || !path.packet.icmp_type ||
          !looked.insert(*path.packet.iif).second)
        continue;
      Packet packet = path.packet;
      packet.destination = pod_sample(path.from);
      packet.oif = packet.iif;
      packet.oif_type = packet.iif_type;
      packet.ipsec_out = Tri::kNo;
      const auto walk = walk_rules(in_.ruleset, packet, kForwardOnly, &in_.fib);
      if ((walk.fate != Fate::kDropped && walk.fate != Fate::kRejected) || walk.culprits.empty())
        continue;
      const std::string name =
          std::string("net.bridge.bridge-nf-call-") + (v4 ? "iptables" : "ip6tables");
      report_.findings.push_back(
          {.cause = Cause::BRIDGE_RULES,
           .summary = "packets between pods of this node on " + *packet.iif +
                      " are dropped in FORWARD by " + walk.culprits.front().text(),
           .evidence = {name + " = 1: bridged packets traverse the IP rules, too"},
           .remedies = {"sysctl -w " + name + "=0"},
           .family = family});
    }
  }

  const SwitchInput& in_;
  DoctorReport& report_;
};

}  // namespace

void check_switches(const SwitchInput& input, DoctorReport& report) {
  SwitchCheck(input, report).check();
}

}  // namespace espial
