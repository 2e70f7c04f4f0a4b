// SPDX-License-Identifier: Apache-2.0
// Why are packets between the backends lost, or in clear? Puts together what the audit, the rules,
// the switches of the kernel and a ping of the underlays say: one finding per cause, the cause that
// explains most first, each with its remedy. Pure.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "model/doctor.h"
#include "model/facts.h"
#include "model/firewall.h"
#include "model/mesh.h"
#include "model/sysctls.h"
#include "model/topology.h"

namespace espial {

// Did the underlay address answer an echo request?
struct UnderlayEcho {
  IpAddress address;
  bool answered = false;
};

struct DoctorInput {
  const Topology& topology;
  const KernelFacts& facts;
  const Ruleset& ruleset;
  const SysctlFacts& sysctls;
  const MeshAudit& audit;
  std::vector<UnderlayEcho> echoes;  // those that were asked
};

DoctorReport diagnose(const DoctorInput& input);

}  // namespace espial
