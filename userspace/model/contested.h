// SPDX-License-Identifier: Apache-2.0
// Addresses that a learnt peer would take from somebody who is surer: from this node, from a
// configured peer, or from one under a stricter mode. A policy with a narrower selector is enough
// to learn one, so it must not change what is done about cleartext to its addresses: they stay
// whose they were. Pure.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/topology.h"

namespace espial {

struct Contested {
  std::set<std::pair<std::string, Prefix>> prefixes;  // a peer's name, and what it does not get
  std::vector<std::string> findings;                  // one line each
};

Contested find_contested(const Topology& topology);

}  // namespace espial
