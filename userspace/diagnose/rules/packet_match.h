// SPDX-License-Identifier: Apache-2.0
// Does a match of a rule hold for a packet? Three-valued, as nft_cmp.c, nft_lookup.c and nft_meta.c
// would answer. Pure functions.
#pragma once

#include <vector>

#include "diagnose/rules/packet_field.h"
#include "model/facts/firewall.h"

namespace espial {

// elements: the match's own, or those of the set that it names.
Tri holds(const Match& match, const std::vector<Element>& elements, const Packet& packet,
          const RulePlace& place);

// The verdicts that a map may give: one if an element surely matches. miss: no element may match.
struct MapAnswer {
  std::vector<VerdictStep> verdicts;
  Tri miss = Tri::kYes;
};
MapAnswer look_up(const std::vector<Key>& keys, const std::vector<Element>& elements,
                  const Packet& packet, const RulePlace& place);

}  // namespace espial
