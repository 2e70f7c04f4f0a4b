// SPDX-License-Identifier: Apache-2.0
#include "frames/frame.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/ip.h"
#include "frames/frame_numbers.h"

namespace espial::frames {
namespace {

void put8(Bytes& out, std::size_t v) { out.push_back(static_cast<std::uint8_t>(v)); }
void put16(Bytes& out, std::size_t v) {
  put8(out, v >> 8 & 0xff);
  put8(out, v & 0xff);
}
void put32(Bytes& out, std::size_t v) {
  put16(out, v >> 16 & 0xffff);
  put16(out, v & 0xffff);
}
void put(Bytes& out, const Bytes& more) { out.insert(out.end(), more.begin(), more.end()); }

void put_mac(Bytes& out, const std::string& text) {
  std::array<unsigned, 6> b{};
  if (std::sscanf(text.c_str(), "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4],
                  &b[5]) != 6)
    std::abort();  // a typing error in a test
  for (const unsigned v : b) put8(out, v);
}

void put_address(Bytes& out, const std::string& text) {
  const auto address = IpAddress::parse(text).value();
  const auto size = static_cast<std::ptrdiff_t>(address.bits() / 8);
  out.insert(out.end(), address.bytes().begin(), address.bytes().begin() + size);
}

std::uint16_t checksum(const Bytes& data) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < data.size(); i += 2)
    sum += static_cast<std::uint32_t>(data[i] << 8 | (i + 1 < data.size() ? data[i + 1] : 0));
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

void patch16(Bytes& out, std::size_t at, std::uint16_t v) {
  out[at] = static_cast<std::uint8_t>(v >> 8);
  out[at + 1] = static_cast<std::uint8_t>(v & 0xff);
}

// What a layer needs to know of its surroundings to fill in its fields.
struct Around {
  const Layer* next = nullptr;
  const Layer* ip = nullptr;  // the innermost IP header around it
  const Bytes& body;          // everything after it, already built
};

// Checksum of a transport header with its pseudo-header, of the IP header around it if any.
std::uint16_t transport_checksum(const Bytes& segment, const Around& around, std::uint8_t proto) {
  Bytes all;
  const auto* v4 = around.ip != nullptr ? std::get_if<Ipv4>(around.ip) : nullptr;
  const auto* v6 = around.ip != nullptr ? std::get_if<Ipv6>(around.ip) : nullptr;
  if (v4 != nullptr) {
    put_address(all, v4->src);
    put_address(all, v4->dst);
  } else if (v6 != nullptr) {
    put_address(all, v6->src);
    put_address(all, v6->dst);
  }
  put32(all, segment.size());
  put32(all, proto);
  put(all, segment);
  return checksum(all);
}

Bytes with_body(Bytes head, const Around& a) {
  put(head, a.body);
  return head;
}

Bytes build(const Eth& l, const Around& a) {
  Bytes out;
  put_mac(out, l.dst);
  put_mac(out, l.src);
  put16(out, l.type.value_or(ethertype_of(a.next)));
  return with_body(std::move(out), a);
}

Bytes build(const Vlan& l, const Around& a) {
  Bytes out;
  put16(out, static_cast<std::size_t>(l.priority << 13 | (l.id & 0xfff)));
  put16(out, l.type.value_or(ethertype_of(a.next)));
  return with_body(std::move(out), a);
}

Bytes build(const Mpls& l, const Around& a) {
  Bytes out;
  put32(out, l.label << 12 | (l.bottom ? 0x100U : 0U) | 64U);
  return with_body(std::move(out), a);
}

Bytes build(const Arp& l, const Around& a) {
  Bytes out = {0, 1, 8, 0, 6, 4};
  put16(out, l.operation);
  out.resize(28);
  return with_body(std::move(out), a);
}

Bytes build(const Ipv4& l, const Around& a) {
  const std::size_t words = l.option_words.value_or(l.ihl > 5 ? l.ihl - 5U : 0U);
  const std::size_t header = 20 + 4 * words;
  Bytes out;
  put8(out, static_cast<std::size_t>(l.version << 4 | l.ihl));
  put8(out, 0);
  put16(out, l.total_length.value_or(static_cast<std::uint16_t>(header + a.body.size())));
  put16(out, 0x1234);
  put16(out, (l.more_fragments ? 0x2000U : 0U) | l.frag_offset);
  put8(out, l.ttl);
  put8(out, l.protocol.value_or(protocol_of(a.next)));
  put16(out, 0);
  put_address(out, l.src);
  put_address(out, l.dst);
  out.resize(header, 1);  // no-operation options
  patch16(out, 10, checksum(out));
  return with_body(std::move(out), a);
}

Bytes build(const Ipv6& l, const Around& a) {
  const bool jumbo = a.next != nullptr && std::holds_alternative<Jumbo>(*a.next);
  Bytes out;
  put32(out, static_cast<std::size_t>(l.version) << 28);
  put16(out, l.payload_length.value_or(jumbo ? 0 : static_cast<std::uint16_t>(a.body.size())));
  put8(out, l.next_header.value_or(protocol_of(a.next)));
  put8(out, l.hop_limit);
  put_address(out, l.src);
  put_address(out, l.dst);
  return with_body(std::move(out), a);
}

template <std::uint8_t TYPE>
Bytes build(const Ext<TYPE>& l, const Around& a) {
  Bytes out;
  put8(out, l.next.value_or(protocol_of(a.next)));
  put8(out, l.length.value_or(static_cast<std::uint8_t>(l.units)));
  put8(out, 1);  // PadN over the rest, for the two headers that carry options
  put8(out, 4);
  out.resize(8 + 8 * l.units);
  return with_body(std::move(out), a);
}

Bytes build(const Fragment6& l, const Around& a) {
  Bytes out;
  put8(out, l.next.value_or(protocol_of(a.next)));
  put8(out, 0);
  put16(out, static_cast<std::size_t>(l.offset << 3 | (l.more ? 1 : 0)));
  put32(out, 0x5678);
  return with_body(std::move(out), a);
}

Bytes build(const Jumbo&, const Around& a) {
  Bytes out;
  put8(out, protocol_of(a.next));
  put8(out, 0);
  put8(out, 0xc2);
  put8(out, 4);
  put32(out, 8 + a.body.size());
  return with_body(std::move(out), a);
}

Bytes build(const Ah& l, const Around& a) {
  Bytes out;
  put8(out, l.next.value_or(protocol_of(a.next)));
  put8(out, l.length.value_or(4));
  put16(out, 0);
  put32(out, l.spi);
  put32(out, 1);
  out.resize(24, 0x77);
  return with_body(std::move(out), a);
}

Bytes build(const Udp& l, const Around& a) {
  Bytes out;
  put16(out, l.sport);
  put16(out, l.dport);
  put16(out, l.length.value_or(static_cast<std::uint16_t>(8 + a.body.size())));
  put16(out, 0);
  out = with_body(std::move(out), a);
  const auto sum = transport_checksum(out, a, 17);
  patch16(out, 6, sum == 0 ? 0xffff : sum);
  return out;
}

Bytes build(const Tcp& l, const Around& a) {
  Bytes out;
  put16(out, l.sport);
  put16(out, l.dport);
  put32(out, 1);
  put32(out, 1);
  put16(out, (5U + l.option_words) << 12 | 0x10);
  put16(out, 512);
  put32(out, 0);
  out.resize(20 + 4 * std::size_t{l.option_words}, 1);
  out = with_body(std::move(out), a);
  patch16(out, 16, transport_checksum(out, a, 6));
  return out;
}

Bytes control_message(std::uint8_t type, const Around& a) {
  Bytes out = {type, 0, 0, 0, 0, 7, 0, 1};
  return with_body(std::move(out), a);
}

Bytes build(const Icmp& l, const Around& a) {
  Bytes out = control_message(l.type, a);
  out[1] = l.code;
  patch16(out, 2, checksum(out));
  return out;
}

Bytes build(const Icmp6& l, const Around& a) {
  Bytes out = control_message(l.type, a);
  patch16(out, 2, transport_checksum(out, a, 58));
  return out;
}

Bytes build(const Igmp&, const Around& a) {
  Bytes out = {0x16, 0, 0, 0, 0xe0, 0, 0, 0xfb};
  patch16(out, 2, checksum(out));
  return with_body(std::move(out), a);
}

Bytes build(const Esp& l, const Around& a) {
  Bytes out;
  put32(out, l.spi);
  put32(out, l.sequence);
  return with_body(std::move(out), a);
}

Bytes build(const Gre& l, const Around& a) {
  Bytes out;
  put16(out, (l.checksum ? 0x8000U : 0U) | (l.routing ? 0x4000U : 0U) | (l.key ? 0x2000U : 0U) |
                 (l.sequence ? 0x1000U : 0U) | l.version);
  put16(out, l.protocol.value_or(ethertype_of(a.next)));
  if (l.checksum) put32(out, 0);
  if (l.key) put32(out, 42);
  if (l.sequence) put32(out, 9);
  out = with_body(std::move(out), a);
  if (l.checksum) patch16(out, 4, checksum(out));
  return out;
}

Bytes build(const Vxlan& l, const Around& a) {
  Bytes out;
  put32(out, 0x08000000);
  put32(out, l.vni << 8);
  return with_body(std::move(out), a);
}

Bytes build(const Gpe& l, const Around& a) {
  Bytes out;
  put32(out, 0x0c000000U | l.next.value_or(gpe_protocol_of(a.next)));
  put32(out, l.vni << 8);
  return with_body(std::move(out), a);
}

Bytes build(const Geneve& l, const Around& a) {
  Bytes out;
  put8(out, l.length.value_or(static_cast<std::uint8_t>(l.option_words)));
  put8(out, 0);
  put16(out, l.protocol.value_or(ethertype_of(a.next)));
  put32(out, 7 << 8);
  out.resize(8 + 4 * l.option_words, 0x5a);
  return with_body(std::move(out), a);
}

Bytes build(const Wccp&, const Around& a) { return with_body({0x80, 0, 1, 2}, a); }

Bytes build(const Erspan& l, const Around& a) {
  Bytes out;
  put32(out, l.type == 3 ? 0x20010007 : 0x10010007);
  put32(out, 1234);
  if (l.type == 3) put32(out, l.subheader ? 1 : 0);
  if (l.subheader) out.resize(20, 0x33);
  return with_body(std::move(out), a);
}

Bytes build(const Payload& l, const Around& a) { return with_body(Bytes(l.size, l.fill), a); }
Bytes build(const Raw& l, const Around& a) { return with_body(l.bytes, a); }

Bytes build_from(const std::vector<Layer>& layers, std::size_t i, const Layer* ip) {
  if (i == layers.size()) return {};
  const Layer& layer = layers[i];
  const bool is_ip = std::holds_alternative<Ipv4>(layer) || std::holds_alternative<Ipv6>(layer);
  const Bytes body = build_from(layers, i + 1, is_ip ? &layer : ip);
  const Around around{i + 1 < layers.size() ? &layers[i + 1] : nullptr, ip, body};
  return std::visit([&](const auto& l) { return build(l, around); }, layer);
}

}  // namespace

Frame Frame::truncated(std::size_t size) const {
  Frame copy = *this;
  copy.cut_ = size;
  return copy;
}

Frame Frame::padded(std::size_t count) const {
  Frame copy = *this;
  copy.padding_ = count;
  return copy;
}

Bytes Frame::bytes() const {
  Bytes out = build_from(layers_, 0, nullptr);
  out.resize(out.size() + padding_);
  if (cut_) out.resize(std::min(out.size(), *cut_));
  return out;
}

LinkKind Frame::link() const {
  return !layers_.empty() && std::holds_alternative<Eth>(layers_.front()) ? LinkKind::kEthernet
                                                                          : LinkKind::kRaw;
}

Frame operator/(const Frame& outer, const Frame& inner) {
  std::vector<Layer> layers = outer.layers();
  layers.insert(layers.end(), inner.layers().begin(), inner.layers().end());
  return Frame(std::move(layers));
}

}  // namespace espial::frames
