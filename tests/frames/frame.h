// SPDX-License-Identifier: Apache-2.0
// Frames as values: Eth{} / Ipv4{.src = "10.45.0.11", .dst = "10.45.0.12"} / Udp{.dport = 500}.
//
// Lengths, checksums, protocol numbers and ethertypes are filled in from what follows, unless a
// field is given: then it stands as it is, so that a frame can lie. A frame that starts with Eth
// has link kind Ethernet, any other is raw IP. Numbers are in host order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace espial::frames {

using Bytes = std::vector<std::uint8_t>;

inline constexpr const char* kGroupMac = "01:00:5e:00:00:01";
inline constexpr const char* kBroadcastMac = "ff:ff:ff:ff:ff:ff";

struct Eth {
  std::string dst = "02:00:00:00:00:02";
  std::string src = "02:00:00:00:00:01";
  std::optional<std::uint16_t> type{};
};
struct Vlan {
  std::uint16_t id = 0;
  std::uint8_t priority = 0;
  std::uint16_t tpid = 0x8100;  // written by the layer before
  std::optional<std::uint16_t> type{};
};
struct Mpls {
  std::uint32_t label = 16;
  bool bottom = true;
};
struct Arp {
  std::uint16_t operation = 1;
};
struct Ipv4 {
  std::string src = "0.0.0.0";
  std::string dst = "0.0.0.0";
  std::uint8_t version = 4;
  std::uint8_t ihl = 5;                       // in words; above 5: that many words are really there
  std::optional<std::size_t> option_words{};  // words of options present, when ihl lies
  std::optional<std::uint16_t> total_length{};
  std::optional<std::uint8_t> protocol{};
  std::uint16_t frag_offset = 0;  // in units of 8 bytes
  bool more_fragments = false;
  std::uint8_t ttl = 64;
};
struct Ipv6 {
  std::string src = "::";
  std::string dst = "::";
  std::uint8_t version = 6;
  std::optional<std::uint16_t> payload_length{};
  std::optional<std::uint8_t> next_header{};
  std::uint8_t hop_limit = 64;
};
// An IPv6 extension header of the common form (RFC 8200 section 4, RFC 6564).
template <std::uint8_t TYPE>
struct Ext {
  std::size_t units = 0;  // 8-byte units really there after the first
  std::optional<std::uint8_t> length{};
  std::optional<std::uint8_t> next{};
};
using HopByHop = Ext<0>;
using Routing = Ext<43>;
using DestOpts = Ext<60>;
using Mobility = Ext<135>;
using Hip = Ext<139>;
using Shim6 = Ext<140>;
struct Fragment6 {
  std::uint16_t offset = 0;  // in units of 8 bytes
  bool more = false;
  std::optional<std::uint8_t> next{};
};
struct Jumbo {};  // hop-by-hop header with the jumbo payload option (RFC 2675)
struct Ah {
  std::uint32_t spi = 0x1001;
  std::optional<std::uint8_t> length{};  // in words, minus 2; 4 as built: a 12 byte ICV
  std::optional<std::uint8_t> next{};
};
struct Udp {
  std::uint16_t sport = 40000;
  std::uint16_t dport = 40001;
  std::optional<std::uint16_t> length{};
};
struct Tcp {
  std::uint16_t sport = 40000;
  std::uint16_t dport = 40001;
  std::uint8_t option_words = 0;  // of no-operation options
};
struct Icmp {
  std::uint8_t type = 8;
  std::uint8_t code = 0;
};
struct Icmp6 {
  std::uint8_t type = 128;
};
struct Igmp {};
struct Esp {
  std::uint32_t spi = 0xc0ffee;
  std::uint32_t sequence = 1;
};
struct Gre {
  bool checksum = false;
  bool key = false;
  bool sequence = false;
  bool routing = false;
  std::uint8_t version = 0;
  std::optional<std::uint16_t> protocol{};
};
struct Vxlan {
  std::uint32_t vni = 7;
};
struct Gpe {  // VXLAN-GPE
  std::uint32_t vni = 7;
  std::optional<std::uint8_t> next{};
};
struct Geneve {
  std::size_t option_words = 0;          // really there
  std::optional<std::uint8_t> length{};  // in words, when it lies
  std::optional<std::uint16_t> protocol{};
};
struct Wccp {};  // the redirect header that WCCPv2 puts behind GRE's
// What follows the GRE header of ERSPAN II or III; type I has nothing there.
struct Erspan {
  std::uint8_t type = 2;
  bool subheader = false;  // of type III only
};
struct Payload {
  std::size_t size = 0;
  std::uint8_t fill = 0xa5;
};
struct Raw {
  Bytes bytes;
};

using Layer = std::variant<Eth, Vlan, Mpls, Arp, Ipv4, Ipv6, HopByHop, Routing, DestOpts, Mobility,
                           Hip, Shim6, Fragment6, Jumbo, Ah, Udp, Tcp, Icmp, Icmp6, Igmp, Esp, Gre,
                           Vxlan, Gpe, Geneve, Wccp, Erspan, Payload, Raw>;

enum class LinkKind : std::uint8_t { kEthernet, kRaw };

template <typename T>
concept MakesLayer = std::constructible_from<Layer, T>;

class Frame {
 public:
  Frame() = default;
  explicit Frame(std::vector<Layer> layers) : layers_(std::move(layers)) {}
  template <MakesLayer T>
  Frame(T layer)  // NOLINT(google-explicit-constructor): one layer is a frame
      : layers_{Layer(std::move(layer))} {}

  // The first `size` bytes only.
  [[nodiscard]] Frame truncated(std::size_t size) const;
  // With `count` zero bytes after the end, as Ethernet pads.
  [[nodiscard]] Frame padded(std::size_t count) const;

  [[nodiscard]] Bytes bytes() const;
  [[nodiscard]] LinkKind link() const;
  [[nodiscard]] const std::vector<Layer>& layers() const { return layers_; }

 private:
  std::vector<Layer> layers_;
  std::size_t padding_ = 0;
  std::optional<std::size_t> cut_;
};

// Stacks frames and layers; truncation and padding of the operands are not kept.
Frame operator/(const Frame& outer, const Frame& inner);

}  // namespace espial::frames
