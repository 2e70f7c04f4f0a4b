// SPDX-License-Identifier: Apache-2.0
// Facts as short values: addr("10.0.0.1"), net("10.0.0.0/24"), and a builder of a node's devices.
#pragma once

#include <string>
#include <utility>

#include "base/ip.h"
#include "model/facts/facts.h"
#include "model/topology.h"

namespace espial::test {

inline IpAddress addr(const std::string& text) { return IpAddress::parse(text).value(); }
inline Prefix net(const std::string& text) { return Prefix::parse(text).value(); }
inline Mac mac(std::uint8_t last) { return {0x02, 0, 0, 0, 0, last}; }

struct Node {
  KernelFacts facts;

  // A link; kind as the kernel spells it. Change more of it through the returned reference.
  LinkFact& link(int ifindex, const std::string& name, const std::string& kind = "",
                 int master = 0) {
    LinkFact fact;
    fact.ifindex = ifindex;
    fact.name = name;
    fact.kind = kind;
    fact.master = master;
    fact.up = true;
    return facts.links.emplace_back(fact);
  }
  // The host's end of a pod's or of the lab's veth pair.
  void veth(int ifindex, const std::string& name, int master = 0) {
    link(ifindex, name, "veth", master).lower_elsewhere = true;
  }
  void vlan(int ifindex, const std::string& name, int lower, int vid, int master = 0) {
    auto& fact = link(ifindex, name, "vlan", master);
    fact.lower = lower;
    fact.vlan_id = vid;
  }
  void address(int ifindex, const std::string& with_length) {
    const auto prefix = Prefix::parse(with_length, true).value();
    const auto host = addr(with_length.substr(0, with_length.find('/')));
    facts.addresses.push_back({ifindex, host, prefix.length()});
    if (!host.link_local()) facts.routes.push_back({prefix, ifindex, {}, 254, 0, {}});
  }
  void route(const std::string& destination, const std::string& gateway, int oif) {
    facts.routes.push_back({net(destination), oif, addr(gateway), 254, 0, {}});
  }
  void neighbour(int ifindex, const std::string& address, Mac its_mac) {
    facts.neighbours.push_back({ifindex, addr(address), its_mac});
  }
  void fdb(int bridge, int port, Mac its_mac) {
    facts.fdb.push_back({bridge, port, its_mac, false});
  }
};

inline XfrmPolicyFact policy(PolicyDirection direction, const std::string& source,
                             const std::string& destination, const std::string& from,
                             const std::string& to, std::uint32_t reqid) {
  XfrmPolicyFact fact;
  fact.direction = direction;
  fact.source = net(source);
  fact.destination = net(destination);
  fact.has_template = true;
  fact.template_protocol = 50;
  fact.template_source = addr(from);
  fact.template_destination = addr(to);
  fact.reqid = reqid;
  return fact;
}

// The three policies that charon installs for one child.
inline void add_tunnel(KernelFacts& facts, const std::string& own, const std::string& peer,
                       const std::string& self, const std::string& remote, std::uint32_t reqid) {
  facts.policies.push_back(policy(PolicyDirection::kOut, own, peer, self, remote, reqid));
  facts.policies.push_back(policy(PolicyDirection::kIn, peer, own, remote, self, reqid));
  facts.policies.push_back(policy(PolicyDirection::kForward, peer, own, remote, self, reqid));
}

inline XfrmStateFact state(const std::string& from, const std::string& to, std::uint32_t spi,
                           std::uint32_t reqid) {
  XfrmStateFact fact;
  fact.source = addr(from);
  fact.destination = addr(to);
  fact.spi = spi;
  fact.reqid = reqid;
  return fact;
}

// The example mesh as node1 knows it: 10.45.0.11 with 10.101.1.0/24, peers node2 and node3.
inline Topology mesh() {
  Topology topology;
  topology.node = "node1";
  topology.self_underlays = {{addr("10.45.0.11"), Origin::kFile}};
  topology.self_backends = {{net("10.101.1.0/24"), "backendnet", Origin::kFile}};
  for (const std::string n : {"2", "3"}) {
    Peer peer;
    peer.name = "node" + n;
    peer.state = PeerState::kConfigured;
    peer.from = Origin::kFile;
    peer.underlays = {{addr("10.45.0.1" + n), Origin::kFile}};
    peer.backends = {{net("10.101." + n + ".0/24"), "backendnet", Origin::kFile}};
    topology.peers.push_back(peer);
  }
  return topology;
}

}  // namespace espial::test
