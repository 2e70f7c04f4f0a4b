// SPDX-License-Identifier: Apache-2.0
#include "bench/cases.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace espial::bench {
namespace {

using namespace espial::frames;  // NOLINT: frames are built from many small types

struct Ends {
  const char* tag;
  const char *self, *self_pod, *peer, *pod, *outside, *outside2;
};
constexpr Ends kEnds4 = {"v4",          "10.63.0.1", "100.63.1.10", "10.64.0.1",
                         "100.64.1.10", "192.0.2.7", "198.51.100.9"};
constexpr Ends kEnds6 = {"v6",           "fd00:44::1",     "fd00:100::10",
                         "fd00:45::1",   "fd00:101:1::10", "2001:db8::7",
                         "2001:db8:9::9"};

Frame ip_header(const Ends& ends, const char* src, const char* dst) {
  if (&ends == &kEnds6) return Ipv6{.src = src, .dst = dst};
  return Ipv4{.src = src, .dst = dst};
}

// From theirs to ours when received, the other way round when sent.
Frame between(const Ends& ends, Direction direction, const char* theirs, const char* ours) {
  return direction == Direction::RECEIVE ? Eth{} / ip_header(ends, theirs, ours)
                                         : Eth{} / ip_header(ends, ours, theirs);
}

// Makes the peer's end of an Ethernet frame random. backend: its subnet, else its underlay.
bench_vary any_peer(const Ends& ends, Direction direction, bool backend, std::uint32_t peers) {
  const bool v6 = &ends == &kEnds6;
  const bool received = direction == Direction::RECEIVE;
  bench_vary vary{.offset = 0, .base = 0, .stride = 1, .count = peers, .state = 1, .ipv4 = !v6};
  if (!v6) {
    vary.offset = received ? 26 : 30;
    vary.base = backend ? kBackendBase + 256 + 10 : kUnderlayBase + 1;
    vary.stride = backend ? 256 : 1;
  } else {
    // The third group of a backend address, the last one of an underlay address.
    vary.offset = (received ? 22U : 38U) + (backend ? 2U : 12U);
    vary.base = backend ? 0x01010001 : 1;
  }
  return vary;
}

class Table {
 public:
  Table(const Ends& ends, Direction direction, std::vector<Case>& cases)
      : ends_(ends), direction_(direction), cases_(cases) {}

  void underlay(const char* what, const Frame& rest, Class expected) {
    add(what, between(ends_, direction_, ends_.peer, ends_.self) / rest, expected);
  }
  void backend(const char* what, const Frame& rest, Class expected) {
    add(what, between(ends_, direction_, ends_.pod, ends_.self_pod) / rest, expected);
  }
  void outside(const char* what, const Frame& rest, Class expected) {
    add(what, between(ends_, direction_, ends_.outside, ends_.outside2) / rest, expected);
  }
  // Hot, and with a random peer each time, in meshes of three sizes.
  void scaled(const char* what, const Frame& frame, Class expected, bool backend_end) {
    for (const std::uint32_t peers : {10U, 1'000U, 10'000U}) {
      add(fmt::format("{}_{}_hot", what, peers), frame, expected);
      cases_.back().peers = peers;
      add(fmt::format("{}_{}_random", what, peers), frame, expected);
      cases_.back().peers = peers;
      cases_.back().vary = any_peer(ends_, direction_, backend_end, peers);
    }
  }
  void scaled_underlay(const char* what, const Frame& rest, Class expected) {
    scaled(what, between(ends_, direction_, ends_.peer, ends_.self) / rest, expected, false);
  }
  void scaled_backend(const char* what, const Frame& rest, Class expected) {
    scaled(what, between(ends_, direction_, ends_.pod, ends_.self_pod) / rest, expected, true);
  }

 private:
  [[nodiscard]] std::string name(std::string_view what) const {
    return fmt::format("{}_{}_{}", what, ends_.tag,
                       direction_ == Direction::RECEIVE ? "receive" : "transmit");
  }
  void add(std::string_view what, const Frame& frame, Class expected) {
    Bytes bytes = frame.bytes();
    if (bytes.size() < 64) bytes.resize(64);
    cases_.push_back({name(what), std::move(bytes), direction_, expected, 1000, {}});
  }

