// SPDX-License-Identifier: Apache-2.0
// Does conntrack run for a family? The kernel starts it with the first rule that needs it
// (nf_ct_netns_get), and without it no NAT chain is asked at all, whatever it says.
#pragma once

#include "diagnose/lookup/packet.h"
#include "model/facts/firewall.h"

namespace espial {

// kUnknown: no rule here needs it; something else, as IPVS, may.
Tri conntrack_runs(const Ruleset& ruleset, Family family);

}  // namespace espial
