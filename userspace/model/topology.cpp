// SPDX-License-Identifier: Apache-2.0
#include "model/topology.h"

#include <algorithm>

#include "model/report.h"
#include "model/snapshot.h"

namespace espial {

std::vector<std::string_view> Origins::labels() const {
  std::vector<std::string_view> out;
  if (has(Origin::kFile)) out.emplace_back("file");
  if (has(Origin::kOpensvc)) out.emplace_back("opensvc");
  if (has(Origin::kPolicy)) out.emplace_back("policy");
  if (has(Origin::kState)) out.emplace_back("state");
  if (has(Origin::kRoute)) out.emplace_back("route");
  if (has(Origin::kAddress)) out.emplace_back("address");
  if (has(Origin::kSaved)) out.emplace_back("saved");
  return out;
}

std::string_view to_string(PeerState state) {
  switch (state) {
    case PeerState::kCandidate:
      return "candidate";
    case PeerState::kLearnt:
      return "learnt";
    case PeerState::kConfigured:
      return "configured";
  }
  return "?";
}

std::string_view to_string(ModeSource source) {
  switch (source) {
    case ModeSource::kDefault:
      return "default";
    case ModeSource::kFile:
      return "file";
    case ModeSource::kCommand:
      return "command";
  }
  return "?";
}

const Peer* Topology::find(std::string_view name) const {
  const auto it =
      std::find_if(peers.begin(), peers.end(), [&](const Peer& peer) { return peer.name == name; });
  return it == peers.end() ? nullptr : &*it;
}

const Peer* Topology::backend_of(const IpAddress& address) const {
  const auto it = std::find_if(peers.begin(), peers.end(), [&](const Peer& peer) {
    return std::any_of(peer.backends.begin(), peer.backends.end(),
                       [&](const auto& backend) { return backend.prefix.contains(address); });
  });
  return it == peers.end() ? nullptr : &*it;
}

}  // namespace espial