  const Ends& ends_;
  Direction direction_;
  std::vector<Case>& cases_;
};

void add_classes(const Ends& ends, Direction direction, std::vector<Case>& cases) {
  Table table(ends, direction, cases);
  table.scaled_underlay("esp", Esp{} / Payload{16}, Class::ESP);
  table.scaled_backend("cleartext", Udp{} / Payload{8}, Class::CLEARTEXT);
  table.backend("cleartext_tcp", Tcp{}, Class::CLEARTEXT);
  table.outside("other_tcp", Tcp{}, Class::OTHER);
  table.outside("other_udp", Udp{} / Payload{8}, Class::OTHER);
  table.underlay("underlay_tcp", Tcp{}, Class::OTHER);
  table.underlay("esp_udp", Udp{4500, 4500, {}} / Esp{} / Payload{16}, Class::ESP_UDP);
  table.underlay("ike", Udp{500, 500, {}} / Payload{28}, Class::IKE);
  const bool v6 = &ends == &kEnds6;
  const Frame pods = ip_header(ends, direction == Direction::RECEIVE ? ends.pod : ends.self_pod,
                               direction == Direction::RECEIVE ? ends.self_pod : ends.pod) /
                     Tcp{};
  table.underlay("tunnel_ip", pods, Class::CLEARTEXT_TUNNEL);
  table.underlay("tunnel_vxlan", Udp{40000, 4789, {}} / Vxlan{} / Eth{} / pods,
                 Class::CLEARTEXT_TUNNEL);
  if (v6) {
    table.backend("fragment_first", Fragment6{0, true, {}} / Udp{} / Payload{8}, Class::CLEARTEXT);
    table.backend("fragment_later", Fragment6{8, false, {}} / Payload{8}, Class::CLEARTEXT);
  }
}

void add_ipv4_fragments(Direction direction, std::vector<Case>& cases) {
  const bool received = direction == Direction::RECEIVE;
  const auto* src = received ? kEnds4.pod : kEnds4.self_pod;
  const auto* dst = received ? kEnds4.self_pod : kEnds4.pod;
  const auto* side = received ? "receive" : "transmit";
  Frame first = Eth{} / Ipv4{.src = src, .dst = dst, .more_fragments = true} / Udp{} / Payload{16};
  Frame later = Eth{} /
                Ipv4{.src = src, .dst = dst, .protocol = std::uint8_t{17}, .frag_offset = 8} /
                Payload{24};
  cases.push_back({fmt::format("fragment_first_v4_{}", side),
                   first.bytes(),
                   direction,
                   Class::CLEARTEXT,
                   1000,
                   {}});
  cases.push_back({fmt::format("fragment_later_v4_{}", side),
                   later.bytes(),
                   direction,
                   Class::CLEARTEXT,
                   1000,
                   {}});
}

}  // namespace

std::vector<Case> classifier_cases(bool quick) {
  std::vector<Case> cases;
  for (const Ends* ends : {&kEnds4, &kEnds6}) {
    for (const Direction direction : {Direction::RECEIVE, Direction::TRANSMIT}) {
      if (quick && direction == Direction::TRANSMIT && ends == &kEnds6) continue;
      add_classes(*ends, direction, cases);
      if (ends == &kEnds4) add_ipv4_fragments(direction, cases);
    }
  }
  return cases;
}

frames::Bytes esp_frame() {
  Bytes bytes =
      (Eth{} / Ipv4{.src = kEnds4.peer, .dst = kEnds4.self} / Esp{} / Payload{22}).bytes();
  bytes.resize(64);
  return bytes;
}

Case cleartext_of_any(Family family, bool random, std::uint32_t peers) {
  const Ends& ends = family == Family::kIpv4 ? kEnds4 : kEnds6;
  const auto pod = backend_host(family, peers);
  Case c;
  const bool v6 = family == Family::kIpv6;
  c.name = fmt::format("{}_{}", ends.tag, random ? "any" : "one");
  const Frame header = v6 ? Frame(Ipv6{.src = pod, .dst = ends.self_pod})
                          : Frame(Ipv4{.src = pod, .dst = ends.self_pod});
  c.bytes = (Eth{} / header / Udp{} / Payload{v6 ? 2U : 22U}).bytes();
  c.expected = Class::CLEARTEXT;
  c.peers = peers;
  if (random) c.vary = any_peer(ends, Direction::RECEIVE, true, peers);
  return c;
}

}  // namespace espial::bench
