// SPDX-License-Identifier: Apache-2.0
#include "daemon/instance/now.h"

#include <chrono>
#include <fstream>
#include <utility>

#include "sources/proc/xfrm_stat.h"

namespace espial {
namespace {

Result<std::vector<PeerSnapshot>> counted_peers(const CounterSource& from,
                                                const Topology& topology) {
  std::vector<PeerSnapshot> peers;
  for (const auto& [name, id] : from.identities.peers()) {
    EP_ASSIGN(counters, from.reader.peer(from.maps, id));
    const auto* known = topology.find(name);
    PeerSnapshot entry{known ? *known : Peer{}, counters};
    entry.peer.name = name;
    peers.push_back(std::move(entry));
  }
  return peers;
}

}  // namespace

Result<PeerCounters> counters_now(const CounterSource& from, const std::string& peer) {
  const auto id = from.identities.peer(peer);
  if (id == 0) return PeerCounters{};
  return from.reader.peer(from.maps, id);
}

Result<std::vector<PeerSnapshot>> peers_now(const CounterSource& from, const Topology& topology) {
  std::vector<PeerSnapshot> peers;
  peers.reserve(topology.peers.size());
  for (const auto& peer : topology.peers) {
    EP_ASSIGN(counters, counters_now(from, peer.name));
    peers.push_back({peer, std::move(counters)});
  }
  return peers;
}

Result<Snapshot> snapshot_now(const CounterSource& from, SnapshotOf of) {
  Snapshot snapshot;
  snapshot.time = std::chrono::system_clock::now();
  snapshot.monotonic = std::chrono::steady_clock::now();
  snapshot.node = of.topology.node;
  snapshot.instance = of.instance;
  snapshot.daemon = of.daemon;
  EP_ASSIGN(peers, of.daemon ? peers_now(from, of.topology) : counted_peers(from, of.topology));
  snapshot.peers = std::move(peers);
  EP_ASSIGN(no_peer, from.reader.peer(from.maps, 0));
  snapshot.no_peer = no_peer;
  EP_ASSIGN(networks, from.reader.networks(from.maps, from.identities));
  snapshot.networks = std::move(networks);
  EP_TRY(from.reader.node(from.maps, snapshot));
  snapshot.devices = std::move(of.devices);
  snapshot.backstop = std::move(of.backstop);
  snapshot.sources = std::move(of.sources);
  snapshot.findings = of.topology.findings;
  snapshot.mesh = std::move(of.mesh);
  if (auto errors = read_xfrm_stat(); errors.ok()) snapshot.xfrm_errors = std::move(*errors);
  return snapshot;
}

MeshAudit audit_now(const Topology& topology, const KernelFacts& facts, const CharonFacts& charon,
                    const OpensvcFacts& opensvc, PodNat* nat) {
  using Clock = std::chrono::system_clock;
  const auto explain = [&](const Peer& peer, const Prefix& own, const Prefix& theirs) {
    if (!charon.readable) return std::string();
    std::vector<IpAddress> underlays;
    for (const auto& underlay : peer.underlays) underlays.push_back(underlay.address);
    return explain_pair(charon, own, theirs, underlays).value_or(std::string());
  };
  AuditInput input{.topology = topology,
                   .facts = facts,
                   .now = static_cast<std::uint64_t>(Clock::to_time_t(Clock::now())),
                   .nat_before_ipsec = {},
                   .explain = explain,
                   .opensvc = &opensvc};
  if (nat != nullptr)
    input.nat_before_ipsec = [&](const RouteIndex& routes, const Prefix& own,
                                 const Prefix& theirs) {
      return nat->judge(facts, routes, own, theirs);
    };
  auto audit = audit_mesh(input);
  audit.nat_unchecked = nat == nullptr ? "the firewall has not been read yet" : nat->unread();
  return audit;
}

Moment this_moment() {
  Moment now{std::chrono::system_clock::now(), std::chrono::steady_clock::now(), {}};
  std::ifstream("/proc/sys/kernel/random/boot_id") >> now.boot;
  return now;
}

}  // namespace espial
