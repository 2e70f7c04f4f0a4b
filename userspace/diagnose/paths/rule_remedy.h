// SPDX-License-Identifier: Apache-2.0
// The rule that lets packets past another one: as a command of the tool that the table belongs to,
// and as a change of a Ruleset, so that it can be tried by a walk. Pure.
#pragma once

#include <optional>
#include <string>

#include "diagnose/paths/backend_paths.h"
#include "model/facts/firewall.h"

namespace espial {

// What to accept.
struct Acceptance {
  PathKind kind = PathKind::kPods;
  Prefix from;  // of kNeighbours any
  Prefix to;
  std::uint8_t neighbour_type = 0;  // of neighbour discovery: ICMPv6's; 0: ARP
  // Of kIke where a rule takes one port only (ebtables): the destination's. Others accept both.
  std::uint16_t ike_port = 500;
};

// Puts the rule in front of the base chain that the culprit belongs to and returns the command that
// does so; nothing: no such chain. It lasts until the table's owner writes it anew, as firewalld
// does at each reload.
std::optional<std::string> accept_before(Ruleset& ruleset, const RuleEvidence& culprit,
                                         PacketHook hook, const Acceptance& what);

}  // namespace espial
