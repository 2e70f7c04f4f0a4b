// SPDX-License-Identifier: Apache-2.0
// PodNat: would the firewall rewrite what a pod sends to a peer's pods, so that IPsec's selectors
// no longer match? And the command that keeps the rule from it, tried on the rules themselves.
//
// Asked of representative packets of new connections: an echo request and the beginning of a TCP
// connection to a port that is not known. A source that stays inside of the own subnet is no
// problem. Pure; one thread, for it remembers its answers.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "diagnose/audit/mesh_audit.h"
#include "diagnose/lookup/route_index.h"
#include "model/facts/facts.h"
#include "model/facts/firewall.h"

namespace espial {

class PodNat {
 public:
  explicit PodNat(Ruleset rules);

  // Nothing: no rule does, or there is no device or route that would show. What routes and
  // addresses say is asked anew each time; the walk of a pair through the rules is remembered.
  std::optional<NatJudgement> judge(const KernelFacts& facts, const RouteIndex& routes,
                                    const Prefix& own, const Prefix& theirs);

  // What of the firewall could not be read, in one line; nothing: all was.
  [[nodiscard]] std::optional<std::string> unread() const;

 private:
  // own, theirs, in by, out by, the address that a masquerade takes.
  using Question = std::tuple<std::string, std::string, std::string, std::string, std::string>;

  Ruleset rules_;
  bool any_ = false;  // does any rule translate, or may it?
  bool asks_routes_ = false;
  std::vector<AddressFact> addresses_;  // that the answers hold for
  std::map<Question, std::optional<NatJudgement>> answers_;
};

}  // namespace espial
