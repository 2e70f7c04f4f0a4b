// SPDX-License-Identifier: Apache-2.0
// The oracle's reading of the table of tunnels in README.md.
#include "frames/oracle_case.h"

namespace espial::frames {
namespace {

struct InnerEnds {
  RoleEntry src;
  RoleEntry dst;
};

bool backend_or_network(Role role) { return is_backend(role) || role == Role::kNetwork; }

bool on_one_side(const Case& c, const InnerEnds& in) {
  if (is_self(in.src.role) && is_self(in.dst.role)) return !c.receive;
  return is_peer(in.src.role) && is_peer(in.dst.role) && in.src.peer == in.dst.peer;
}

bool matters(const Case& c, const InnerEnds& in) {
  if (!backend_or_network(in.src.role) && !backend_or_network(in.dst.role)) return false;
  if (c.pair) return true;
  const bool known = in.src.role != Role::kNone && in.dst.role != Role::kNone;
  return known && !on_one_side(c, in);
}

OracleVerdict judge_what_matters(const Case& c, const InnerEnds& in) {
  if (c.receive && is_self(in.src.role)) return say(c, Class::CLEARTEXT_SPOOFED, 0);
  RoleEntry theirs = c.receive ? in.src : in.dst;
  if (!is_peer(theirs.role)) theirs = c.receive ? in.dst : in.src;
  if (is_peer(theirs.role)) {
    if (c.receive && c.pair && is_peer(in.src.role) && theirs.peer != c.remote.peer)
      return say(c, Class::CLEARTEXT_SPOOFED, theirs.peer);
    return say(c, Class::CLEARTEXT_TUNNEL, theirs.peer, theirs.subnet);
  }
  if (c.pair) return say_pair(c, Class::CLEARTEXT_TUNNEL);
  return say(c, Class::UNKNOWN_NODE, 0);  // what is left has an end of role network
}

OracleVerdict with_outcome(OracleVerdict v, Outcome outcome) {
  v.outcome = outcome;
  return v;
}

OracleVerdict judge_inner(const Case& c) {
  const Headers& in = c.content.inner;
  const InnerEnds ends{role_of(c.world, in.src), role_of(c.world, in.dst)};
  if (matters(c, ends)) return judge_what_matters(c, ends);
  const bool endless = in.outcome == Outcome::EXT_CHAIN;
  if (endless) return with_outcome(say_pair(c, Class::TOO_DEEP), Outcome::EXT_CHAIN);
  if (!c.pair) return say(c, Class::OTHER, 0);
  if (in.protocol == 50) {
    std::optional<std::uint32_t> spi;
    if (!in.later_fragment) spi = in.l4.size() < 4 ? 0 : number(in.l4, 0, 4);
    return say_pair(c, foreign(c, in.dst, spi) ? Class::ESP_FOREIGN : Class::ESP);
  }
  if (in.outcome == Outcome::SHORT_EXT)
    return with_outcome(say_pair(c, Class::MALFORMED), Outcome::SHORT_TUNNEL);
  if (is_tunnel(in)) return with_outcome(say_pair(c, Class::TOO_DEEP), Outcome::NESTED);
  return say_pair(c, Class::OTHER);
}

}  // namespace

OracleVerdict judge_tunnel(const Case& c) {
  switch (c.content.kind) {
    case Kind::kTunnelBad:
      if (c.packet.first_fragment)
        return say_pair(c, c.pair ? Class::CLEARTEXT_TUNNEL : Class::TOO_DEEP);
      return say_pair(c, c.pair ? Class::MALFORMED : Class::OTHER);
    case Kind::kTunnelTags:
      return say_pair(c, Class::TOO_DEEP);
    case Kind::kTunnelOther:
      return say_pair(c, Class::OTHER);
    default:
      return judge_inner(c);
  }
}

}  // namespace espial::frames
