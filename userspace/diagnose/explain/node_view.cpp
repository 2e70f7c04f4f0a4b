// SPDX-License-Identifier: Apache-2.0
#include "diagnose/explain/node_view.h"

namespace espial {

NodeView::NodeView(const ExplainInput& from)
    : input(from),
      routes(from.facts),
      fib(from.facts, routes),
      graph(from.facts, none),
      out(from.facts.policies, PolicyDirection::kOut),
      in(from.facts.policies, PolicyDirection::kIn),
      forward(from.facts.policies, PolicyDirection::kForward),
      states(from.facts.states) {}

const AddressFact* NodeView::address_fact(const IpAddress& address, bool subnet) const {
  for (const auto& fact : input.facts.addresses) {
    if (fact.address.family() != address.family()) continue;
    if (subnet ? Prefix(fact.address, fact.prefix_length).contains(address)
               : fact.address == address)
      return &fact;
  }
  return nullptr;
}

}  // namespace espial
