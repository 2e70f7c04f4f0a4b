// SPDX-License-Identifier: Apache-2.0
#include "kernel/peers/table_spec.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "model/contested.h"

namespace espial {
namespace {

Prefix host(const IpAddress& address) { return Prefix(address, address.bits()); }

void add_peer(const Peer& peer, const Identities& identities, const Contested& contested,
              TableSpec& spec) {
  const auto id = identities.peer(peer.name);
  if (id == 0) return;
  const bool configured = peer.state == PeerState::kConfigured;
  const auto theirs = [&](const Prefix& prefix) {
    return contested.prefixes.count({peer.name, prefix}) == 0;
  };
  for (const auto& underlay : peer.underlays)
    if (theirs(host(underlay.address)))
      spec.entries.push_back({host(underlay.address), EP_ROLE_PEER_UNDERLAY, id, 0, configured});
  for (const auto& backend : peer.backends)
    if (theirs(backend.prefix))
      spec.entries.push_back({backend.prefix, EP_ROLE_PEER_BACKEND, id,
                              identities.subnet({id, backend.prefix, backend.network}),
                              configured});
}

}  // namespace

void mark_relayed(const Relays& relays, std::vector<TableEntry>& entries) {
  std::multimap<unsigned, TableEntry, std::greater<>> narrower;  // by the subnet's length
  for (auto& entry : entries) {
    if (entry.role == EP_ROLE_PEER_UNDERLAY)
      entry.relayed =
          std::binary_search(relays.remotes.begin(), relays.remotes.end(), entry.prefix.address());
    if (entry.role != EP_ROLE_PEER_BACKEND) continue;
    const auto& subnet = entry.prefix;
    auto source = std::lower_bound(relays.sources.begin(), relays.sources.end(), subnet);
    for (; source != relays.sources.end() && subnet.contains(*source); ++source) {
      if (*source == subnet) {
        entry.relayed = true;
        continue;
      }
      auto& part = narrower.emplace(subnet.length(), entry)->second;
      part.prefix = *source;
      part.relayed = true;
    }
  }
  for (auto& [length, entry] : narrower) entries.push_back(std::move(entry));
}

TableSpec make_table_spec(const ConfigEnforce& enforce, const Topology& topology,
                          const Identities& identities, const std::vector<DevicePlan>& devices,
                          const std::vector<XfrmStateFact>& states, const Relays& relays) {
  TableSpec spec;
  // The first of two equal prefixes wins: what is ours, then peers, then whole networks.
  for (const auto& underlay : topology.self_underlays)
    spec.entries.push_back({host(underlay.address), EP_ROLE_SELF_UNDERLAY, 0, 0, true});
  for (const auto& backend : topology.self_backends)
    spec.entries.push_back({backend.prefix, EP_ROLE_SELF_BACKEND, 0, 0, true});
  const auto contested = find_contested(topology);
  for (const auto& peer : topology.peers) add_peer(peer, identities, contested, spec);
  mark_relayed(relays, spec.entries);
  for (const auto& network : topology.networks)
    for (const auto& prefix : network.prefixes)
      spec.entries.push_back({prefix, EP_ROLE_NETWORK, 0, 0, false, network.unknown_node});
  for (const auto& device : devices)
    for (const auto& rule : device.vlans)
      spec.vlans.push_back({device.ifindex, rule.vid, rule.ours ? EP_VLAN_OURS : EP_VLAN_CLAIMED});
  // AH and ESP without encryption prove integrity only.
  for (const auto& state : states)
    if (state.protocol == 51 || (state.protocol == 50 && state.null_encryption))
      spec.integrity_spis.push_back(state.spi);
  spec.limits[at(Reason::CLEARTEXT_HOST)] = enforce.cleartext_host;
  spec.limits[at(Reason::CLEARTEXT_TRANSIT)] = enforce.cleartext_transit;
  spec.limits[at(Reason::ESP_FOREIGN)] = enforce.esp_foreign;
  for (const auto& exemption : enforce.exempt)
    spec.exemptions.push_back({exemption.prefix, exemption.protocol, exemption.port});
  return spec;
}

}  // namespace espial
