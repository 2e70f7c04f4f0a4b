// SPDX-License-Identifier: Apache-2.0
// Reads every packet filter of this network namespace: nft (JSON and text), iptables-nft-save where
// nft's JSON is opaque, iptables-legacy-save and ebtables-legacy where the kernel has legacy
// tables.
//
// libnftables is GPL-2-only, so nft runs as a process. Reads only. Takes some ten milliseconds,
// more with thousands of rules; any thread.
#pragma once

#include "base/child_process.h"
#include "base/result.h"
#include "model/facts/firewall.h"

namespace espial {

// What could not be read is a line of Ruleset::unread; never an Error of the whole.
//
// Whoever asks for a table of legacy ebtables that the kernel has loaded gets it hooked in this
// namespace, empty if it was not there.
Ruleset read_firewall(const ChildLimits& limits = {});

// Without legacy ebtables, whose rules no translation of addresses depends on: changes nothing.
Ruleset read_ip_firewall(const ChildLimits& limits = {});

}  // namespace espial
