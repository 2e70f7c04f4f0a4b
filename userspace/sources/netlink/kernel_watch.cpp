// SPDX-License-Identifier: Apache-2.0
#include "sources/netlink/kernel_watch.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <utility>

#include "sources/netlink/netlink_attributes.h"
#include "sources/netlink/route_parse.h"
#include "sources/netlink/xfrm_parse.h"

namespace espial {
namespace {

constexpr std::array<std::uint8_t, 2> kIpFamilies{AF_INET, AF_INET6};
constexpr int kEventBuffer = 4 * 1024 * 1024;

// Dumps of one type and address family into a vector; parse gives an optional or a vector. Answers
// of another family are dropped: a kernel without IPv6 answers with IPv4 instead.
template <typename Fact, typename Fixed, typename Parse>
Status dump_into(NetlinkSocket& socket, std::uint16_t request, std::uint16_t answer,
                 const Fixed& fixed, Parse parse, std::vector<Fact>& out) {
  const auto before = out.size();
  const auto family = bytes_of(fixed)[0];
  const auto restart = [&] { out.resize(before); };
  return socket.dump(request, bytes_of(fixed), restart, [&](const nlmsghdr& head, Bytes message) {
    if (head.nlmsg_type != answer || message.size() <= sizeof(nlmsghdr)) return;
    if (family != AF_UNSPEC && message[sizeof(nlmsghdr)] != family) return;
    for (auto& fact : parse(message)) out.push_back(std::move(fact));
  });
}

// An optional as a range of none or one.
template <auto kParse>
auto each(Bytes message) {
  auto fact = kParse(message);
  std::vector<std::decay_t<decltype(*fact)>> facts;
  if (fact) facts.push_back(std::move(*fact));
  return facts;
}

Status watch(int poll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) != 0)
    return Error{std::string("netlink events: epoll: ") + std::strerror(errno), Failure::kUnable};
  return Ok{};
}

Result<NetlinkSocket> open_events(int protocol, const char* name,
                                  std::initializer_list<unsigned> groups) {
  EP_ASSIGN(socket, NetlinkSocket::open(protocol, name));
  socket.want_receive_buffer(kEventBuffer);
  for (const auto group : groups) EP_TRY(socket.join(group));
  return socket;
}

void sort_unique(std::vector<int>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

void mark_all(Changes& changes) {
  changes.links = changes.addresses = changes.routes = changes.neighbours = true;
  changes.fdb = changes.policies = changes.states = changes.overrun = true;
}

}  // namespace

void note_route_event(const nlmsghdr& head, Bytes message, Changes& changes) {
  switch (head.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      if (const auto event = parse_link_event(message)) {
        changes.links = changes.routes = true;
        (event->gone ? changes.links_gone : changes.links_seen).push_back(event->ifindex);
      }
      return;
    case RTM_NEWADDR:
    case RTM_DELADDR:
      changes.addresses = changes.routes = true;
      return;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
    case RTM_NEWRULE:
    case RTM_DELRULE:
      changes.routes = true;
      return;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH: {
      const auto body = body_of<ndmsg>(message);
      (body && body->fixed.ndm_family == AF_BRIDGE ? changes.fdb : changes.neighbours) = true;
      return;
    }
    default:
      return;
  }
}

void note_xfrm_event(const nlmsghdr& head, Changes& changes) {
  switch (head.nlmsg_type) {
    case XFRM_MSG_NEWPOLICY:
    case XFRM_MSG_DELPOLICY:
    case XFRM_MSG_UPDPOLICY:
    case XFRM_MSG_POLEXPIRE:
    case XFRM_MSG_FLUSHPOLICY:
    case XFRM_MSG_MIGRATE:
    case XFRM_MSG_SETDEFAULT:
      changes.policies = true;
      return;
    case XFRM_MSG_NEWSA:
    case XFRM_MSG_DELSA:
    case XFRM_MSG_UPDSA:
    case XFRM_MSG_EXPIRE:
    case XFRM_MSG_FLUSHSA:
    case XFRM_MSG_ACQUIRE:
      changes.states = true;
      return;
    default:
      return;
  }
}

