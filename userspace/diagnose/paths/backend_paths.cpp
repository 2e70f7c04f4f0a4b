// SPDX-License-Identifier: Apache-2.0
#include "diagnose/paths/backend_paths.h"

#include <algorithm>

#include "base/protocols.h"

namespace espial {
namespace {

constexpr unsigned kSample = 10;  // no network or router address

Packet between(const IpAddress& source, const IpAddress& destination) {
  Packet packet;
  packet.family = source.family();
  packet.source = source;
  packet.destination = destination;
  packet.mark = 0;
  packet.ct_mark = 0;
  packet.tracking = Tracking::kNew;
  packet.ipsec_in = Tri::kNo;
  packet.ipsec_out = Tri::kNo;
  return packet;
}

void comes_by(Packet& packet, const LinkFact* link) {
  packet.iif = link == nullptr ? std::nullopt : std::optional(link->name);
  if (link != nullptr) packet.iif_type = link->arphrd;
}

void leaves_by(Packet& packet, const LinkFact* link) {
  packet.oif = link == nullptr ? std::nullopt : std::optional(link->name);
  if (link != nullptr) packet.oif_type = link->arphrd;
}

void icmp(Packet& packet, std::uint8_t type_v4, std::uint8_t code_v4, std::uint8_t type_v6) {
  const bool v4 = packet.family == Family::kIpv4;
  packet.protocol = v4 ? 1 : 58;
  packet.icmp_type = v4 ? type_v4 : type_v6;
  packet.icmp_code = v4 ? code_v4 : 0;
}

void udp(Packet& packet, std::uint16_t port) {
  packet.protocol = kProtocolUdp;
  packet.source_port = port;
  packet.destination_port = port;
}

class Paths {
 public:
  Paths(const Topology& topology, const KernelFacts& facts, const RouteIndex& routes,
        const MeshAudit* audit)
      : topology_(topology), facts_(facts), routes_(routes), audit_(audit) {}

  std::vector<BackendPath> all() {
    for (const auto& peer : topology_.peers) {
      if (peer.state == PeerState::kCandidate) continue;
      for (const auto& own : topology_.self_backends)
        for (const auto& theirs : peer.backends)
          if (own.prefix.family() == theirs.prefix.family()) pods(peer, own.prefix, theirs.prefix);
      for (const auto& theirs : peer.underlays) underlay(peer, theirs.address);
    }
    return std::move(paths_);
  }

 private:
  const LinkFact* wire_to(const IpAddress& address) const {
    const auto* route = routes_.find(Prefix(address, address.bits()));
    return route == nullptr ? nullptr : routes_.link(route->oif);
  }

  // Where decrypted packets enter again: the XFRM or TUN device of the route, else where ESP comes.
  const LinkFact* reentry(const Peer& peer, const LinkFact* route_device) const {
    if (route_device->kind == "xfrm" || route_device->kind == "tun") return route_device;
    for (const auto& theirs : peer.underlays)
      if (const auto* device = wire_to(theirs.address)) return device;
    return nullptr;
  }

  Tri through_ipsec(const Peer& peer, const Prefix& own, const Prefix& theirs) const {
    const auto* judged = audit_ == nullptr ? nullptr : audit_->find(peer.name);
    if (judged == nullptr) return Tri::kUnknown;
    for (const auto& pair : judged->pairs) {
      if (pair.own != own || pair.theirs != theirs) continue;
      if (pair.verdict == PairVerdict::kProtected || pair.verdict == PairVerdict::kFailClosed)
        return Tri::kYes;
      if (pair.policy_missing[static_cast<std::size_t>(Direction::TRANSMIT)]) return Tri::kNo;
    }
    return Tri::kUnknown;
  }

  void pods(const Peer& peer, const Prefix& own, const Prefix& theirs) {
    const auto* bridge = routes_.holder(own);
    const auto* route = routes_.from_pods(own, theirs).unicast();
    const auto* wire = route == nullptr ? nullptr : routes_.link(route->oif);
    if (bridge == nullptr || wire == nullptr) return;
    const Tri ipsec = through_ipsec(peer, own, theirs);
    const auto pod = local_pod(facts_, bridge, own);

    auto out = between(pod, pod_sample(theirs));
    out.ipsec_out = ipsec;
    comes_by(out, bridge);
    leaves_by(out, wire);
    add_pods(peer, Direction::TRANSMIT, own, theirs, out);

    auto in = between(pod_sample(theirs), pod);
    in.ipsec_in = ipsec;
    comes_by(in, reentry(peer, wire));
    leaves_by(in, bridge);
    add_pods(peer, Direction::RECEIVE, theirs, own, in);
    if (ipsec == Tri::kYes) path_mtu_to_pods(peer, own, pod, bridge);
  }

