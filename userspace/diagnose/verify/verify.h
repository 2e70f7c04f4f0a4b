// SPDX-License-Identifier: Apache-2.0
// Which probes show that a pair is encrypted, and what the counts on the wire make of them. Pure;
// sending is sources/probe/echo.h, putting it together daemon/offline/diagnosis.h.
//
// Probes go to the kernels of the peers: OpenSVC gives the pods' bridge the first address of the
// node's subnet. The counts are a peer's, not a probe's: two probes of one peer are never out at a
// time, and clear traffic of somebody else between the same backends is a leak all the same.
#pragma once

#include <vector>

#include "model/doctor_report.h"
#include "model/facts/facts.h"
#include "model/facts/firewall.h"
#include "model/mesh.h"
#include "model/probe_result.h"
#include "model/snapshot.h"
#include "model/topology.h"

namespace espial {

// A pod of this node that can be sent from.
struct PodView {
  std::vector<IpAddress> addresses;
  std::vector<IpAddress> connected;  // the far ends that it talks to
};

struct PlannedProbe {
  std::string peer;
  ProbePath path = ProbePath::HOST;
  IpAddress source;
  IpAddress target;
  std::optional<std::size_t> pod;  // to send from; nothing: from the node
};

struct ProbeScope {
  std::vector<std::string> peers;      // nothing: all but candidates
  std::vector<IpAddress> remote_pods;  // to be probed besides those that local pods talk to
};

// What can be out at the same time, one stage after the other. What has no source or no target of
// a family is left out, with a line in unknown.
std::vector<std::vector<PlannedProbe>> plan_probes(const Topology& topology,
                                                   const KernelFacts& facts,
                                                   const std::vector<PodView>& pods,
                                                   const ProbeScope& scope,
                                                   std::vector<std::string>& unknown);

// What the programs counted between two looks.
WireSeen seen_between(const PeerCounters& before, const PeerCounters& after, Direction direction,
                      Family family);

// Fills in outcome, why and remedy. doctor: what was found on this node, for what is lost here.
void judge_probe(ProbeResult& probe, const MeshAudit& audit, const DoctorReport& doctor);

// Of every pair and family that no probe took through this node's FORWARD: what the rules do.
std::vector<ForwardNote> walk_unexercised(const Topology& topology, const KernelFacts& facts,
                                          const Ruleset& ruleset, const MeshAudit& audit,
                                          const ProbeScope& scope,
                                          const std::vector<ProbeResult>& probes);

}  // namespace espial