Result<KernelWatch> KernelWatch::open() {
  EP_ASSIGN(dumps, NetlinkSocket::open(NETLINK_ROUTE, "rtnetlink"));
  EP_ASSIGN(links, open_events(NETLINK_ROUTE, "rtnetlink", {RTNLGRP_LINK}));
  EP_ASSIGN(routes,
            open_events(NETLINK_ROUTE, "rtnetlink",
                        {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                         RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEIGH}));
  UniqueFd poll(epoll_create1(EPOLL_CLOEXEC));
  if (!poll.valid())
    return Error{std::string("netlink events: epoll: ") + std::strerror(errno), Failure::kUnable};
  EP_TRY(watch(poll.get(), links.fd()));
  EP_TRY(watch(poll.get(), routes.fd()));
  KernelWatch kernel(std::move(dumps), std::move(links), std::move(routes), std::move(poll));
  // Not readable yet is no failure: read_xfrm() tries again and says why.
  (void)kernel.open_xfrm();
  return kernel;
}

Status KernelWatch::open_xfrm() {
  if (!xfrm_dumps_) {
    EP_ASSIGN(dumps, NetlinkSocket::open(NETLINK_XFRM, "xfrm netlink"));
    xfrm_dumps_ = std::move(dumps);
  }
  if (!xfrm_events_) {
    EP_ASSIGN(events, open_events(NETLINK_XFRM, "xfrm netlink",
                                  {XFRMNLGRP_POLICY, XFRMNLGRP_SA, XFRMNLGRP_EXPIRE,
                                   XFRMNLGRP_MIGRATE, XFRMNLGRP_ACQUIRE}));
    EP_TRY(watch(poll_.get(), events.fd()));
    xfrm_events_ = std::move(events);
  }
  return Ok{};
}

Result<Changes> KernelWatch::drain() {
  Changes changes;
  const auto route = [&](const nlmsghdr& head, Bytes message) {
    note_route_event(head, message, changes);
  };
  bool complete = true;
  for (auto* socket : {&link_events_, &route_events_}) {
    EP_ASSIGN(all, socket->receive_events(route));
    complete = complete && all;
  }
  if (xfrm_events_) {
    EP_ASSIGN(all, xfrm_events_->receive_events(
                       [&](const nlmsghdr& head, Bytes) { note_xfrm_event(head, changes); }));
    complete = complete && all;
  }
  if (!complete) {
    ++overruns_;
    mark_all(changes);
  }
  sort_unique(changes.links_seen);
  sort_unique(changes.links_gone);
  return changes;
}

Result<std::vector<LinkFact>> KernelWatch::read_links() {
  std::vector<LinkFact> links;
  EP_TRY(dump_into(dumps_, RTM_GETLINK, RTM_NEWLINK, ifinfomsg{}, each<parse_link>, links));
  const auto filters = [](const LinkFact& link) { return link.vlan_filtering; };
  if (std::any_of(links.begin(), links.end(), filters)) EP_TRY(read_bridge_vlans(links));
  return links;
}

Status KernelWatch::read_bridge_vlans(std::vector<LinkFact>& links) {
  // Ranges as such: a trunk with all VLANs would be 4,094 attributes.
  struct {
    ifinfomsg fixed{};
    rtattr head{sizeof(rtattr) + sizeof(std::uint32_t), IFLA_EXT_MASK};
    std::uint32_t mask = RTEXT_FILTER_BRVLAN_COMPRESSED;
  } request;
  request.fixed.ifi_family = AF_BRIDGE;
  std::vector<BridgeVlans> vlans;
  EP_TRY(dump_into(dumps_, RTM_GETLINK, RTM_NEWLINK, request, each<parse_bridge_vlans>, vlans));
  for (auto& link : links) {
    for (const auto& one : vlans)
      if (one.ifindex == link.ifindex)
        link.bridge_vlans.insert(link.bridge_vlans.end(), one.vids.begin(), one.vids.end());
    std::sort(link.bridge_vlans.begin(), link.bridge_vlans.end());
    link.bridge_vlans.erase(std::unique(link.bridge_vlans.begin(), link.bridge_vlans.end()),
                            link.bridge_vlans.end());
  }
  return Ok{};
}

Result<std::vector<AddressFact>> KernelWatch::read_addresses() {
  std::vector<AddressFact> addresses;
  for (const auto family : kIpFamilies) {
    ifaddrmsg fixed{};
    fixed.ifa_family = family;
    EP_TRY(dump_into(dumps_, RTM_GETADDR, RTM_NEWADDR, fixed, each<parse_address>, addresses));
  }
  return addresses;
}

Result<std::vector<RouteFact>> KernelWatch::read_routes() {
  std::vector<RouteFact> routes;
  for (const auto family : kIpFamilies) {
    rtmsg fixed{};
    fixed.rtm_family = family;
    EP_TRY(dump_into(dumps_, RTM_GETROUTE, RTM_NEWROUTE, fixed, parse_route, routes));
  }
  return routes;
}

