// SPDX-License-Identifier: Apache-2.0
// What the SPD says about the mesh, reduced to tunnels between this node and others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/facts/facts.h"

namespace espial {

// Findings, grouped by kind so that ten thousand of one kind become a few lines.
class Findings {
 public:
  // kind: what the lines of the group have in common, in plural words ("policies without a peer").
  void add(const std::string& kind, std::string line);
  // Sorted, at most kLinesPerKind lines of a kind and one that counts the rest.
  [[nodiscard]] std::vector<std::string> lines() const;

 private:
  static constexpr std::size_t kLinesPerKind = 20;
  std::map<std::string, std::set<std::string>> kinds_;
};

// One tunnel, as any of its out, in and forward policies describe it.
struct Tunnel {
  IpAddress peer;                 // underlay of the other end
  std::optional<IpAddress> self;  // our end, when the template names it
  Prefix own_subnet;
  Prefix peer_subnet;
  std::uint32_t reqid = 0;
  auto operator<=>(const Tunnel&) const = default;
};

// The tunnels of the SPD, sorted, each once. Block and bypass policies say nothing; transport mode
// and templates without a peer address are findings.
std::vector<Tunnel> tunnels_of(const std::vector<XfrmPolicyFact>& policies, Findings& findings);

}  // namespace espial
