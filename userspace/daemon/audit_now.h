// SPDX-License-Identifier: Apache-2.0
// The audit of the current state, with charon's explanation if it gives one, and with the
// firewall's rules.
#pragma once

#include "diagnose/audit/pod_nat.h"
#include "model/facts/charon.h"

namespace espial {

// nat null: the firewall has not been read (yet).
MeshAudit audit_now(const Topology& topology, const KernelFacts& facts, const CharonFacts& charon,
                    const OpensvcFacts& opensvc, PodNat* nat);

}  // namespace espial