Result<std::vector<RuleFact>> KernelWatch::read_rules() {
  std::vector<RuleFact> rules;
  for (const auto family : kIpFamilies) {
    fib_rule_hdr fixed{};
    fixed.family = family;
    EP_TRY(dump_into(dumps_, RTM_GETRULE, RTM_NEWRULE, fixed, each<parse_rule>, rules));
  }
  return rules;
}

Result<std::vector<NeighbourFact>> KernelWatch::read_neighbours() {
  std::vector<NeighbourFact> neighbours;
  for (const auto family : kIpFamilies) {
    ndmsg fixed{};
    fixed.ndm_family = family;
    EP_TRY(dump_into(dumps_, RTM_GETNEIGH, RTM_NEWNEIGH, fixed, each<parse_neighbour>, neighbours));
  }
  return neighbours;
}

Result<std::vector<FdbFact>> KernelWatch::read_fdb() {
  std::vector<FdbFact> fdb;
  ndmsg fixed{};
  fixed.ndm_family = AF_BRIDGE;
  EP_TRY(dump_into(dumps_, RTM_GETNEIGH, RTM_NEWNEIGH, fixed, each<parse_fdb>, fdb));
  return fdb;
}

Status KernelWatch::dump_xfrm(KernelFacts& facts) {
  // Without events the dumps work all the same; without dumps nothing does.
  const auto opened = open_xfrm();
  if (!xfrm_dumps_) return opened.error();
  EP_TRY(xfrm_dumps_->dump(
      XFRM_MSG_GETPOLICY, {}, [&] { facts.policies.clear(); },
      [&](const nlmsghdr& head, Bytes message) {
        if (head.nlmsg_type != XFRM_MSG_NEWPOLICY) return;
        if (auto policy = parse_policy(message)) facts.policies.push_back(std::move(*policy));
      }));
  // Before 5.14 there is no such message, and everything is let through.
  facts.xfrm_defaults = {};
  (void)xfrm_dumps_->request(XFRM_MSG_GETDEFAULT, bytes_of(xfrm_userpolicy_default{}),
                             [&](const nlmsghdr& head, Bytes message) {
                               if (head.nlmsg_type != XFRM_MSG_GETDEFAULT) return;
                               facts.xfrm_defaults =
                                   parse_defaults(message).value_or(XfrmDefaults{});
                             });
  return dump_states(facts);
}

Status KernelWatch::dump_states(KernelFacts& facts) {
  return xfrm_dumps_->dump(
      XFRM_MSG_GETSA, {}, [&] { facts.states.clear(); },
      [&](const nlmsghdr& head, Bytes message) {
        if (head.nlmsg_type != XFRM_MSG_NEWSA) return;
        if (auto state = parse_state(message)) facts.states.push_back(std::move(*state));
      });
}

Status KernelWatch::refresh_states(KernelFacts& facts) {
  if (!xfrm_dumps_ || !facts.xfrm_readable) return Ok{};
  facts.states.clear();
  return dump_states(facts);
}

void KernelWatch::read_xfrm(KernelFacts& facts) {
  facts.policies.clear();
  facts.states.clear();
  const auto status = dump_xfrm(facts);
  facts.xfrm_readable = status.ok();
  facts.xfrm_reason = status.ok() ? "" : status.error().message;
  if (status.ok()) return;
  facts.policies.clear();
  facts.states.clear();
}

Result<KernelFacts> KernelWatch::read() {
  KernelFacts facts;
  Changes everything;
  mark_all(everything);
  EP_TRY(refresh(everything, facts));
  return facts;
}

Status KernelWatch::refresh(const Changes& changes, KernelFacts& facts) {
  if (changes.links) {
    EP_ASSIGN(links, read_links());
    facts.links = std::move(links);
  }
  if (changes.addresses) {
    EP_ASSIGN(addresses, read_addresses());
    facts.addresses = std::move(addresses);
  }
  if (changes.routes) {
    EP_ASSIGN(routes, read_routes());
    facts.routes = std::move(routes);
    // A kernel without multiple tables has none, and refuses the question.
    auto rules = read_rules();
    facts.rules = rules.ok() ? std::move(rules).value() : std::vector<RuleFact>();
  }
  if (changes.neighbours) {
    EP_ASSIGN(neighbours, read_neighbours());
    facts.neighbours = std::move(neighbours);
  }
  if (changes.fdb) {
    EP_ASSIGN(fdb, read_fdb());
    facts.fdb = std::move(fdb);
  }
  if (changes.policies || changes.states) read_xfrm(facts);
  return Ok{};
}

}  // namespace espial
