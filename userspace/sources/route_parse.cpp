// SPDX-License-Identifier: Apache-2.0
#include "sources/route_parse.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstdint>

namespace espial {
namespace {

// The meaning of IFLA_INFO_DATA depends on the kind, and so does the family of the addresses.
std::optional<TunnelEnds> read_tunnel(const std::string& kind, Bytes data) {
  const bool gre = kind == "gre" || kind == "ip6gre";
  const bool v6 = kind == "ip6tnl" || kind == "ip6gre";
  if (!gre && !v6 && kind != "ipip" && kind != "sit") return std::nullopt;
  const Family family = v6 ? Family::kIpv6 : Family::kIpv4;
  const std::uint16_t local = gre ? int{IFLA_GRE_LOCAL} : int{IFLA_IPTUN_LOCAL};
  const std::uint16_t remote = gre ? int{IFLA_GRE_REMOTE} : int{IFLA_IPTUN_REMOTE};
  const std::array<std::uint8_t, 16> zero{};
  TunnelEnds ends{IpAddress(family, zero.data()), IpAddress(family, zero.data()), gre};
  for_each_attribute(data, [&](std::uint16_t type, Bytes payload) {
    if (type == local) ends.local = read_address(family, payload).value_or(ends.local);
    if (type == remote) ends.remote = read_address(family, payload).value_or(ends.remote);
  });
  if (ends.remote.unspecified()) return std::nullopt;  // many ends, or those of each packet
  return ends;
}

// IFLA_LINKINFO: { KIND, DATA { IFLA_VLAN_ID }, SLAVE_KIND }
void read_link_info(Bytes info, LinkFact& link) {
  Bytes data;
  for_each_attribute(info, [&](std::uint16_t type, Bytes payload) {
    if (type == IFLA_INFO_KIND) link.kind = read_text(payload);
    if (type == IFLA_INFO_SLAVE_KIND) link.slave_kind = read_text(payload);
    if (type == IFLA_INFO_DATA) data = payload;
  });
  link.tunnel = read_tunnel(link.kind, data);
  if (link.kind != "vlan") return;
  for_each_attribute(data, [&](std::uint16_t type, Bytes payload) {
    if (type == IFLA_VLAN_ID) link.vlan_id = read_as<std::uint16_t>(payload).value_or(0);
  });
}

std::optional<IpAddress> read_via(Bytes payload) {
  const auto family = read_as<std::uint16_t>(payload);
  const auto known = family ? family_of(*family) : std::nullopt;
  return known ? read_address(*known, payload.subspan(sizeof(std::uint16_t))) : std::nullopt;
}

// RTA_GATEWAY or RTA_VIA (a gateway of the other family).
void read_gateway(Family family, std::uint16_t type, Bytes payload, RouteFact& route) {
  if (type == RTA_GATEWAY) route.gateway = read_address(family, payload);
  if (type == RTA_VIA) route.gateway = read_via(payload);
}

// RTA_MULTIPATH: a run of rtnexthop, each followed by its own attributes.
void read_multipath(Family family, Bytes hops, const RouteFact& base, std::vector<RouteFact>& out) {
  while (const auto hop = read_as<rtnexthop>(hops)) {
    if (hop->rtnh_len < sizeof(rtnexthop) || hop->rtnh_len > hops.size()) return;
    RouteFact route = base;
    route.oif = hop->rtnh_ifindex;
    for_each_attribute(
        hops.subspan(sizeof(rtnexthop), hop->rtnh_len - sizeof(rtnexthop)),
        [&](std::uint16_t type, Bytes payload) { read_gateway(family, type, payload, route); });
    if (route.oif > 0) out.push_back(route);
    const auto step = netlink_align(hop->rtnh_len);
    if (step >= hops.size()) return;
    hops = hops.subspan(step);
  }
}

constexpr std::uint16_t kUsable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;

}  // namespace

std::optional<LinkFact> parse_link(Bytes message) {
  const auto body = body_of<ifinfomsg>(message);
  if (!body || body->fixed.ifi_family == AF_BRIDGE || body->fixed.ifi_index <= 0)
    return std::nullopt;
  LinkFact link;
  link.ifindex = body->fixed.ifi_index;
  link.arphrd = body->fixed.ifi_type;
  link.up = (body->fixed.ifi_flags & IFF_UP) != 0;
  for_each_attribute(body->attributes, [&](std::uint16_t type, Bytes payload) {
    const auto number = read_as<std::int32_t>(payload).value_or(0);
    if (type == IFLA_IFNAME) link.name = read_text(payload);
    if (type == IFLA_MTU) link.mtu = number;
    if (type == IFLA_MASTER) link.master = number;
    if (type == IFLA_LINK) link.lower = number;
    if (type == IFLA_LINK_NETNSID) link.lower_elsewhere = true;
    if (type == IFLA_ADDRESS) link.mac = read_mac(payload).value_or(Mac{});
    if (type == IFLA_LINKINFO) read_link_info(payload, link);
  });
  if (link.lower_elsewhere || link.lower == link.ifindex) link.lower = 0;
  if (link.name.empty()) return std::nullopt;
  return link;
}

std::optional<LinkEvent> parse_link_event(Bytes message) {
  const auto head = read_as<nlmsghdr>(message);
  const auto body = body_of<ifinfomsg>(message);
  if (!head || !body || body->fixed.ifi_index <= 0) return std::nullopt;
  if (head->nlmsg_type != RTM_NEWLINK && head->nlmsg_type != RTM_DELLINK) return std::nullopt;
  const bool gone = head->nlmsg_type == RTM_DELLINK && body->fixed.ifi_family != AF_BRIDGE;
  return LinkEvent{body->fixed.ifi_index, gone};
}

std::optional<AddressFact> parse_address(Bytes message) {
  const auto body = body_of<ifaddrmsg>(message);
  if (!body) return std::nullopt;
  const auto family = family_of(body->fixed.ifa_family);
  if (!family) return std::nullopt;
  // On point-to-point links IFA_ADDRESS is the other end and IFA_LOCAL is ours.
  std::optional<IpAddress> local;
  std::optional<IpAddress> address;
  for_each_attribute(body->attributes, [&](std::uint16_t type, Bytes payload) {
    if (type == IFA_LOCAL) local = read_address(*family, payload);
    if (type == IFA_ADDRESS) address = read_address(*family, payload);
  });
  if (!local) local = address;
  if (!local || body->fixed.ifa_prefixlen > local->bits()) return std::nullopt;
  return AddressFact{static_cast<int>(body->fixed.ifa_index), *local, body->fixed.ifa_prefixlen};
}

std::vector<RouteFact> parse_route(Bytes message) {
  const auto body = body_of<rtmsg>(message);
  if (!body || body->fixed.rtm_type != RTN_UNICAST || (body->fixed.rtm_flags & RTM_F_CLONED) != 0)
    return {};
  const auto family = family_of(body->fixed.rtm_family);
  if (!family) return {};
  RouteFact route;
  route.table = body->fixed.rtm_table;
  const std::array<std::uint8_t, 16> zero{};
  IpAddress destination(*family, zero.data());  // no RTA_DST: the default route
  Bytes multipath;
  for_each_attribute(body->attributes, [&](std::uint16_t type, Bytes payload) {
    if (type == RTA_DST) destination = read_address(*family, payload).value_or(destination);
    if (type == RTA_OIF) route.oif = read_as<std::int32_t>(payload).value_or(0);
    if (type == RTA_TABLE) route.table = read_as<std::uint32_t>(payload).value_or(route.table);
    if (type == RTA_PRIORITY) route.metric = read_as<std::uint32_t>(payload).value_or(0);
    if (type == RTA_MULTIPATH) multipath = payload;
    if (type == RTA_PREFSRC) route.preferred_source = read_address(*family, payload);
    read_gateway(*family, type, payload, route);
  });
  if (route.table == RT_TABLE_LOCAL || body->fixed.rtm_dst_len > destination.bits()) return {};
  route.destination = Prefix(destination, body->fixed.rtm_dst_len);
  std::vector<RouteFact> routes;
  if (!multipath.empty()) {
    read_multipath(*family, multipath, route, routes);
  } else if (route.oif > 0) {
    routes.push_back(route);
  }
  return routes;
}

std::optional<NeighbourFact> parse_neighbour(Bytes message) {
  const auto body = body_of<ndmsg>(message);
  if (!body || (body->fixed.ndm_state & kUsable) == 0 || body->fixed.ndm_ifindex <= 0)
    return std::nullopt;
  const auto family = family_of(body->fixed.ndm_family);
  if (!family) return std::nullopt;
  std::optional<IpAddress> address;
  std::optional<Mac> mac;
  for_each_attribute(body->attributes, [&](std::uint16_t type, Bytes payload) {
    if (type == NDA_DST) address = read_address(*family, payload);
    if (type == NDA_LLADDR) mac = read_mac(payload);
  });
  if (!address || !mac) return std::nullopt;
  return NeighbourFact{body->fixed.ndm_ifindex, *address, *mac};
}

std::optional<FdbFact> parse_fdb(Bytes message) {
  const auto body = body_of<ndmsg>(message);
  if (!body || body->fixed.ndm_family != AF_BRIDGE || body->fixed.ndm_ifindex <= 0)
    return std::nullopt;
  int bridge = 0;
  std::optional<Mac> mac;
  for_each_attribute(body->attributes, [&](std::uint16_t type, Bytes payload) {
    if (type == NDA_MASTER) bridge = read_as<std::int32_t>(payload).value_or(0);
    if (type == NDA_LLADDR) mac = read_mac(payload);
  });
  if (bridge <= 0 || !mac) return std::nullopt;
  return FdbFact{bridge, body->fixed.ndm_ifindex, *mac,
                 (body->fixed.ndm_state & NUD_PERMANENT) != 0};
}

}  // namespace espial
