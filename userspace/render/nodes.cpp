// SPDX-License-Identifier: Apache-2.0
#include "render/nodes.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "base/printable.h"
#include "render/mesh.h"

namespace espial {
namespace {

// Names become parts of files, keys and shell words. A name that needs quoting there is refused.
bool plain_name(const std::string& name) {
  return !name.empty() && name.size() <= 63 && name.front() != '.' && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-' || c == ':';
         });
}

// strongSwan takes a dot in a section's name for a level.
std::string section_name(const std::string& name, std::set<std::string>& taken) {
  std::string out = name;
  std::replace(out.begin(), out.end(), '.', '-');
  std::replace(out.begin(), out.end(), ':', '-');
  std::string unique = out;
  for (int n = 2; !taken.insert(unique).second; ++n) unique = out + "_" + std::to_string(n);
  return unique;
}

MeshNode node_of(const std::string& name, const std::vector<Underlay>& underlays,
                 const std::vector<BackendSubnet>& backends) {
  MeshNode node{name, {}, {}, {}};
  for (const auto& underlay : underlays)
    if (!underlay.address.link_local()) node.underlays.push_back(underlay.address);
  for (const auto& backend : backends) node.backends.push_back(backend.prefix);
  std::sort(node.backends.begin(), node.backends.end());
  return node;
}

bool has(const MeshNode& node, Family family) {
  return std::any_of(node.underlays.begin(), node.underlays.end(),
                     [family](const IpAddress& a) { return a.family() == family; });
}

void check(const MeshNode& node, std::string& problems) {
  const auto who = in_quotes(node.name);
  if (!plain_name(node.name))
    problems += who +
                ": a node's name is made of letters, digits and . _ - : here (name it in "
                "espial.yaml)\n";
  if (node.underlays.empty())
    problems += who + ": it has no underlay address (give it one in espial.yaml)\n";
  if (node.backends.empty())
    problems += who + ": it has no backend subnet (give it one in espial.yaml)\n";
}

}  // namespace

std::optional<Family> outer_family(const MeshNode& one, const MeshNode& two) {
  for (const auto family : {Family::kIpv4, Family::kIpv6})
    if (has(one, family) && has(two, family)) return family;
  return std::nullopt;
}

Result<MeshNodes> mesh_nodes(const Topology& topology) {
  MeshNodes out;
  out.nodes.push_back(node_of(topology.node, topology.self_underlays, topology.self_backends));
  for (const auto& peer : topology.peers) {
    if (peer.state != PeerState::kCandidate)
      out.nodes.push_back(node_of(peer.name, peer.underlays, peer.backends));
    else
      out.notes.push_back(printable(peer.name) +
                          ": left out: known from a route only (make it a peer in espial.yaml)");
  }
  std::sort(out.nodes.begin(), out.nodes.end(),
            [](const MeshNode& a, const MeshNode& b) { return a.name < b.name; });
  std::string problems;
  std::set<std::string> taken;
  for (auto& node : out.nodes) {
    check(node, problems);
    node.section = section_name(node.name, taken);
  }
  if (out.nodes.size() < 2) problems += "the topology has no peers (name them in espial.yaml)\n";
  if (out.nodes.size() > kMaxRenderedNodes)
    problems += std::to_string(out.nodes.size()) + " nodes are too many to render (at most " +
                std::to_string(kMaxRenderedNodes) + ")\n";
  else
    for (std::size_t i = 0; i < out.nodes.size(); ++i)
      for (std::size_t j = i + 1; j < out.nodes.size(); ++j)
        if (!outer_family(out.nodes[i], out.nodes[j]) && !out.nodes[i].underlays.empty() &&
            !out.nodes[j].underlays.empty())
          problems += in_quotes(out.nodes[i].name) + " and " + in_quotes(out.nodes[j].name) +
                      ": no underlay addresses of the same family\n";
  if (problems.empty()) return out;
  problems.pop_back();
  return Error{problems, Failure::kUsage};
}

}  // namespace espial
