// SPDX-License-Identifier: Apache-2.0
// The oracle's reading of the rows of enforcement, from the table in README.md.
#include <algorithm>
#include <utility>

#include "frames/oracle.h"
#include "frames/oracle_content.h"
#include "frames/oracle_walk.h"

namespace espial::frames {
namespace {

std::optional<Reason> reason_of(const OracleVerdict& v) {
  if (v.klass == Class::UNKNOWN_NODE) return Reason::UNKNOWN_NODE;
  if (v.peer == 0) return std::nullopt;
  for (const auto& [klass, reason] : {std::pair{Class::CLEARTEXT, Reason::CLEARTEXT},
                                      {Class::CLEARTEXT_TUNNEL, Reason::CLEARTEXT_TUNNEL},
                                      {Class::CLEARTEXT_HOST, Reason::CLEARTEXT_HOST},
                                      {Class::CLEARTEXT_TRANSIT, Reason::CLEARTEXT_TRANSIT},
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

Mode network_mode(const World& world, const Headers& p) {
  Mode mode = Mode::MONITOR;
  for (const IpAddress& end : {p.src, p.dst}) {
    const RoleEntry* best = nullptr;
    for (const RoleEntry& entry : world.roles)
      if (entry.prefix.contains(end) &&
          (best == nullptr || entry.prefix.length() > best->prefix.length()))
        best = &entry;
    if (best != nullptr && best->role == Role::kNetwork) mode = std::max(mode, best->mode);
  }
  return mode;
}

}  // namespace

Mode oracle_fate(const World& world, const Input& input, const OracleVerdict& verdict) {
  if (!verdict.counted) return Mode::MONITOR;
  const auto reason = reason_of(verdict);
  if (!reason) return Mode::MONITOR;
  const Link2 link = read_link(input);
  const auto family = link.ethertype == 0x86dd ? Family::kIpv6 : Family::kIpv4;
  const Headers packet = read_ip(family, link.rest, Lengths::kChecked);
  Mode mode = Mode::MONITOR;
  if (*reason == Reason::UNKNOWN_NODE) {
    mode = network_mode(world, packet);
  } else {
    const auto found = world.modes.find(verdict.peer);
    if (found != world.modes.end()) mode = found->second;
    const auto limit = world.limits.find(*reason);
    if (limit != world.limits.end()) mode = std::min(mode, limit->second);
  }
  const bool host = *reason == Reason::CLEARTEXT_HOST || *reason == Reason::CLEARTEXT_TRANSIT;
  if (host && path_mtu(packet)) return Mode::MONITOR;
  for (const Exempt& rule : world.exempt)
    if (fits(rule, packet)) return Mode::MONITOR;
  return mode;
}

}  // namespace espial::frames
