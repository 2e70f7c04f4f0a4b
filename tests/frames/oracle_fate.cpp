// SPDX-License-Identifier: Apache-2.0
// The oracle's reading of the rows of enforcement, from the table in README.md.
#include <algorithm>
#include <utility>
#include <vector>

#include "frames/oracle.h"
#include "frames/oracle_case.h"
#include "frames/oracle_content.h"
#include "frames/oracle_walk.h"

namespace espial::frames {
namespace {

std::optional<Reason> reason_of(const Input& input, const OracleVerdict& v) {
  if (v.klass == Class::UNKNOWN_NODE) return Reason::UNKNOWN_NODE;
  if (v.klass == Class::TOO_DEEP) return Reason::TOO_DEEP;
  if (v.klass == Class::CLEARTEXT_SPOOFED) return Reason::SPOOFED;
  if (v.peer == 0) return std::nullopt;
  if (v.klass == Class::ESP_FOREIGN)
    return input.direction == Direction::TRANSMIT ? std::optional(Reason::ESP_FOREIGN)
                                                  : std::nullopt;
  for (const auto& [klass, reason] : {std::pair{Class::CLEARTEXT, Reason::CLEARTEXT},
                                      {Class::CLEARTEXT_TUNNEL, Reason::CLEARTEXT_TUNNEL},
                                      {Class::CLEARTEXT_HOST, Reason::CLEARTEXT_HOST},
                                      {Class::CLEARTEXT_TRANSIT, Reason::CLEARTEXT_TRANSIT},
                                      {Class::CLEARTEXT_RESENT, Reason::CLEARTEXT_RESENT},
                                      {Class::AH, Reason::AH},
                                      {Class::ESP_NULL, Reason::ESP_NULL}})
    if (v.klass == klass) return reason;
  return std::nullopt;
}

struct Ports {
  std::uint32_t source;
  std::uint32_t destination;
};

std::optional<Ports> ports_of(const Headers& p, std::optional<unsigned> protocol) {
  const bool whole = (protocol == 17U && p.l4.size() >= 8) || (protocol == 6U && p.l4.size() >= 20);
  if (!whole || p.later_fragment) return std::nullopt;
  return Ports{number(p.l4, 0, 2), number(p.l4, 2, 2)};
}

bool fits(const Exempt& rule, const Headers& p) {
  std::optional<unsigned> protocol = p.protocol;
  // AH around ESP is ESP.
  if (protocol == 51U && read_content(p).kind == Kind::kEsp) protocol = 50U;
  if (!rule.prefix.contains(p.src) && !rule.prefix.contains(p.dst)) return false;
  if (rule.protocol && protocol != *rule.protocol) return false;
  if (!rule.port) return true;
  const auto ports = ports_of(p, protocol);
  return ports && (ports->source == *rule.port || ports->destination == *rule.port);
}

bool path_mtu(const Headers& p) {
  if (p.later_fragment || !p.protocol) return false;
  if (p.family == Family::kIpv6) return p.protocol == 58 && !p.l4.empty() && p.l4[0] == 2;
  return p.protocol == 1 && p.l4.size() >= 2 && p.l4[0] == 3 && p.l4[1] == 4;
}

// Of the networks that the ends lie in, also those of the packet in a tunnel that could be read.
Mode network_mode(const World& world, const Headers& packet) {
  std::vector<IpAddress> ends = {packet.src, packet.dst};
  const Content content = read_content(packet);
  if (content.kind == Kind::kTunnel)
    ends.insert(ends.end(), {content.inner.src, content.inner.dst});
  Mode mode = Mode::MONITOR;
  for (const IpAddress& end : ends) {
    const RoleEntry entry = role_of(world, end);
    if (entry.role == Role::kNetwork) mode = std::max(mode, entry.mode);
  }
  return mode;
}

Mode policy_mode(const World& world, std::uint32_t peer, Reason reason) {
  const auto policy = world.modes.find(peer);
  const Mode mode = policy == world.modes.end() ? Mode::MONITOR : policy->second;
  const auto limit = world.limits.find(reason);
  return limit == world.limits.end() ? mode : std::min(mode, limit->second);
}

bool exempt(const World& world, Reason reason, const Headers& packet) {
  const bool host = reason == Reason::CLEARTEXT_HOST || reason == Reason::CLEARTEXT_TRANSIT;
  if (host && path_mtu(packet)) return true;
  if (reason == Reason::SPOOFED) return false;
  return std::any_of(world.exempt.begin(), world.exempt.end(),
                     [&](const Exempt& rule) { return fits(rule, packet); });
}

}  // namespace

Mode oracle_fate(const World& world, const Input& input, const OracleVerdict& verdict) {
  if (!verdict.counted) return Mode::MONITOR;
  const auto reason = reason_of(input, verdict);
  if (!reason) return Mode::MONITOR;
  const Link2 link = read_link(input);
  // Too many tags: nothing of IP was read that a rule could fit.
  if (link.broken != Outcome::OK) return policy_mode(world, verdict.peer, *reason);
  const auto family = link.ethertype == 0x86dd ? Family::kIpv6 : Family::kIpv4;
  const Headers packet = read_ip(family, link.rest, Lengths::kChecked);
  if (exempt(world, *reason, packet)) return Mode::MONITOR;
  if (*reason == Reason::UNKNOWN_NODE) return network_mode(world, packet);
  return policy_mode(world, verdict.peer, *reason);
}

}  // namespace espial::frames
