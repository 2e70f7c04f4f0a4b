// SPDX-License-Identifier: Apache-2.0
// node1 of the example mesh, healthy, with both families, for the doctor: break it and look.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diagnose/audit/mesh_audit.h"
#include "diagnose/doctor/doctor.h"
#include "unit/facts_builder.h"

namespace espial::test {

struct DoctorWorld {
  DoctorWorld() {
    node.link(2, "eth0");
    node.link(3, "br-prd", "bridge");
    node.address(2, "10.45.0.11/24");
    node.address(3, "10.101.1.1/24");
    node.address(3, "fd00:101:1::1/64");
    topology.self_backends.push_back({net("fd00:101:1::/64"), "backend6", Origin::kFile});
    topology.networks = {{"backendnet", {net("10.101.0.0/16")}, Origin::kFile, Mode::AUDIT}};
    facts().xfrm_readable = true;
    std::uint32_t spi = 1;
    for (auto& peer : topology.peers) {
      const std::string n = peer.name.substr(4);
      const std::string six = "fd00:101:" + n + "::/64";
      const std::string far = "10.45.0.1" + n;
      peer.backends.push_back({net(six), "backend6", Origin::kFile});
      node.route("10.101." + n + ".0/24", far, 2);
      node.facts.neighbours.push_back({2, addr(far), {}});
      node.facts.routes.push_back({net(six), 2, {}, 254, 0, {}});
      add_tunnel(facts(), "10.101.1.0/24", "10.101." + n + ".0/24", "10.45.0.11", far, 1);
      add_tunnel(facts(), "fd00:101:1::/64", six, "10.45.0.11", far, 1);
      facts().states.push_back(state("10.45.0.11", far, spi++, 1));
      facts().states.push_back(state(far, "10.45.0.11", spi++, 1));
      for (auto& sa : facts().states) sa.packets = 100;
      echoes.push_back({addr(far), true});
    }
    for (const char* device : {"all", "eth0", "br-prd"}) sysctls.devices[device] = {true, false};
    sysctls.forwarding_v6 = true;
  }
  KernelFacts& facts() { return node.facts; }
  DoctorReport look() const {
    const auto audit = audit_mesh({topology, node.facts, 1'700'000'000, {}, {}});
    return diagnose(
        {topology, node.facts, rules, sysctls, audit, host, charon, echoes, ike, now, firing});
  }
  // Nothing: there is no finding.
  std::optional<Cause> first_cause() const {
    const auto report = look();
    if (report.findings.empty()) return std::nullopt;
    return report.findings.front().cause;
  }

  Node node;
  Topology topology = mesh();
  Ruleset rules;
  SysctlFacts sysctls;
  HostFacts host{true, true};
  CharonFacts charon;
  std::vector<UnderlayEcho> echoes;
  std::vector<IkeReach> ike;
  std::chrono::system_clock::time_point now;
  std::vector<FiringAlarm> firing;
};

}  // namespace espial::test
