// SPDX-License-Identifier: Apache-2.0
#include "sources/netlink/route_parse.h"

#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstdint>

namespace espial {
namespace {

constexpr std::uint16_t kMaxVid = 4094;

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
  if (link.kind == "bridge")
    for_each_attribute(data, [&](std::uint16_t type, Bytes payload) {
      if (type == IFLA_BR_VLAN_FILTERING)
        link.vlan_filtering = read_as<std::uint8_t>(payload).value_or(0) != 0;
    });
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

// RTA_METRICS: an attribute for each metric that is set.
unsigned read_mtu(Bytes metrics) {
  unsigned mtu = 0;
  for_each_attribute(metrics, [&](std::uint16_t type, Bytes payload) {
    if (type == RTAX_MTU) mtu = read_as<std::uint32_t>(payload).value_or(0);
  });
  return mtu;
}

// RTA_MULTIPATH: a run of rtnexthop, each followed by its own attributes.
void read_multipath(Family family, Bytes hops, const RouteFact& base, std::vector<RouteFact>& out) {
  while (const auto hop = read_as<rtnexthop>(hops)) {
    if (hop->rtnh_len < sizeof(rtnexthop) || hop->rtnh_len > hops.size()) return;
    RouteFact route = base;
    route.oif = (hop->rtnh_flags & RTNH_F_DEAD) != 0 ? 0 : hop->rtnh_ifindex;
    for_each_attribute(
        hops.subspan(sizeof(rtnexthop), hop->rtnh_len - sizeof(rtnexthop)),
        [&](std::uint16_t type, Bytes payload) { read_gateway(family, type, payload, route); });
    if (route.oif > 0) out.push_back(route);
    const auto step = netlink_align(hop->rtnh_len);
    if (step >= hops.size()) return;
    hops = hops.subspan(step);
  }
}

std::optional<RouteKind> route_kind(unsigned type) {
  switch (type) {
    case RTN_UNICAST:
      return RouteKind::kUnicast;
    case RTN_BLACKHOLE:
      return RouteKind::kBlackhole;
    case RTN_UNREACHABLE:
      return RouteKind::kUnreachable;
    case RTN_PROHIBIT:
      return RouteKind::kProhibit;
    case RTN_THROW:
      return RouteKind::kThrow;
    default:
      return std::nullopt;
  }
}

RuleAction rule_action(unsigned action) {
  switch (action) {
    case FR_ACT_TO_TBL:
      return RuleAction::kLookup;
    case FR_ACT_GOTO:
      return RuleAction::kGoto;
    case FR_ACT_NOP:
      return RuleAction::kNop;
    case FR_ACT_BLACKHOLE:
      return RuleAction::kBlackhole;
    case FR_ACT_UNREACHABLE:
      return RuleAction::kUnreachable;
    case FR_ACT_PROHIBIT:
      return RuleAction::kProhibit;
    default:
      return RuleAction::kOther;
  }
}

template <typename T>
std::string span_text(const char* what, const T& range) {
  const auto from = std::to_string(range.start);
  return std::string(what) + " " + from +
         (range.end == range.start ? "" : "-" + std::to_string(range.end));
}

// What a packet's addresses, devices and mark do not tell; empty: nothing of the kind.
std::string condition_of(std::uint16_t type, Bytes payload) {
  switch (type) {
    case FRA_UID_RANGE: {
      const auto range = read_as<fib_rule_uid_range>(payload);
      return range ? span_text("uidrange", *range) : std::string("uidrange");
    }
    case FRA_SPORT_RANGE:
    case FRA_DPORT_RANGE: {
      const char* what = type == FRA_SPORT_RANGE ? "sport" : "dport";
      const auto range = read_as<fib_rule_port_range>(payload);
      return range ? span_text(what, *range) : std::string(what);
    }
    case FRA_IP_PROTO:
      return "ipproto " + std::to_string(read_as<std::uint8_t>(payload).value_or(0));
    case FRA_TUN_ID:
      return "tun_id";
    case FRA_SUPPRESS_IFGROUP:
      if (read_as<std::int32_t>(payload).value_or(-1) < 0) return {};
      return "suppress_ifgroup";
    default:
      return type > FRA_DPORT_RANGE ? "condition " + std::to_string(type) : std::string();
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

std::optional<BridgeVlans> parse_bridge_vlans(Bytes message) {
  const auto body = body_of<ifinfomsg>(message);
  if (!body || body->fixed.ifi_family != AF_BRIDGE || body->fixed.ifi_index <= 0)
    return std::nullopt;
  BridgeVlans found{body->fixed.ifi_index, {}};
  std::uint16_t begin = 0;  // of a range, which two attributes describe
  for_each_attribute(body->attributes, [&](std::uint16_t spec, Bytes inside) {
    if ((spec & NLA_TYPE_MASK) != IFLA_AF_SPEC) return;
    for_each_attribute(inside, [&](std::uint16_t type, Bytes payload) {
      const auto info = read_as<bridge_vlan_info>(payload);
      if (type != IFLA_BRIDGE_VLAN_INFO || !info || info->vid == 0 || info->vid > kMaxVid) return;
      if ((info->flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) != 0) {
        begin = info->vid;
        return;
      }
      const bool range = (info->flags & BRIDGE_VLAN_INFO_RANGE_END) != 0 && begin != 0;
      for (std::uint16_t vid = range ? begin : info->vid; vid <= info->vid; ++vid)
        found.vids.push_back(vid);
      begin = 0;
    });
  });
  return found;
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
  if (!body || (body->fixed.rtm_flags & (RTM_F_CLONED | RTNH_F_DEAD)) != 0) return {};
  const auto kind = route_kind(body->fixed.rtm_type);
  if (!kind || body->fixed.rtm_tos != 0 || body->fixed.rtm_src_len != 0) return {};
  const auto family = family_of(body->fixed.rtm_family);
  if (!family) return {};
  RouteFact route;
  route.kind = *kind;
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
    if (type == RTA_METRICS) route.mtu = read_mtu(payload);
    read_gateway(*family, type, payload, route);
  });
  if (route.table == RT_TABLE_LOCAL || body->fixed.rtm_dst_len > destination.bits()) return {};
  route.destination = Prefix(destination, body->fixed.rtm_dst_len);
  std::vector<RouteFact> routes;
  if (route.kind != RouteKind::kUnicast) {
    route.oif = 0;  // of IPv6 the kernel names the loopback device
    route.gateway.reset();
    routes.push_back(route);
  } else if (!multipath.empty()) {
    read_multipath(*family, multipath, route, routes);
  } else if (route.oif > 0) {
    routes.push_back(route);
  }
  return routes;
}

std::optional<RuleFact> parse_rule(Bytes message) {
  const auto body = body_of<fib_rule_hdr>(message);
  const auto family = body ? family_of(body->fixed.family) : std::nullopt;
  if (!family) return std::nullopt;
  const auto& head = body->fixed;
  RuleFact rule;
  rule.action = rule_action(head.action);
  rule.table = head.table;
  rule.invert = (head.flags & FIB_RULE_INVERT) != 0;
  const std::array<std::uint8_t, 16> zero{};
  IpAddress source(*family, zero.data());
  IpAddress destination = source;
  bool masked = false;
  if (head.tos != 0) rule.conditions.push_back("tos " + std::to_string(head.tos));
  for_each_attribute(body->attributes, [&](std::uint16_t type, Bytes payload) {
    const auto number = read_as<std::uint32_t>(payload).value_or(0);
    if (type == FRA_SRC) source = read_address(*family, payload).value_or(source);
    if (type == FRA_DST) destination = read_address(*family, payload).value_or(destination);
    if (type == FRA_IIFNAME) rule.iif = read_text(payload);
    if (type == FRA_OIFNAME) rule.oif = read_text(payload);
    if (type == FRA_PRIORITY) rule.priority = number;
    if (type == FRA_GOTO) rule.target = number;
    if (type == FRA_TABLE) rule.table = number;
    if (type == FRA_FWMARK) rule.mark = number;
    if (type == FRA_FWMASK) {
      rule.mark_mask = number;
      masked = true;
    }
    if (type == FRA_L3MDEV) rule.l3mdev = read_as<std::uint8_t>(payload).value_or(0) != 0;
    if (type == FRA_SUPPRESS_PREFIXLEN) rule.suppress_length = static_cast<int>(number);
    if (auto condition = condition_of(type, payload); !condition.empty())
      rule.conditions.push_back(std::move(condition));
  });
  if (!masked && rule.mark != 0) rule.mark_mask = 0xffffffff;
  if (head.src_len > source.bits() || head.dst_len > destination.bits()) return std::nullopt;
  rule.source = Prefix(source, head.src_len);
  rule.destination = Prefix(destination, head.dst_len);
  return rule;
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
