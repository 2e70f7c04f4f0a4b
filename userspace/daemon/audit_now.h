// SPDX-License-Identifier: Apache-2.0
// The audit of this moment, with charon's own words where it tells why.
#pragma once

#include "diagnose/mesh_audit.h"
#include "model/vici.h"

namespace espial {

MeshAudit audit_now(const Topology& topology, const KernelFacts& facts, const ViciFacts& charon,
                    const OpensvcFacts& cluster);

}  // namespace espial
