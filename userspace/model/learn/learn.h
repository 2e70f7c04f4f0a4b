// SPDX-License-Identifier: Apache-2.0
// merge_topology: the effective topology from the file, OpenSVC, the kernel and what was learnt
// earlier.
//
// A pure function; its result does not depend on the order of the facts. Sources only add: what
// was learnt and is not said now stays, with origin "saved". The file wins names and subnets, then
// OpenSVC. What OpenSVC no longer configures is removed; while it cannot be asked, its last known
// state is kept.
#pragma once

#include <string_view>

#include "model/config.h"
#include "model/facts/facts.h"
#include "model/facts/opensvc.h"
#include "model/topology.h"

namespace espial {

// saved: the topology of an earlier merge; its facts that only the file said are not taken over, so
// that removing them from the file removes them. Modes come from the file alone.
// Contradictions, refused selectors and peers beyond config.max_peers become findings.
// With config.discover off, all but the configuration is ignored.
Topology merge_topology(const Config& config, const KernelFacts& facts, const Topology& saved,
                        const OpensvcFacts& opensvc = {});

// Whether an SPD selector or a route may be taken for a backend subnet: at least /8 (IPv4) or /16
// (IPv6), neither link-local, loopback nor multicast.
bool acceptable_backend(const Prefix& prefix);

// Removes the peer of that name; false: there is none.
bool forget_peer(Topology& topology, std::string_view name);

}  // namespace espial
