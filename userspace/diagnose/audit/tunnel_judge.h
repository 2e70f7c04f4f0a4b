// SPDX-License-Identifier: Apache-2.0
// judge_tunnel: a pair whose route leads into a tunnel device, and whose own policies do not
// protect it: do those for the outer packets?
#pragma once

#include "diagnose/audit/pair_judge.h"

namespace espial {

// Replaces what the pair was found guilty of where the outer packets are encrypted, held back or
// blocked; else says that the tunnel does not help. A pair that its own policies protect is left
// alone: its packets never get into the device.
void judge_tunnel(const AuditIndexes& indexes, const Peer& peer, const RouteFact* route,
                  PairAudit& pair);

}  // namespace espial
