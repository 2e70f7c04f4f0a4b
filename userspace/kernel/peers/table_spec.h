// SPDX-License-Identifier: Apache-2.0
// The peer table's contents from the topology, the device plan and the SAs. Pure.
#pragma once

#include <vector>

#include "kernel/peers/identities.h"
#include "kernel/table.h"
#include "model/config.h"
#include "model/devices/devices.h"
#include "model/facts/facts.h"
#include "model/relays.h"
#include "model/topology.h"

namespace espial {

// The file's limits of enforcement and its exemptions go with the table; peers' modes do not
// (mode_map.h). Peers without an identity (over capacity) are left out: their addresses mean
// nothing then.
TableSpec make_table_spec(const ConfigEnforce& enforce, const Topology& topology,
                          const Identities& identities, const std::vector<DevicePlan>& devices,
                          const std::vector<XfrmStateFact>& states, const Relays& relays);

// Marks what other peers' tunnels may carry. A source that is narrower than the subnet it lies in
// becomes an entry of its own, that of the longest such subnet first.
void mark_relayed(const Relays& relays, std::vector<TableEntry>& entries);

}  // namespace espial