  // ESP makes packets larger than pods know: this node tells them how large theirs may be
  // (ip_forward(), ip6_forward()).
  void path_mtu_to_pods(const Peer& peer, const Prefix& own, const IpAddress& pod,
                        const LinkFact* bridge) {
    for (const auto& address : facts_.addresses) {
      if (address.ifindex != bridge->ifindex || !own.contains(address.address)) continue;
      auto too_big = between(address.address, pod);
      icmp(too_big, 3, 4, 2);
      too_big.tracking = Tracking::kRelated;
      too_big.iif = "";
      leaves_by(too_big, bridge);
      add(PathKind::kPathMtu, Direction::TRANSMIT, peer, host(address.address), own, too_big,
          kSent);
      return;
    }
  }

  void add_pods(const Peer& peer, Direction direction, const Prefix& from, const Prefix& to,
                Packet packet) {
    icmp(packet, 8, 0, 128);
    add(PathKind::kPods, direction, peer, from, to, packet, kForwarded);
    packet.icmp_type.reset();
    packet.icmp_code.reset();
    packet.protocol = kProtocolTcp;
    packet.source_port.reset();
    packet.tcp_flags = kTcpSyn;
    add(PathKind::kPods, direction, peer, from, to, packet, kForwarded);
  }

  void underlay(const Peer& peer, const IpAddress& theirs) {
    const auto* wire = wire_to(theirs);
    if (wire == nullptr) return;
    for (const auto& own : topology_.self_underlays) {
      if (own.address.family() != theirs.family()) continue;
      both_ways(PathKind::kEsp, peer, own.address, theirs, wire,
                [](Packet& packet) { packet.protocol = kProtocolEsp; });
      for (const std::uint16_t port : {kPortIke, kPortNatT})
        both_ways(PathKind::kIke, peer, own.address, theirs, wire,
                  [&](Packet& packet) { udp(packet, port); });
      auto too_big = between(theirs, own.address);
      icmp(too_big, 3, 4, 2);
      too_big.tracking = Tracking::kRelated;
      comes_by(too_big, wire);
      add(PathKind::kPathMtu, Direction::RECEIVE, peer, host(theirs), host(own.address), too_big,
          kDelivered);
    }
  }

  // Either node speaks first, so what only a new connection may not do is no obstacle.
  template <class Change>
  void both_ways(PathKind kind, const Peer& peer, const IpAddress& own, const IpAddress& theirs,
                 const LinkFact* wire, Change change) {
    auto out = between(own, theirs);
    out.tracking = Tracking::kNew;
    out.iif = "";
    leaves_by(out, wire);
    change(out);
    add(kind, Direction::TRANSMIT, peer, host(own), host(theirs), out, kSent);
    auto in = between(theirs, own);
    in.tracking = Tracking::kEstablished;
    comes_by(in, wire);
    in.oif = "";
    change(in);
    add(kind, Direction::RECEIVE, peer, host(theirs), host(own), in, kDelivered);
  }

  static Prefix host(const IpAddress& address) { return Prefix(address, address.bits()); }

  void add(PathKind kind, Direction direction, const Peer& peer, const Prefix& from,
           const Prefix& to, const Packet& packet, std::span<const WalkStep> steps) {
    paths_.push_back({kind, direction, peer.name, from, to, packet, steps});
  }

  const Topology& topology_;
  const KernelFacts& facts_;
  const RouteIndex& routes_;
  const MeshAudit* audit_;
  std::vector<BackendPath> paths_;
};

}  // namespace

IpAddress local_pod(const KernelFacts& facts, const LinkFact* device, const Prefix& subnet) {
  if (device != nullptr)
    for (const auto& neighbour : facts.neighbours)
      if (neighbour.ifindex == device->ifindex && subnet.contains(neighbour.address))
        return neighbour.address;
  return pod_sample(subnet);
}

IpAddress pod_sample(const Prefix& subnet) {
  auto bytes = subnet.address().bytes();
  const std::size_t last = subnet.family() == Family::kIpv4 ? 3 : 15;
  if (subnet.address().bits() - subnet.length() >= 4)
    bytes[last] = static_cast<std::uint8_t>(bytes[last] | kSample);
  return IpAddress(subnet.family(), bytes.data());
}

std::vector<BackendPath> backend_paths(const Topology& topology, const KernelFacts& facts,
                                       const RouteIndex& routes, const MeshAudit* audit) {
  return Paths(topology, facts, routes, audit).all();
}

}  // namespace espial
