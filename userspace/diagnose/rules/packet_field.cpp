// SPDX-License-Identifier: Apache-2.0
#include "diagnose/rules/packet_match.h"

#include "base/protocols.h"
#include "diagnose/lookup/fib.h"

namespace espial {
namespace {

Seen seen_number(Wide value) { return {Seen::Kind::kNumber, value, {}}; }
Seen absent() { return {Seen::Kind::kAbsent, 0, {}}; }
Seen unknown() { return {}; }

template <typename T>
Seen known(const std::optional<T>& value) {
  return value ? seen_number(*value) : unknown();
}

Seen known(Tri value) {
  return value == Tri::kUnknown ? unknown() : seen_number(value == Tri::kYes ? 1 : 0);
}

bool without_oif(PacketHook hook) {
  return hook == PacketHook::kIngress || hook == PacketHook::kPrerouting ||
         hook == PacketHook::kInput;
}

// A hook without the device gives an empty name, which only "is not" can match.
Seen device(const std::optional<std::string>& name, bool none) {
  if (none) return {Seen::Kind::kText, 0, {}};
  if (!name) return unknown();
  return {Seen::Kind::kText, 0, *name};
}

Seen device_type(const std::optional<std::string>& name, const std::optional<std::uint16_t>& type,
                 bool none) {
  if (none || name == "") return absent();
  return known(type);
}

bool is_ip(const Packet& packet, Family family) { return !packet.arp && packet.family == family; }

Seen address(const std::optional<IpAddress>& address, Family wanted, const Packet& packet) {
  if (!is_ip(packet, wanted)) return absent();
  return address ? seen_number(wide(*address)) : unknown();
}

bool has_ports(std::uint8_t protocol) {
  return protocol == kProtocolTcp || protocol == 17 || protocol == 33 || protocol == 132 ||
         protocol == 136;
}

Seen port(const std::optional<std::uint16_t>& port, const Key& key, const Packet& packet) {
  if (packet.arp) return absent();
  if (!packet.protocol) return unknown();
  if (key.protocol != 0 && key.protocol != *packet.protocol) return absent();
  // "th" reads the bytes of whatever is there.
  if (!has_ports(*packet.protocol)) return unknown();
  return known(port);
}

Seen of_protocol(const std::optional<std::uint8_t>& value, std::uint8_t protocol,
                 const Packet& packet) {
  if (packet.arp) return absent();
  if (!packet.protocol) return unknown();
  if (*packet.protocol != protocol) return absent();
  return known(value);
}

Seen state_bits(Tracking tracking) {
  switch (tracking) {
    case Tracking::kUnknown:
      return unknown();
    case Tracking::kInvalid:
      return seen_number(1);
    case Tracking::kEstablished:
      return seen_number(2);
    case Tracking::kRelated:
      return seen_number(4);
    case Tracking::kNew:
      return seen_number(8);
    case Tracking::kUntracked:
      return seen_number(64);
  }
  return unknown();
}

// Before conntrack a packet without a notrack rule counts as invalid (nft_ct.c).
Seen ct_state(const Packet& packet, Tri before_tracking) {
  if (before_tracking == Tri::kUnknown) return unknown();
  if (before_tracking == Tri::kNo || packet.tracking == Tracking::kUntracked)
    return state_bits(packet.tracking);
  return packet.tracking == Tracking::kUnknown ? unknown() : seen_number(1);
}

// Fields of the connection, which is not there before conntrack and of packets without one.
Seen seen_connection(const Packet& packet, Tri before_tracking, Seen value) {
  if (before_tracking == Tri::kYes || packet.tracking == Tracking::kInvalid ||
      packet.tracking == Tracking::kUntracked)
    return absent();
  if (before_tracking == Tri::kUnknown || packet.tracking == Tracking::kUnknown) return unknown();
  return value;
}

Seen ipsec_out(const Packet& packet, PacketHook hook) {
  // Not routed yet: there is nothing to look at.
  if (hook == PacketHook::kPrerouting || hook == PacketHook::kIngress) return absent();
  if (hook == PacketHook::kInput) return seen_number(0);
  return known(packet.ipsec_out);
}

Seen ether_type(const Packet& packet) {
  if (packet.arp) return seen_number(0x0806);
  return seen_number(packet.family == Family::kIpv4 ? 0x0800 : 0x86dd);
}

Seen seen_family(const Packet& packet, const RulePlace& place) {
  if (place.protocol_family != 0) return seen_number(place.protocol_family);
  return seen_number(packet.family == Family::kIpv4 ? 2 : 10);
}

// The device that a fib expression is limited to; "" in limited: none is. Nothing: not known.
std::optional<std::string> fib_limit(const FibQuestion& fib, const Packet& packet) {
  if (fib.iif) return packet.iif;
  if (fib.oif) return packet.oif;
  return std::string();
}

Seen fib_type(const FibQuestion& fib, const Packet& packet, const Fib* routes) {
  const auto& asked = fib.destination ? packet.destination : packet.source;
  const auto limit = fib_limit(fib, packet);
  if (packet.arp || routes == nullptr || !asked || !limit) return unknown();
  return known(routes->type_of(*asked, *limit));
}

Seen fib_device(const FibQuestion& fib, const Packet& packet, const Fib* routes) {
  const auto& asked = fib.destination ? packet.destination : packet.source;
  const auto& other = fib.destination ? packet.source : packet.destination;
  const auto limit = fib_limit(fib, packet);
  // A mark may choose another table, whether it is asked for or not: who sets one is not followed.
  if (packet.arp || routes == nullptr || !asked || !limit || packet.mark != 0u) return unknown();
  const auto device = routes->device_to(*asked, other, *limit);
  return device ? Seen{Seen::Kind::kText, 0, *device} : unknown();
}

Seen plain(const Key& key, const Packet& packet, const RulePlace& place) {
  const bool no_iif = place.hook == PacketHook::kOutput || place.hook == PacketHook::kEgress;
  const bool no_oif = without_oif(place.hook);
  switch (key.field) {
    case Field::kOther:
      return unknown();
    case Field::kIifname:
    case Field::kIif:
      return device(packet.iif, no_iif);
    case Field::kOifname:
    case Field::kOif:
      return device(packet.oif, no_oif);
    case Field::kIiftype:
      return device_type(packet.iif, packet.iif_type, no_iif);
    case Field::kOiftype:
      return device_type(packet.oif, packet.oif_type, no_oif);
    case Field::kIbrname:
      return device(packet.bridge, no_iif || packet.iif == "");
    case Field::kObrname:
      return device(packet.bridge, no_oif);
    case Field::kL4proto:
      return packet.arp ? absent() : known(packet.protocol);
    case Field::kNfproto:
      return seen_family(packet, place);
    case Field::kEtherType:
      return ether_type(packet);
    case Field::kMark:
      return known(packet.mark);
    case Field::kIpsecIn:
      return known(packet.ipsec_in);
    case Field::kIpsecOut:
      return ipsec_out(packet, place.hook);
    case Field::kIpSource:
      return address(packet.source, Family::kIpv4, packet);
    case Field::kIpDestination:
      return address(packet.destination, Family::kIpv4, packet);
    case Field::kIpProtocol:
      return is_ip(packet, Family::kIpv4) ? known(packet.protocol) : absent();
    case Field::kTtl:
      return is_ip(packet, Family::kIpv4) ? known(packet.hop_limit) : absent();
    case Field::kHopLimit:
      return is_ip(packet, Family::kIpv6) ? known(packet.hop_limit) : absent();
    case Field::kIp6Source:
      return address(packet.source, Family::kIpv6, packet);
    case Field::kIp6Destination:
      return address(packet.destination, Family::kIpv6, packet);
    case Field::kSourcePort:
      return port(packet.source_port, key, packet);
    case Field::kDestinationPort:
      return port(packet.destination_port, key, packet);
    case Field::kTcpFlags:
      return of_protocol(packet.tcp_flags, kProtocolTcp, packet);
    case Field::kIcmpType:
      return of_protocol(packet.icmp_type, kProtocolIcmp, packet);
    case Field::kIcmpCode:
      return of_protocol(packet.icmp_code, kProtocolIcmp, packet);
    case Field::kIcmp6Type:
      return of_protocol(packet.icmp_type, kProtocolIcmpv6, packet);
    case Field::kIcmp6Code:
      return of_protocol(packet.icmp_code, kProtocolIcmpv6, packet);
    case Field::kFragment:
      return packet.arp ? absent() : seen_number(0);
    case Field::kFibType:
      return fib_type(key.fib, packet, place.fib);
    case Field::kFibDevice:
      return fib_device(key.fib, packet, place.fib);
    case Field::kCtState:
      return ct_state(packet, place.before_tracking);
    case Field::kCtMark:
      return seen_connection(packet, place.before_tracking, known(packet.ct_mark));
    case Field::kCtDnat:
      return seen_connection(packet, place.before_tracking, known(packet.new_destination));
    case Field::kCtDirection:
      return seen_connection(packet, place.before_tracking,
                             packet.tracking == Tracking::kNew ? seen_number(0) : unknown());
  }
  return unknown();
}

Wide operated(Wide value, const BitOperation& operation) {
  switch (operation.kind) {
    case BitOperation::Kind::kAnd:
      return value & operation.operand;
    case BitOperation::Kind::kOr:
      return value | operation.operand;
    case BitOperation::Kind::kXor:
      return value ^ operation.operand;
    case BitOperation::Kind::kLeft:
      return operation.operand < 128 ? value << static_cast<unsigned>(operation.operand) : 0;
    case BitOperation::Kind::kRight:
      return operation.operand < 128 ? value >> static_cast<unsigned>(operation.operand) : 0;
  }
  return value;
}

}  // namespace

Seen look_at(const Key& key, const Packet& packet, const RulePlace& place) {
  Seen seen = plain(key, packet, place);
  if (seen.kind != Seen::Kind::kNumber) return seen;
  for (const auto& operation : key.operations) seen.number = operated(seen.number, operation);
  return seen;
}

}  // namespace espial
