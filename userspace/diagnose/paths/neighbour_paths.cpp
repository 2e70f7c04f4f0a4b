// SPDX-License-Identifier: Apache-2.0
#include "diagnose/paths/backend_paths.h"

#include <algorithm>

#include "base/protocols.h"

namespace espial {
namespace {

constexpr std::uint8_t kSolicitation = 135;
constexpr std::uint8_t kAdvertisement = 136;
constexpr std::uint8_t kHopLimit = 255;  // RFC 4861: what else came through a router

// ff02::1:ffXX:XXXX with the last 24 bits of the address (RFC 4291, 2.7.1).
IpAddress solicited_node(const IpAddress& address) {
  std::array<std::uint8_t, 16> bytes{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  std::copy(address.bytes().begin() + 13, address.bytes().end(), bytes.begin() + 13);
  return {Family::kIpv6, bytes.data()};
}

struct Talk {
  std::string peer;
  IpAddress here;
  IpAddress there;
  const LinkFact* device = nullptr;
};

Packet frame(const Talk& talk, bool comes) {
  Packet packet;
  packet.family = talk.here.family();
  packet.source = comes ? talk.there : talk.here;
  packet.destination = comes ? talk.here : talk.there;
  packet.iif = comes ? talk.device->name : "";
  packet.oif = comes ? "" : talk.device->name;
  (comes ? packet.iif_type : packet.oif_type) = talk.device->arphrd;
  packet.mark = 0;
  packet.ct_mark = 0;
  // nf_conntrack_proto_icmpv6.c leaves neighbour discovery alone; ARP has no connections.
  packet.tracking = Tracking::kUntracked;
  packet.ipsec_in = Tri::kNo;
  packet.ipsec_out = Tri::kNo;
  return packet;
}

void add_talk(const Talk& talk, bool comes, Packet packet, std::vector<BackendPath>& out) {
  const Prefix here(talk.here, talk.here.bits());
  const Prefix there(talk.there, talk.there.bits());
  out.push_back({PathKind::kNeighbours, comes ? Direction::RECEIVE : Direction::TRANSMIT, talk.peer,
                 comes ? there : here, comes ? here : there, std::move(packet),
                 comes ? std::span<const WalkStep>(kDelivered) : kSent});
}

// The question comes and its answer goes, and the other way round.
void both_ways(const Talk& talk, std::vector<BackendPath>& out) {
  if (talk.device->arphrd != kArphrdEther) return;
  for (const bool comes : {true, false}) {
    auto packet = frame(talk, comes);
    if (talk.here.family() == Family::kIpv4) {
      packet.arp = true;
      add_talk(talk, comes, packet, out);
      continue;
    }
    packet.protocol = kProtocolIcmpv6;
    packet.icmp_code = 0;
    packet.hop_limit = kHopLimit;
    packet.icmp_type = kAdvertisement;
    add_talk(talk, comes, packet, out);
    packet.icmp_type = kSolicitation;
    packet.destination = solicited_node(*packet.destination);
    add_talk(talk, comes, packet, out);
  }
}

}  // namespace

std::vector<BackendPath> neighbour_paths(const Topology& topology, const KernelFacts& facts,
                                         const RouteIndex& routes) {
  std::vector<BackendPath> out;
  for (const auto& own : topology.self_backends) {
    const auto* bridge = routes.holder(own.prefix);
    if (bridge == nullptr) continue;
    for (const auto& address : facts.addresses)
      if (address.ifindex == bridge->ifindex && own.prefix.contains(address.address)) {
        both_ways({{}, address.address, local_pod(facts, bridge, own.prefix), bridge}, out);
        break;
      }
  }
  for (const auto& peer : topology.peers) {
    if (peer.state == PeerState::kCandidate) continue;
    for (const auto& theirs : peer.underlays) {
      const auto* route = routes.find(Prefix(theirs.address, theirs.address.bits()));
      const auto* wire = route == nullptr ? nullptr : routes.link(route->oif);
      if (wire == nullptr) continue;
      for (const auto& own : topology.self_underlays)
        if (own.address.family() == theirs.address.family())
          both_ways({peer.name, own.address, route->gateway.value_or(theirs.address), wire}, out);
    }
  }
  return out;
}

}  // namespace espial
