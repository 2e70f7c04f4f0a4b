// SPDX-License-Identifier: Apache-2.0
// Why are packets between the backends lost, or in clear? Puts together what the audit, the rules,
// the switches of the kernel, charon and a ping of the underlays say: one finding per cause, the
// cause that explains most first, each with its remedy. Pure.
#pragma once

#include <chrono>
#include <vector>

#include "diagnose/doctor/underlay_check.h"
#include "model/doctor_report.h"
#include "model/facts/charon.h"
#include "model/facts/facts.h"
#include "model/facts/firewall.h"
#include "model/facts/host.h"
#include "model/facts/ike_reach.h"
#include "model/mesh.h"
#include "model/topology.h"

namespace espial {

struct DoctorInput {
  const Topology& topology;
  const KernelFacts& facts;  // as they are after the echoes
  const Ruleset& ruleset;
  const SysctlFacts& sysctls;
  const MeshAudit& audit;
  const HostFacts& host;
  const CharonFacts& charon;
  std::vector<UnderlayEcho> echoes;  // those that were asked
  std::vector<IkeReach> ike{};       // of peers that unprotected() names
  std::chrono::system_clock::time_point now{};
  std::vector<FiringAlarm> firing{};  // none where no daemon runs
};

// The underlays of peers whose packets IPsec does not protect: whose IKE daemon is worth asking.
std::vector<IpAddress> unprotected(const Topology& topology, const MeshAudit& audit);

DoctorReport diagnose(const DoctorInput& input);

}  // namespace espial
