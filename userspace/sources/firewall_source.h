// SPDX-License-Identifier: Apache-2.0
// Reads every packet filter of this network namespace: nft (JSON and text), iptables-nft-save where
// nft's JSON is opaque, iptables-legacy-save and ebtables-legacy where the kernel has legacy
// tables.
//
// libnftables is GPL-2-only, so nft runs as a process. Reads only; but a legacy table of bridges
// that the kernel has loaded is there then in this namespace, too, empty if it was not. Takes some
// ten milliseconds, more with thousands of rules; any thread.
#pragma once

#include "base/result.h"
#include "model/firewall.h"
#include "sources/child_process.h"

namespace espial {

// What could not be read is a line of Ruleset::unread; never an Error of the whole.
Ruleset read_firewall(const ChildLimits& limits = {});

}  // namespace espial
