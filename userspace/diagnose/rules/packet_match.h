// SPDX-License-Identifier: Apache-2.0
// Does a match of a rule hold for a packet? Three-valued, as nft_cmp.c, nft_lookup.c and nft_meta.c
// would answer. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diagnose/lookup/packet.h"
#include "model/facts/firewall.h"

namespace espial {

// What a rule sees when it looks at one field of a packet, as nft_meta.c, nft_payload.c, nft_ct.c
// and nft_fib.c would. Pure.

class Fib;

// Where the packet is when a rule looks at it.
struct RulePlace {
  PacketHook hook = PacketHook::kForward;
  // Conntrack has not seen it yet (raw, ingress). kUnknown: at the same priority as conntrack.
  Tri before_tracking = Tri::kNo;
  // NFPROTO_* of the hooks of bridges and devices, which know no family; 0: the packet's own.
  std::uint8_t protocol_family = 0;
  const Fib* fib = nullptr;  // null: the routes are unknown
};

// A key's value at a place: known, not there (the rule ends), or unknown.
struct Seen {
  enum class Kind : std::uint8_t { kNumber, kText, kAbsent, kUnknown };
  Kind kind = Kind::kUnknown;
  Wide number = 0;
  std::string text;
};

Seen look_at(const Key& key, const Packet& packet, const RulePlace& place);

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
