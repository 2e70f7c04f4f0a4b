// SPDX-License-Identifier: Apache-2.0
#include "frames/corpus.h"

#include <utility>

namespace espial::frames {

const Side kSide4 = {"v4",
                     false,
                     "10.45.0.11",
                     "10.101.1.10",
                     "10.101.1.20",
                     "10.45.0.12",
                     "10.101.2.10",
                     "10.101.2.20",
                     "10.45.0.13",
                     "10.101.3.10",
                     "10.101.9.10",
                     "192.0.2.7",
                     "224.0.0.251",
                     1,
                     3};
const Side kSide6 = {"v6",
                     true,
                     "fd00:45::11",
                     "fd00:101:1::10",
                     "fd00:101:1::20",
                     "fd00:45::12",
                     "fd00:101:2::10",
                     "fd00:101:2::20",
                     "fd00:45::13",
                     "fd00:101:3::10",
                     "fd00:101:9::10",
                     "2001:db8::7",
                     "ff02::fb",
                     2,
                     4};

const World& corpus_world() {
  static const World world = [] {
    const auto entry = [](const char* prefix, Role role, std::uint32_t peer = 0,
                          std::uint32_t subnet = 0, Mode mode = Mode::MONITOR) {
      return RoleEntry{Prefix::parse(prefix).value(), role, peer, subnet, mode};
    };
    World w;
    w.roles = {
        entry("10.45.0.11", Role::kSelfUnderlay),
        entry("fd00:45::11", Role::kSelfUnderlay),
        entry("10.101.1.0/24", Role::kSelfBackend),
        entry("fd00:101:1::/64", Role::kSelfBackend),
        entry("10.45.0.12", Role::kPeerUnderlay, 1),
        entry("fd00:45::12", Role::kPeerUnderlay, 1),
        entry("10.101.2.0/24", Role::kPeerBackend, 1, 1),
        entry("fd00:101:2::/64", Role::kPeerBackend, 1, 2),
        entry("10.45.0.13", Role::kPeerUnderlay, 2),
        entry("fd00:45::13", Role::kPeerUnderlay, 2),
        entry("10.101.3.0/24", Role::kPeerBackend, 2, 3),
        entry("fd00:101:3::/64", Role::kPeerBackend, 2, 4),
        entry("10.101.0.0/16", Role::kNetwork, 0, 0, Mode::ENFORCE),
        entry("fd00:101::/32", Role::kNetwork, 0, 0, Mode::AUDIT),
    };
    w.vlans = {{kOurVid, VlanAction::kOurs}, {kClaimedVid, VlanAction::kClaimed}};
    w.null_spis = {kNullSpi};
    for (const char* end :
         {"10.45.0.11", "fd00:45::11", "10.45.0.12", "fd00:45::12", "10.45.0.13", "fd00:45::13"})
      for (const std::uint32_t spi : {Esp{}.spi, kNullSpi})
        w.sas.emplace_back(IpAddress::parse(end).value(), spi);
    w.modes = {{0, Mode::ENFORCE}, {1, Mode::ENFORCE}, {2, Mode::AUDIT}};
    w.limits = {{Reason::CLEARTEXT_TRANSIT, Mode::AUDIT}, {Reason::AH, Mode::MONITOR}};
    w.exempt = {
        {Prefix::parse("10.101.2.200/32").value(), {}, {}},
        {Prefix::parse("10.101.2.0/24").value(), 6, 22},
        {Prefix::parse("fd00:101:2::/64").value(), 17, 53},
        {Prefix::parse("fd00:101:9::/64").value(), 58, {}},
        {Prefix::parse("10.45.0.13/32").value(), {}, 179},
    };
    return w;
  }();
  return world;
}

Frame ip(const Side& side, const char* src, const char* dst) {
  if (side.v6) return Ipv6{.src = src, .dst = dst};
  return Ipv4{.src = src, .dst = dst};
}

Frame announcing(const Side& side, const char* src, const char* dst, std::uint8_t protocol) {
  if (side.v6) return Ipv6{.src = src, .dst = dst, .next_header = protocol};
  return Ipv4{.src = src, .dst = dst, .protocol = protocol};
}
Frame first_fragment(const Side& side, const char* src, const char* dst, std::uint8_t protocol) {
  if (side.v6) return Ipv6{.src = src, .dst = dst} / Fragment6{.more = true, .next = protocol};
  return Ipv4{.src = src, .dst = dst, .protocol = protocol, .more_fragments = true};
}
Frame later_fragment(const Side& side, const char* src, const char* dst, std::uint8_t protocol) {
  if (side.v6) return Ipv6{.src = src, .dst = dst} / Fragment6{.offset = 8, .next = protocol};
  return Ipv4{.src = src, .dst = dst, .protocol = protocol, .frag_offset = 8};
}
Frame clear_frame(const Side& side) {
  return ip(side, side.pod2, side.self_pod) / Udp{} / Payload{20};
}
Frame times(int count, const Frame& layer) {
  Frame all;
  for (int i = 0; i < count; ++i) all = all / layer;
  return all;
}

void CorpusBuilder::receive(std::string name, Frame frame, OracleVerdict expected) {
  cases.push_back({std::move(name), std::move(frame), expected, Direction::RECEIVE, {}});
}
void CorpusBuilder::transmit(std::string name, Frame frame, OracleVerdict expected) {
  cases.push_back({std::move(name), std::move(frame), expected, Direction::TRANSMIT, {}});
}
void CorpusBuilder::tagged(std::string name, std::uint16_t tci, Frame frame,
                           OracleVerdict expected) {
  cases.push_back({std::move(name), std::move(frame), expected, Direction::RECEIVE, tci});
}

OracleVerdict v4(Class klass, std::uint32_t peer, Outcome outcome, std::uint32_t subnet) {
  return {true, klass, outcome, peer, subnet, Family::kIpv4};
}
OracleVerdict v6(Class klass, std::uint32_t peer, Outcome outcome, std::uint32_t subnet) {
  return {true, klass, outcome, peer, subnet, Family::kIpv6};
}
OracleVerdict on(const Side& side, Class klass, std::uint32_t peer, Outcome outcome,
                 std::uint32_t subnet) {
  return side.v6 ? v6(klass, peer, outcome, subnet) : v4(klass, peer, outcome, subnet);
}

const std::vector<FrameCase>& corpus() {
  static const std::vector<FrameCase> cases = [] {
    CorpusBuilder c;
    add_link_cases(c);
    add_tag_cases(c);
    add_header_cases(c);
    add_ends_cases(c);
    add_control_cases(c);
    add_resent_cases(c);
    add_ipsec_cases(c);
    add_tunnel_cases(c);
    add_stranger_cases(c);
    add_broken_cases(c);
    add_fragment_cases(c);
    add_fate_cases(c);
    return std::move(c.cases);
  }();
  return cases;
}

}  // namespace espial::frames
