// SPDX-License-Identifier: Apache-2.0
// The audit of this moment, with charon's own words where it tells why, and with the firewall's
// rules.
#pragma once

#include "diagnose/audit/pod_nat.h"
#include "model/facts/vici.h"

namespace espial {

// nat null: nobody has read the firewall (yet).
MeshAudit audit_now(const Topology& topology, const KernelFacts& facts, const ViciFacts& charon,
                    const OpensvcFacts& cluster, PodNat* nat);

}  // namespace espial
