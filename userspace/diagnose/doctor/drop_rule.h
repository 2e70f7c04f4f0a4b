// SPDX-License-Identifier: Apache-2.0
// DropRules: which rule dropped a packet that netfilter is known to have dropped? The kernel
// reports the hook, for a packet on its way into IPsec two of them; the current rules give the
// rest, if they were so then. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diagnose/lookup/fib.h"
#include "diagnose/paths/backend_paths.h"
#include "diagnose/rules/rule_walk.h"
#include "model/snapshot.h"

namespace espial {

struct DropRule {
  WalkStep step;
  RuleEvidence rule;
};

class DropRules {
 public:
  // All outlive it.
  DropRules(const Topology& topology, const KernelFacts& facts, const Ruleset& ruleset,
            const MeshAudit& audit);
  DropRules(const DropRules&) = delete;
  DropRules& operator=(const DropRules&) = delete;

  // Nothing: no rule of today surely drops such a packet in a hook that the record allows.
  [[nodiscard]] std::optional<DropRule> of(const DropRecord& drop) const;

 private:
  [[nodiscard]] std::optional<DropRule> walk(const BackendPath& path, const DropRecord& drop,
                                             Tracking tracking) const;

  const Ruleset& ruleset_;
  RouteIndex routes_;
  Fib fib_;
  std::vector<BackendPath> paths_;
};

}  // namespace espial
