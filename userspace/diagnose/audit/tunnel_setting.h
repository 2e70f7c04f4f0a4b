// SPDX-License-Identifier: Apache-2.0
// judge_tunnel_settings: do the kernel's routes do what `tunnel` and `tunnel_mode` of the cluster's
// configuration ask for?
//
// Looks at the main table alone, where the agent puts its routes; charon's table, asked before it,
// is no contradiction. `auto` asks for a tunnel if the peer is on no local link.
#pragma once

#include "model/facts/facts.h"
#include "model/facts/opensvc.h"
#include "model/mesh.h"

namespace espial {

// Adds a finding to each pair whose route contradicts its network's settings, and lowers verdicts.
void judge_tunnel_settings(const OpensvcFacts& opensvc, const KernelFacts& facts, MeshAudit& audit);

}  // namespace espial
