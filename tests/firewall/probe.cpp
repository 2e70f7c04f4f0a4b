// SPDX-License-Identifier: Apache-2.0
#include "firewall/probe.h"

#include <netinet/in.h>

#include <cstring>

namespace espial::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t kMagic[] = {'e', 's', 'p', 'i', 'a', 'l', 0x17, 0x2a};

void put(Bytes& bytes, unsigned size, std::uint64_t value) {
  while (size-- > 0) bytes.push_back(static_cast<std::uint8_t>(value >> (8 * size)));
}

void put(Bytes& bytes, const IpAddress& address) {
  bytes.insert(bytes.end(), address.bytes().begin(), address.bytes().begin() + address.bits() / 8);
}

std::uint16_t checksum(const Bytes& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += i % 2 == 0 ? static_cast<std::uint32_t>(bytes[i]) << 8 : bytes[i];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

void set16(Bytes& bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value & 0xff);
}

std::size_t header_size(std::uint8_t protocol) { return protocol == IPPROTO_TCP ? 20 : 8; }

std::size_t checksum_at(std::uint8_t protocol) {
  if (protocol == IPPROTO_TCP) return 16;
  return protocol == IPPROTO_UDP ? 6 : 2;
}

Bytes transport_of(const Probe& probe) {
  Bytes bytes;
  const unsigned payload = sizeof(kMagic) + 4;
  if (probe.protocol == IPPROTO_TCP) {
    put(bytes, 2, probe.source_port);
    put(bytes, 2, probe.destination_port);
    put(bytes, 4, 1000);
    put(bytes, 4, (probe.tcp_flags & 0x10) != 0 ? 1001 : 0);
    put(bytes, 2, 0x5000u | probe.tcp_flags);
    put(bytes, 6, 0xffff00000000);
  } else if (probe.protocol == IPPROTO_UDP) {
    put(bytes, 2, probe.source_port);
    put(bytes, 2, probe.destination_port);
    put(bytes, 4, (8u + payload) << 16);
  } else {
    const bool v6 = probe.protocol == IPPROTO_ICMPV6;
    put(bytes, 4,
        static_cast<std::uint64_t>(probe.echo_reply ? (v6 ? 129 : 0) : (v6 ? 128 : 8)) << 24);
    put(bytes, 2, probe.source_port);
    put(bytes, 2, 1);
  }
  bytes.insert(bytes.end(), std::begin(kMagic), std::end(kMagic));
  put(bytes, 4, probe.number);
  return bytes;
}

}  // namespace

std::string Probe::text() const {
  return source.text() + " -> " + destination.text() + " protocol " + std::to_string(protocol) +
         " ports " + std::to_string(source_port) + " " + std::to_string(destination_port) +
         " flags " + std::to_string(tcp_flags) + (echo_reply ? " reply" : "");
}

Bytes ip_packet(const Probe& probe) {
  Bytes transport = transport_of(probe);
  const bool v4 = probe.source.family() == Family::kIpv4;
  Bytes pseudo;
  if (v4 ? probe.protocol != IPPROTO_ICMP : true) {
    put(pseudo, probe.source);
    put(pseudo, probe.destination);
    put(pseudo, 4, transport.size());
    put(pseudo, 4, probe.protocol);
  }
  pseudo.insert(pseudo.end(), transport.begin(), transport.end());
  set16(transport, checksum_at(probe.protocol), checksum(pseudo));
  Bytes packet;
  if (v4) {
    put(packet, 4, 0x45000000u | (20 + transport.size()));
    put(packet, 4, 0x4000);
    put(packet, 4, 64u << 24 | static_cast<std::uint32_t>(probe.protocol) << 16);
  } else {
    put(packet, 4, 0x60000000u);
    put(packet, 4, transport.size() << 16 | static_cast<std::uint32_t>(probe.protocol) << 8 | 64);
  }
  put(packet, probe.source);
  put(packet, probe.destination);
  if (v4) set16(packet, 10, checksum(packet));
  packet.insert(packet.end(), transport.begin(), transport.end());
  return packet;
}

std::optional<std::uint32_t> number_in(const std::uint8_t* transport, std::size_t size,
                                       std::uint8_t protocol) {
  const std::size_t header = header_size(protocol);
  if (size < header + sizeof(kMagic) + 4) return std::nullopt;
  const std::uint8_t* payload = transport + header;
  if (std::memcmp(payload, kMagic, sizeof(kMagic)) != 0) return std::nullopt;
  std::uint32_t number = 0;
  for (unsigned i = 0; i < 4; ++i) number = number << 8 | payload[sizeof(kMagic) + i];
  return number;
}

std::optional<Arrival> arrival_of(const std::uint8_t* packet, std::size_t size) {
  if (size < 40) return std::nullopt;
  const bool v4 = packet[0] >> 4 == 4;
  const std::size_t header = v4 ? 20 : 40;
  const std::uint8_t protocol = packet[v4 ? 9 : 6];
  const auto number = number_in(packet + header, size - header, protocol);
  if (!number) return std::nullopt;
  const Family family = v4 ? Family::kIpv4 : Family::kIpv6;
  const bool ports = protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
  const std::uint8_t* port = packet + header + (ports ? 0 : 4);
  return Arrival{*number, IpAddress(family, packet + (v4 ? 12 : 8)),
                 IpAddress(family, packet + (v4 ? 16 : 24)),
                 static_cast<std::uint16_t>(port[0] << 8 | port[1])};
}

}  // namespace espial::test
