// SPDX-License-Identifier: Apache-2.0
// Corpus: IPv4 and IPv6 headers, their lies, extension headers and fragments.
#include "frames/corpus.h"

namespace espial::frames {
namespace {

using enum Class;
using enum Outcome;

const OracleVerdict kClear4 = v4(CLEARTEXT, 1, OK, 1);
const OracleVerdict kClear6 = v6(CLEARTEXT, 1, OK, 2);

Ipv4 pods4() { return Ipv4{.src = kSide4.pod2, .dst = kSide4.self_pod}; }
Ipv4 nodes4() { return Ipv4{.src = kSide4.node2, .dst = kSide4.self}; }
Ipv6 pods6() { return Ipv6{.src = kSide6.pod2, .dst = kSide6.self_pod}; }
Ipv6 nodes6() { return Ipv6{.src = kSide6.node2, .dst = kSide6.self}; }

void add_ipv4_header(CorpusBuilder& c) {
  const auto frame = [](auto change) {
    Ipv4 header = pods4();
    change(header);
    return Eth{} / header / Udp{} / Payload{20};
  };
  for (const std::uint8_t ihl : Numbers{6, 7, 10, 15})
    c.receive("ipv4/options_ihl_" + std::to_string(ihl), frame([&](Ipv4& h) { h.ihl = ihl; }),
              kClear4);
  for (const std::uint8_t ihl : Numbers{0, 1, 4})
    c.receive("ipv4/ihl_" + std::to_string(ihl), frame([&](Ipv4& h) { h.ihl = ihl; }),
              v4(MALFORMED, 0, BAD_IHL));
  for (const std::uint8_t version : Numbers{0, 5, 6, 15})
    c.receive("ipv4/version_" + std::to_string(version),
              frame([&](Ipv4& h) { h.version = version; }), v4(MALFORMED, 0, BAD_VERSION));
  c.receive("ipv4/ihl_past_end", frame([](Ipv4& h) { h.ihl = 15; }).truncated(14 + 40),
            v4(MALFORMED, 0, SHORT_IPV4));
  c.receive("ipv4/cut_at_19", frame([](Ipv4&) {}).truncated(14 + 19), v4(MALFORMED, 0, SHORT_IPV4));
  c.receive("ipv4/total_length_0", frame([](Ipv4& h) { h.total_length = 0; }),
            v4(MALFORMED, 0, BAD_LENGTH));
  c.receive("ipv4/total_length_19", frame([](Ipv4& h) { h.total_length = 19; }),
            v4(MALFORMED, 0, BAD_LENGTH));
  c.receive("ipv4/total_length_below_options", frame([](Ipv4& h) {
              h.ihl = 8;
              h.total_length = 31;
            }),
            v4(MALFORMED, 0, BAD_LENGTH));
  c.receive("ipv4/total_length_one_more", frame([](Ipv4& h) { h.total_length = 49; }),
            v4(MALFORMED, 0, BAD_LENGTH));
  c.receive("ipv4/total_length_65535", frame([](Ipv4& h) { h.total_length = 65535; }),
            v4(MALFORMED, 0, BAD_LENGTH));
  c.receive("ipv4/total_length_one_less", frame([](Ipv4& h) { h.total_length = 47; }), kClear4);
  c.receive("ipv4/header_only", Eth{} / pods4(), kClear4);
  c.receive("ipv4/ethernet_padding", (Eth{} / pods4() / Udp{}).padded(18), kClear4);
  c.receive("ipv4/cut_by_one", frame([](Ipv4&) {}).truncated(14 + 47),
            v4(MALFORMED, 0, BAD_LENGTH));
  c.receive("ipv4/padding_is_not_udp", (Eth{} / nodes4() / Raw{{0x9c, 0x40, 1, 0xf4}}).padded(20),
            v4(OTHER, 1));
  Ipv4 udp_in_padding = nodes4();
  udp_in_padding.protocol = 17;
  c.receive("ipv4/udp_header_in_padding",
            (Eth{} / udp_in_padding / Raw{{1, 0xf4, 1, 0xf4}}).padded(20),
            v4(MALFORMED, 1, SHORT_L4));
}

void add_ipv4_fragments(CorpusBuilder& c) {
  const auto part = [](Ipv4 h, std::uint16_t offset, bool more) {
    h.frag_offset = offset;
    h.more_fragments = more;
    return h;
  };
  c.receive("ipv4/first_fragment", Eth{} / part(pods4(), 0, true) / Udp{} / Payload{24}, kClear4);
  c.receive("ipv4/later_fragment",
            Eth{} /
                part(Ipv4{.src = kSide4.pod2, .dst = kSide4.self_pod, .protocol = 17}, 4, false) /
                Payload{24},
            v4(CLEARTEXT, 1, LATER_FRAGMENT, 1));
  c.receive("ipv4/tiny_later_fragment",
            Eth{} / part(Ipv4{.src = kSide4.pod2, .dst = kSide4.self_pod, .protocol = 6}, 1, true) /
                Payload{8},
            v4(CLEARTEXT, 1, LATER_FRAGMENT, 1));
  c.receive("ipv4/tiny_first_fragment_tcp",
            (Eth{} / part(nodes4(), 0, true) / Tcp{}).truncated(14 + 28),
            v4(MALFORMED, 0, BAD_LENGTH));
  Ipv4 tiny = part(nodes4(), 0, true);
  tiny.protocol = 6;
  c.receive("ipv4/tiny_first_fragment_of_tcp", Eth{} / tiny / Payload{8},
            v4(MALFORMED, 1, SHORT_L4));
  Ipv4 tiny_clear = part(pods4(), 0, true);
  tiny_clear.protocol = 6;
  c.receive("ipv4/tiny_first_fragment_cleartext", Eth{} / tiny_clear / Payload{8},
            v4(CLEARTEXT, 1, SHORT_L4, 1));
  for (const std::uint8_t proto : Numbers{1, 6, 17, 132}) {
    Ipv4 h = part(nodes4(), 185, false);
    h.protocol = proto;
    c.receive("ipv4/later_fragment_nodes_proto_" + std::to_string(proto), Eth{} / h / Payload{40},
              v4(OTHER, 1, LATER_FRAGMENT));
  }
  for (const std::uint8_t proto : Numbers{4, 41, 47}) {
    Ipv4 h = part(nodes4(), 185, true);
    h.protocol = proto;
    c.receive("ipv4/later_fragment_of_tunnel_" + std::to_string(proto), Eth{} / h / Payload{40},
              v4(CLEARTEXT_TUNNEL, 1, LATER_FRAGMENT));
    h.src = kSide4.outside;
    c.receive("ipv4/later_fragment_of_foreign_tunnel_" + std::to_string(proto),
              Eth{} / h / Payload{40}, v4(OTHER, 0, LATER_FRAGMENT));
  }
  Ipv4 last = part(nodes4(), 8191, false);
  last.protocol = 17;
  c.receive("ipv4/last_possible_fragment", Eth{} / last / Payload{8}, v4(OTHER, 1, LATER_FRAGMENT));
}

void add_ipv6_header(CorpusBuilder& c) {
  const Frame body = Udp{} / Payload{20};
  for (const std::uint8_t version : Numbers{0, 4, 5, 7}) {
    Ipv6 h = pods6();
    h.version = version;
    c.receive("ipv6/version_" + std::to_string(version), Eth{} / h / body,
              v6(MALFORMED, 0, BAD_VERSION));
  }
  const auto lying = [](std::uint16_t length) {
    Ipv6 h = pods6();
    h.payload_length = length;
    return h;
  };
  c.receive("ipv6/cut_at_39", (Eth{} / pods6() / body).truncated(14 + 39),
            v6(MALFORMED, 0, SHORT_IPV6));
  c.receive("ipv6/payload_one_more", Eth{} / lying(29) / body, v6(MALFORMED, 0, BAD_LENGTH));
  c.receive("ipv6/payload_65535", Eth{} / lying(65535) / body, v6(MALFORMED, 0, BAD_LENGTH));
  c.receive("ipv6/payload_one_less", Eth{} / lying(27) / body, kClear6);
  c.receive("ipv6/payload_0_udp", Eth{} / lying(0) / body, v6(CLEARTEXT, 1, SHORT_L4, 2));
  c.receive("ipv6/header_only", Eth{} / pods6(), kClear6);
  c.receive("ipv6/no_next_header_nodes", Eth{} / nodes6(), v6(OTHER, 1));
  c.receive("ipv6/ethernet_padding", (Eth{} / pods6() / Udp{}).padded(6), kClear6);
  c.receive("ipv6/jumbogram", Eth{} / pods6() / Jumbo{} / Udp{.length = 0} / Payload{200}, kClear6);
  c.receive("ipv6/jumbogram_esp", Eth{} / nodes6() / Jumbo{} / Esp{} / Payload{200}, v6(ESP, 1));
  c.receive("ipv6/jumbogram_cut", (Eth{} / nodes6() / Jumbo{} / Esp{}).truncated(14 + 40 + 7),
            v6(MALFORMED, 1, SHORT_EXT));
  c.receive("ipv6/jumbo_option_with_length",
            Eth{} / Ipv6{.src = kSide6.node2, .dst = kSide6.self, .payload_length = 16} / Jumbo{} /
                Udp{.dport = 500},
            v6(IKE, 1));
}

template <typename Header>
void add_one_extension(CorpusBuilder& c, const std::string& name, Header header) {
  const std::string at = "ext/" + name;
  c.receive(at + "_clear", Eth{} / pods6() / header / Udp{} / Payload{20}, kClear6);
  c.receive(at + "_esp", Eth{} / nodes6() / header / Esp{} / Payload{64}, v6(ESP, 1));
  c.receive(at + "_ike", Eth{} / nodes6() / header / Udp{.dport = 500} / Payload{28}, v6(IKE, 1));
  Ipv6 seven = nodes6();
  seven.payload_length = 7;
  c.receive(at + "_cut_at_7", (Eth{} / seven / header / Udp{}).truncated(14 + 47),
            v6(MALFORMED, 1, SHORT_EXT));
  Ipv6 eight = nodes6();
  eight.payload_length = 8;
  c.receive(at + "_then_nothing", (Eth{} / eight / header / Udp{}).truncated(14 + 48),
            v6(MALFORMED, 1, SHORT_L4));
}

template <typename Header>
void add_extension_lengths(CorpusBuilder& c, const std::string& name) {
  const std::string at = "ext/" + name;
  c.receive(at + "_long", Eth{} / nodes6() / Header{.units = 5} / Esp{} / Payload{64}, v6(ESP, 1));
  c.receive(at + "_longest", Eth{} / nodes6() / Header{.units = 255} / Esp{} / Payload{64},
            v6(ESP, 1));
  c.receive(at + "_length_lies", Eth{} / nodes6() / Header{.length = 200} / Udp{} / Payload{20},
            v6(MALFORMED, 1, SHORT_EXT));
  c.receive(at + "_length_lies_announcing_esp",
            Eth{} / pods6() / Header{.length = 200, .next = 50} / Payload{20},
            v6(CLEARTEXT, 1, SHORT_EXT, 2));
  c.receive(at + "_length_lies_clear",
            Eth{} / pods6() / Header{.length = 200} / Udp{} / Payload{20},
            v6(CLEARTEXT, 1, SHORT_EXT, 2));
}

void add_extensions(CorpusBuilder& c) {
  add_one_extension(c, "hop_by_hop", HopByHop{});
  add_one_extension(c, "routing", Routing{});
  add_one_extension(c, "destination", DestOpts{});
  add_one_extension(c, "mobility", Mobility{});
  add_one_extension(c, "hip", Hip{});
  add_one_extension(c, "shim6", Shim6{});
  add_one_extension(c, "fragment_first", Fragment6{.more = true});
  add_extension_lengths<HopByHop>(c, "hop_by_hop");
  add_extension_lengths<Routing>(c, "routing");
  add_extension_lengths<DestOpts>(c, "destination");
  add_extension_lengths<Mobility>(c, "mobility");
  add_extension_lengths<Hip>(c, "hip");
  add_extension_lengths<Shim6>(c, "shim6");
}

void add_extension_chains(CorpusBuilder& c) {
  const auto chain = [](Frame frame, int count) {
    for (int i = 0; i < count; ++i) frame = frame / DestOpts{};
    return frame;
  };
  for (const int n : {2, 7, 8}) {
    const std::string at = "ext/chain_of_" + std::to_string(n);
    c.receive(at + "_esp", chain(Eth{} / nodes6(), n) / Esp{} / Payload{64}, v6(ESP, 1));
    c.receive(at + "_clear", chain(Eth{} / pods6(), n) / Udp{}, kClear6);
  }
  for (const int n : {9, 12, 40}) {
    const std::string at = "ext/chain_of_" + std::to_string(n);
    c.receive(at + "_esp", chain(Eth{} / nodes6(), n) / Esp{} / Payload{64},
              v6(TOO_DEEP, 1, EXT_CHAIN));
    c.receive(at + "_clear", chain(Eth{} / pods6(), n) / Udp{}, v6(CLEARTEXT, 1, EXT_CHAIN, 2));
    c.receive(at + "_foreign",
              chain(Eth{} / Ipv6{.src = kSide6.outside, .dst = kSide6.self}, n) / Esp{},
              v6(TOO_DEEP, 0, EXT_CHAIN));
  }
  const auto nine = [&](const char* src, const char* dst) {
    return chain(Eth{} / Ipv6{.src = src, .dst = dst}, 9) / Gre{} / clear_frame(kSide6);
  };
  const Side& s = kSide6;
  c.receive("ext/nine_from_node3", nine(s.node3, s.self), v6(TOO_DEEP, 2, EXT_CHAIN));
  c.transmit("ext/nine_to_node3", nine(s.self, s.node3), v6(TOO_DEEP, 2, EXT_CHAIN));
  c.transmit("ext/nine_to_outside", nine(s.self, s.outside), v6(TOO_DEEP, 0, EXT_CHAIN));
  c.receive("ext/nine_outside_to_pod", nine(s.outside, s.self_pod), v6(OTHER, 0, EXT_CHAIN));
  c.receive("ext/nine_host", nine(s.node2, s.self_pod), v6(CLEARTEXT_HOST, 1, EXT_CHAIN));
  c.receive("ext/nine_own_source", nine(s.self, s.pod2), v6(CLEARTEXT_SPOOFED, 0, EXT_CHAIN));
  c.transmit("ext/nine_resent", nine(s.node2, s.self_pod), v6(CLEARTEXT_RESENT, 1, EXT_CHAIN));
  c.transmit("ext/nine_transit", nine(s.outside, s.pod2), v6(CLEARTEXT_TRANSIT, 1, EXT_CHAIN, 2));
  c.receive("ext/seven_and_ah_to_esp", chain(Eth{} / nodes6(), 7) / Ah{} / Esp{} / Payload{64},
            v6(ESP, 1));
  c.receive("ext/eight_and_ah_to_esp", chain(Eth{} / nodes6(), 8) / Ah{} / Esp{} / Payload{64},
            v6(ESP, 1));
  c.receive("ext/nine_and_ah_to_esp", chain(Eth{} / nodes6(), 9) / Ah{} / Esp{} / Payload{64},
            v6(TOO_DEEP, 1, EXT_CHAIN));
  c.receive("ext/every_kind",
            Eth{} / nodes6() / HopByHop{} / DestOpts{} / Routing{} / Fragment6{.more = true} /
                Mobility{} / Hip{} / Shim6{} / Esp{} / Payload{64},
            v6(ESP, 1));
  c.receive("ext/chain_multicast",
            chain(Eth{} / Ipv6{.src = kSide6.pod2, .dst = kSide6.group}, 9) / Udp{},
            v6(FLOODED, 0, EXT_CHAIN));
  c.receive("ext/chain_stranger",
            chain(Eth{} / Ipv6{.src = kSide6.stranger, .dst = kSide6.self_pod}, 9) / Udp{},
            v6(UNKNOWN_NODE, 0, EXT_CHAIN));
}

void add_ipv6_fragments(CorpusBuilder& c) {
  const auto later = [](Frame ends, std::uint8_t next) {
    return Eth{} / ends / Fragment6{.offset = 3, .next = next} / Payload{32};
  };
  c.receive("frag6/later_clear", later(pods6(), 17), v6(CLEARTEXT, 1, LATER_FRAGMENT, 2));
  c.receive("frag6/later_udp_nodes", later(nodes6(), 17), v6(OTHER, 1, LATER_FRAGMENT));
  c.receive("frag6/later_esp", later(nodes6(), 50), v6(ESP, 1, LATER_FRAGMENT));
  c.receive("frag6/later_ah", later(nodes6(), 51), v6(AH, 1, LATER_FRAGMENT));
  c.receive("frag6/later_extension", later(nodes6(), 60), v6(OTHER, 1, LATER_FRAGMENT));
  c.receive("frag6/later_nd", later(Ipv6{.src = kSide6.node2, .dst = kSide6.self}, 58),
            v6(OTHER, 1, LATER_FRAGMENT));
  for (const std::uint8_t proto : Numbers{4, 41, 47})
    c.receive("frag6/later_tunnel_" + std::to_string(proto), later(nodes6(), proto),
              v6(CLEARTEXT_TUNNEL, 1, LATER_FRAGMENT));
  c.receive(
      "frag6/later_behind_extensions",
      Eth{} / nodes6() / DestOpts{} / Routing{} / Fragment6{.offset = 1, .next = 50} / Payload{8},
      v6(ESP, 1, LATER_FRAGMENT));
  c.receive("frag6/atomic", Eth{} / pods6() / Fragment6{} / Udp{}, kClear6);
  c.receive(
      "frag6/two_headers",
      Eth{} / nodes6() / Fragment6{.more = true} / Fragment6{.offset = 2, .next = 50} / Payload{16},
      v6(ESP, 1, LATER_FRAGMENT));
  c.receive("frag6/nothing_behind", Eth{} / nodes6() / Fragment6{.offset = 9, .next = 50},
            v6(ESP, 1, LATER_FRAGMENT));
}

// A routing header of 8 bytes and then addresses, of which `left` are still to be reached.
Frame routing(std::uint8_t type, std::uint8_t left, std::initializer_list<const char*> addresses,
              std::uint8_t next = 17) {
  Bytes bytes{next, static_cast<std::uint8_t>(2 * addresses.size()), type, left, 0, 0, 0, 0};
  for (const char* text : addresses) {
    const IpAddress address = IpAddress::parse(text).value();
    bytes.insert(bytes.end(), address.bytes().begin(), address.bytes().end());
  }
  return Raw{bytes};
}

// Where a packet goes in the end decides, not the next hop.
void add_routing(CorpusBuilder& c) {
  const Side& s = kSide6;
  const auto to = [&](const char* src, const char* dst, const Frame& header) {
    return Eth{} / Ipv6{.src = src, .dst = dst, .next_header = 43} / header / Udp{} / Payload{8};
  };
  const auto clear = v6(CLEARTEXT, 1, OK, s.subnet2);
  for (const std::uint8_t type : Numbers{2, 4}) {
    const std::string at = "v6/routing_" + std::to_string(type) + "_";
    c.receive(at + "to_pod", to(s.pod2, s.outside, routing(type, 1, {s.self_pod})), clear);
    c.transmit(at + "out", to(s.self_pod, s.node2, routing(type, 1, {s.pod2})), clear);
    c.receive(at + "first_of_two", to(s.pod2, s.outside, routing(type, 2, {s.self_pod, s.outside})),
              clear);
    c.receive(at + "to_nobody", to(s.pod2, s.self_pod, routing(type, 1, {s.outside})), v6(OTHER));
    c.receive(at + "at_its_end", to(s.pod2, s.self_pod, routing(type, 0, {s.outside})), clear);
    c.receive(at + "empty", to(s.pod2, s.self_pod, routing(type, 1, {})), clear);
    c.receive(at + "half_an_address",
              to(s.pod2, s.self_pod, Raw{{17, 1, type, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}}),
              clear);
    c.receive(
        at + "to_pod_cut",
        to(s.pod2, s.outside, routing(type, 1, {s.self_pod, s.outside})).truncated(14 + 40 + 30),
        v6(MALFORMED, 0, BAD_LENGTH));
  }
  for (const std::uint8_t type : Numbers{0, 1, 3, 5})
    c.receive("v6/routing_" + std::to_string(type) + "_not_followed",
              to(s.pod2, s.outside, routing(type, 1, {s.self_pod})), v6(OTHER));
}

}  // namespace

void add_header_cases(CorpusBuilder& c) {
  add_ipv4_header(c);
  add_ipv4_fragments(c);
  add_ipv6_header(c);
  add_extensions(c);
  add_extension_chains(c);
  add_ipv6_fragments(c);
  add_routing(c);
}

}  // namespace espial::frames
