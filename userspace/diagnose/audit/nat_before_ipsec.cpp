// SPDX-License-Identifier: Apache-2.0
#include "diagnose/audit/nat_before_ipsec.h"

#include <utility>

namespace espial {
namespace {

std::string walk_text(const Walk& walk) {
  std::string text;
  const auto end = [&](Tri done, const char* which) {
    if (done == Tri::kNo) return;
    text.append(text.empty() ? "" : " and ").append(which);
    text += done == Tri::kYes ? " rewritten" : " perhaps rewritten";
  };
  end(walk.destination_nat, "destination");
  end(walk.source_nat, "source");
  for (std::size_t i = 0; i < walk.nat.size(); ++i)
    text.append(i == 0 ? " by " : " or ").append(walk.nat[i].rule.text());
  return text;
}

}  // namespace

std::optional<NatBeforeIpsec> nat_before_ipsec(const Ruleset& ruleset, Packet packet,
                                               std::span<const WalkStep> steps, const Fib* fib) {
  if (packet.tracking == Tracking::kUnknown) packet.tracking = Tracking::kNew;
  Walk walk = walk_rules(ruleset, packet, steps, fib);
  if (walk.source_nat == Tri::kNo && walk.destination_nat == Tri::kNo) return std::nullopt;
  NatBeforeIpsec found;
  found.certain = walk.source_nat == Tri::kYes || walk.destination_nat == Tri::kYes;
  found.what = walk_text(walk);
  found.rules = std::move(walk.nat);
  found.reasons = std::move(walk.reasons);
  return found;
}

}  // namespace espial
