// SPDX-License-Identifier: Apache-2.0
#include "sources/state/saved_topology.h"

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "model/learn/learn.h"
#include "sources/state/state_file.h"

namespace espial {
namespace {

using Json = nlohmann::json;

constexpr int kTopologySchema = 1;
constexpr Origin kOrigins[] = {Origin::kFile,  Origin::kOpensvc, Origin::kPolicy, Origin::kState,
                               Origin::kRoute, Origin::kAddress, Origin::kSaved};

Json origins_json(const Origins& from) {
  Json labels = Json::array();
  for (const auto label : from.labels()) labels.push_back(label);
  return labels;
}

Json underlays_json(const std::vector<Underlay>& underlays) {
  Json list = Json::array();
  for (const auto& underlay : underlays)
    list.push_back({{"address", underlay.address.text()}, {"from", origins_json(underlay.from)}});
  return list;
}

Json backends_json(const std::vector<BackendSubnet>& backends) {
  Json list = Json::array();
  for (const auto& backend : backends)
    list.push_back({{"prefix", backend.prefix.text()},
                    {"network", backend.network},
                    {"from", origins_json(backend.from)}});
  return list;
}

Json networks_json(const std::vector<Network>& networks) {
  Json list = Json::array();
  for (const auto& network : networks) {
    if (!network.from.has(Origin::kOpensvc)) continue;
    Json prefixes = Json::array();
    for (const auto& prefix : network.prefixes) prefixes.push_back(prefix.text());
    list.push_back({{"name", network.name}, {"prefixes", std::move(prefixes)}});
  }
  return list;
}

// The readers below throw; topology_from_json() turns that into an Error.
Origins read_origins(const Json& labels) {
  Origins from;
  for (const auto& label : labels)
    for (const Origin origin : kOrigins)
      if (Origins(origin).labels().front() == label.get<std::string>()) from.add(origin);
  return from;
}

std::vector<Underlay> read_underlays(const Json& list) {
  std::vector<Underlay> underlays;
  for (const auto& item : list) {
    const auto text = item.at("address").get<std::string>();
    const auto address = IpAddress::parse(text);
    if (!address) throw std::runtime_error("'" + text + "' is not an address");
    underlays.push_back({*address, read_origins(item.at("from"))});
  }
  return underlays;
}

std::vector<BackendSubnet> read_backends(const Json& list) {
  std::vector<BackendSubnet> backends;
  for (const auto& item : list) {
    const auto text = item.at("prefix").get<std::string>();
    const auto prefix = Prefix::parse(text);
    if (!prefix) throw std::runtime_error("'" + text + "' is not a prefix");
    backends.push_back(
        {*prefix, item.at("network").get<std::string>(), read_origins(item.at("from"))});
  }
  return backends;
}

PeerState read_state(const std::string& text) {
  for (const auto state : {PeerState::kCandidate, PeerState::kLearnt, PeerState::kConfigured})
    if (to_string(state) == text) return state;
  throw std::runtime_error("'" + text + "' is not a peer state");
}

Peer read_peer(const Json& item) {
  Peer peer;
  peer.name = item.at("name").get<std::string>();
  peer.state = read_state(item.at("state").get<std::string>());
  peer.from = read_origins(item.at("from"));
  peer.underlays = read_underlays(item.at("underlays"));
  peer.backends = read_backends(item.at("backends"));
  peer.left_opensvc = item.value("left_opensvc", false);
  return peer;
}

// Only of OpenSVC: those of the file are in the file.
Network read_network(const Json& item) {
  Network network;
  network.name = item.at("name").get<std::string>();
  network.from = Origin::kOpensvc;
  for (const auto& text : item.at("prefixes")) {
    const auto prefix = Prefix::parse(text.get<std::string>());
    if (!prefix) throw std::runtime_error("'" + text.get<std::string>() + "' is not a prefix");
    network.prefixes.push_back(*prefix);
  }
  return network;
}

Topology read_topology(const Json& json) {
  const int version = json.at("schema_version").get<int>();
  if (version != kTopologySchema)
    throw std::runtime_error("schema_version " + std::to_string(version) + ", this espial reads " +
                             std::to_string(kTopologySchema));
  Topology topology;
  topology.node = json.at("node").get<std::string>();
  topology.self_underlays = read_underlays(json.at("self_underlays"));
  topology.self_backends = read_backends(json.at("self_backends"));
  for (const auto& item : json.at("peers")) topology.peers.push_back(read_peer(item));
  // Files of versions that knew no OpenSVC have none.
  for (const auto& item : json.value("networks", Json::array()))
    topology.networks.push_back(read_network(item));
  return topology;
}

}  // namespace

std::string topology_to_json(const Topology& topology) {
  Json peers = Json::array();
  for (const auto& peer : topology.peers) {
    peers.push_back({{"name", peer.name},
                     {"state", to_string(peer.state)},
                     {"from", origins_json(peer.from)},
                     {"underlays", underlays_json(peer.underlays)},
                     {"backends", backends_json(peer.backends)}});
    if (peer.left_opensvc) peers.back()["left_opensvc"] = true;
  }
  const Json json{{"schema_version", kTopologySchema},
                  {"node", topology.node},
                  {"self_underlays", underlays_json(topology.self_underlays)},
                  {"self_backends", backends_json(topology.self_backends)},
                  {"networks", networks_json(topology.networks)},
                  {"peers", std::move(peers)}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Topology> topology_from_json(std::string_view text) {
  try {
    return read_topology(Json::parse(text));
  } catch (const std::exception& cause) {
    return Error{std::string("saved topology: ") + cause.what(), Failure::kUnable};
  }
}

SavedTopology::SavedTopology(const std::string& state_dir)
    : folder_(state_dir), path_(state_dir + "/topology.json") {}

Result<Topology> SavedTopology::load() const {
  EP_ASSIGN(text, read_file(path_, Trust::kOwners));
  if (!text) return Topology{};
  auto topology = topology_from_json(*text);
  if (topology.ok()) return topology;
  return keep_aside(path_, std::move(topology).error().wrap(path_));
}

Status SavedTopology::save(const Topology& topology) const {
  return write_state_file(folder_, path_, topology_to_json(topology));
}

Result<bool> SavedTopology::forget(std::string_view peer) const {
  EP_ASSIGN(topology, load());
  if (!forget_peer(topology, peer)) return false;
  EP_TRY(save(topology));
  return true;
}

}  // namespace espial
