// SPDX-License-Identifier: Apache-2.0
#include "sources/netlink/backstop_socket.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/system_error.h"
#include "sources/netlink/netlink_attributes.h"
#include "sources/netlink/xfrm_address.h"

namespace espial {
namespace {

constexpr std::uint32_t kBlockPriority = 0xFFFFFFFF;
constexpr std::uint32_t kPassPriority = kBlockPriority - 1;
// No user has such a number: an espial placed it. Below are 24 bits of the instance.
constexpr std::uint32_t kTagMark = 0xE5000000;
constexpr std::uint32_t kTagMarkBits = 0xFF000000;

std::uint8_t direction_of(PolicyDirection direction) {
  switch (direction) {
    case PolicyDirection::kIn:
      return XFRM_POLICY_IN;
    case PolicyDirection::kOut:
      return XFRM_POLICY_OUT;
    case PolicyDirection::kForward:
      return XFRM_POLICY_FWD;
  }
  return XFRM_POLICY_OUT;
}

std::optional<PolicyDirection> direction_from(std::uint8_t direction) {
  for (const auto d : {PolicyDirection::kIn, PolicyDirection::kOut, PolicyDirection::kForward})
    if (direction_of(d) == direction) return d;
  return std::nullopt;
}

xfrm_selector selector_of(const BackstopSelector& from, std::uint32_t tag) {
  xfrm_selector sel{};
  sel.family = from.source.family() == Family::kIpv4 ? AF_INET : AF_INET6;
  sel.saddr = to_xfrm(from.source.address());
  sel.prefixlen_s = static_cast<std::uint8_t>(from.source.length());
  sel.daddr = to_xfrm(from.destination.address());
  sel.prefixlen_d = static_cast<std::uint8_t>(from.destination.length());
  sel.user = tag;
  if (from.icmp.protocol == 0) return sel;
  // Type and code stand where other protocols have ports.
  sel.proto = from.icmp.protocol;
  sel.sport = htons(from.icmp.type);
  sel.dport = htons(from.icmp.code);
  sel.sport_mask = sel.dport_mask = 0xFFFF;
  return sel;
}

std::string selector_text(const BackstopSelector& selector) {
  return selector.source.text() + " -> " + selector.destination.text();
}

Error refused(const BackstopSelector& selector, const char* operation, int code) {
  return system_error("xfrm policy " + selector_text(selector), operation, code,
                      code == EPERM ? " (needs CAP_NET_ADMIN)" : "");
}

}  // namespace

std::uint32_t backstop_tag(std::string_view instance) {
  std::uint32_t hash = 0x811c9dc5;  // FNV-1a
  for (const char c : instance) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x01000193;
  return kTagMark | ((hash ^ (hash >> 24)) & ~kTagMarkBits);
}

bool is_backstop(const xfrm_userpolicy_info& info) {
  return (static_cast<std::uint32_t>(info.sel.user) & kTagMarkBits) == kTagMark &&
         info.priority >= kPassPriority;
}

xfrm_userpolicy_info backstop_message(const BackstopSelector& selector, std::uint32_t tag,
                                      std::optional<std::chrono::seconds> left) {
  xfrm_userpolicy_info info{};
  info.sel = selector_of(selector, tag);
  info.lft.soft_byte_limit = info.lft.hard_byte_limit = XFRM_INF;
  info.lft.soft_packet_limit = info.lft.hard_packet_limit = XFRM_INF;
  if (left)
    info.lft.hard_add_expires_seconds =
        static_cast<std::uint64_t>(std::max<std::int64_t>(left->count(), 1));
  info.priority = selector.allow ? kPassPriority : kBlockPriority;
  info.dir = direction_of(selector.direction);
  info.action = selector.allow ? XFRM_POLICY_ALLOW : XFRM_POLICY_BLOCK;
  info.share = XFRM_SHARE_ANY;
  return info;
}

std::optional<PlacedBackstop> parse_backstop(Bytes message, std::uint32_t tag) {
  const auto body = body_of<xfrm_userpolicy_info>(message);
  if (!body) return std::nullopt;
  const auto& info = body->fixed;
  const auto family = family_of(info.sel.family);
  const auto direction = direction_from(info.dir);
  if (!is_backstop(info) || info.sel.user != tag || !family || !direction) return std::nullopt;
  const auto source = from_xfrm(*family, info.sel.saddr, info.sel.prefixlen_s);
  const auto destination = from_xfrm(*family, info.sel.daddr, info.sel.prefixlen_d);
  if (!source || !destination) return std::nullopt;
  PlacedBackstop placed;
  placed.selector = {*direction, *source, *destination, {}, info.action == XFRM_POLICY_ALLOW};
  if (info.sel.proto != 0)
    placed.selector.icmp = {info.sel.proto, static_cast<std::uint8_t>(ntohs(info.sel.sport)),
                            static_cast<std::uint8_t>(ntohs(info.sel.dport))};
  // Whatever else it says: it would not be ours to delete.
  const auto ours = selector_of(placed.selector, tag);
  if (std::memcmp(&ours, &info.sel, sizeof ours) != 0) return std::nullopt;
  if (info.lft.hard_add_expires_seconds != 0)
    placed.expires = std::chrono::seconds(info.curlft.add_time + info.lft.hard_add_expires_seconds);
  return placed;
}

Result<BackstopSocket> BackstopSocket::open(std::string_view instance) {
  EP_ASSIGN(socket, NetlinkSocket::open(NETLINK_XFRM, "xfrm netlink"));
  return BackstopSocket(std::move(socket), backstop_tag(instance));
}

Result<std::vector<PlacedBackstop>> BackstopSocket::read() {
  std::vector<PlacedBackstop> placed;
  EP_TRY(socket_.dump(
      XFRM_MSG_GETPOLICY, {}, [&] { placed.clear(); },
      [&](const nlmsghdr& head, Bytes message) {
        if (head.nlmsg_type != XFRM_MSG_NEWPOLICY) return;
        if (auto policy = parse_backstop(message, tag_)) placed.push_back(std::move(*policy));
      }));
  return placed;
}

Status BackstopSocket::put(const BackstopSelector& selector,
                           std::optional<std::chrono::seconds> left) {
  const auto info = backstop_message(selector, tag_, left);
  EP_ASSIGN(code, socket_.request(XFRM_MSG_UPDPOLICY, bytes_of(info)));
  if (code != 0) return refused(selector, "place", code);
  return Ok{};
}

Status BackstopSocket::remove(const BackstopSelector& selector) {
  xfrm_userpolicy_id id{};
  id.sel = selector_of(selector, tag_);
  id.dir = direction_of(selector.direction);
  EP_ASSIGN(code, socket_.request(XFRM_MSG_DELPOLICY, bytes_of(id)));
  if (code != 0 && code != ENOENT) return refused(selector, "remove", code);
  return Ok{};
}

}  // namespace espial
