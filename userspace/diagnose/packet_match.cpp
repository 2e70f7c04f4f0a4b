// SPDX-License-Identifier: Apache-2.0
#include "diagnose/packet_match.h"

#include <utility>

namespace espial {
namespace {

constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kIcmp6 = 58;

Seen number(Wide value) { return {Seen::Kind::kNumber, value, {}}; }
Seen absent() { return {Seen::Kind::kAbsent, 0, {}}; }
Seen unknown() { return {}; }

template <typename T>
Seen known(const std::optional<T>& value) {
  return value ? number(*value) : unknown();
}

Seen known(Tri value) {
  return value == Tri::kUnknown ? unknown() : number(value == Tri::kYes ? 1 : 0);
}

Tri negate(Tri value) {
  if (value == Tri::kUnknown) return value;
  return value == Tri::kYes ? Tri::kNo : Tri::kYes;
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

Seen address(const std::optional<IpAddress>& address, Family wanted, const Packet& packet) {
  if (packet.family != wanted) return absent();
  return address ? number(wide(*address)) : unknown();
}

bool has_ports(std::uint8_t protocol) {
  return protocol == kTcp || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
}

Seen port(const std::optional<std::uint16_t>& port, const Key& key, const Packet& packet) {
  if (!packet.protocol) return unknown();
  if (key.protocol != 0 && key.protocol != *packet.protocol) return absent();
  // "th" reads the bytes of whatever is there.
  if (!has_ports(*packet.protocol)) return unknown();
  return known(port);
}

Seen of_protocol(const std::optional<std::uint8_t>& value, std::uint8_t protocol,
                 const Packet& packet) {
  if (!packet.protocol) return unknown();
  if (*packet.protocol != protocol) return absent();
  return known(value);
}

Seen state_bits(Tracking tracking) {
  switch (tracking) {
    case Tracking::kUnknown:
      return unknown();
    case Tracking::kInvalid:
      return number(1);
    case Tracking::kEstablished:
      return number(2);
    case Tracking::kRelated:
      return number(4);
    case Tracking::kNew:
      return number(8);
    case Tracking::kUntracked:
      return number(64);
  }
  return unknown();
}

// Before conntrack a packet without a notrack rule counts as invalid (nft_ct.c).
Seen ct_state(const Packet& packet, Tri before_tracking) {
  if (before_tracking == Tri::kUnknown) return unknown();
  if (before_tracking == Tri::kNo || packet.tracking == Tracking::kUntracked)
    return state_bits(packet.tracking);
  return packet.tracking == Tracking::kUnknown ? unknown() : number(1);
}

// Fields of the connection, which is not there before conntrack and of packets without one.
Seen of_connection(const Packet& packet, Tri before_tracking, Seen value) {
  if (before_tracking == Tri::kYes || packet.tracking == Tracking::kInvalid ||
      packet.tracking == Tracking::kUntracked)
    return absent();
  if (before_tracking == Tri::kUnknown || packet.tracking == Tracking::kUnknown) return unknown();
  return value;
}

Seen ipsec_out(const Packet& packet, PacketHook hook) {
  // Not routed yet: there is nothing to look at.
  if (hook == PacketHook::kPrerouting || hook == PacketHook::kIngress) return absent();
  if (hook == PacketHook::kInput) return number(0);
  return known(packet.ipsec_out);
}

Seen plain(const Key& key, const Packet& packet, const RulePlace& place) {
  const bool no_iif = place.hook == PacketHook::kOutput;
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
    case Field::kL4proto:
      return known(packet.protocol);
    case Field::kNfproto:
      return number(packet.family == Family::kIpv4 ? 2 : 10);
    case Field::kEtherType:
      return number(packet.family == Family::kIpv4 ? 0x0800 : 0x86dd);
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
      return packet.family == Family::kIpv4 ? known(packet.protocol) : absent();
    case Field::kIp6Source:
      return address(packet.source, Family::kIpv6, packet);
    case Field::kIp6Destination:
      return address(packet.destination, Family::kIpv6, packet);
    case Field::kSourcePort:
      return port(packet.source_port, key, packet);
    case Field::kDestinationPort:
      return port(packet.destination_port, key, packet);
    case Field::kTcpFlags:
      return of_protocol(packet.tcp_flags, kTcp, packet);
    case Field::kIcmpType:
      return of_protocol(packet.icmp_type, kIcmp, packet);
    case Field::kIcmpCode:
      return of_protocol(packet.icmp_code, kIcmp, packet);
    case Field::kIcmp6Type:
      return of_protocol(packet.icmp_type, kIcmp6, packet);
    case Field::kIcmp6Code:
      return of_protocol(packet.icmp_code, kIcmp6, packet);
    case Field::kFragment:
      return number(0);
    case Field::kCtState:
      return ct_state(packet, place.before_tracking);
    case Field::kCtMark:
      return of_connection(packet, place.before_tracking, known(packet.ct_mark));
    case Field::kCtDirection:
      return of_connection(packet, place.before_tracking,
                           packet.tracking == Tracking::kNew ? number(0) : unknown());
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

// nft 1.0.6 prints ethertypes with their bytes swapped when asked for numbers.
Wide swapped16(Wide value) { return (value & 0xff) << 8 | (value >> 8 & 0xff); }

bool inside(Wide value, const Interval& interval) {
  return value >= interval.first && value <= interval.last;
}

Tri fits(const Pattern& pattern, const Seen& seen, Field field) {
  if (std::holds_alternative<Anything>(pattern)) return Tri::kYes;
  if (seen.kind == Seen::Kind::kUnknown || std::holds_alternative<Unknown>(pattern))
    return Tri::kUnknown;
  if (const auto* name = std::get_if<Name>(&pattern)) {
    if (seen.kind != Seen::Kind::kText) return Tri::kUnknown;
    const bool same = name->prefix ? seen.text.starts_with(name->text) : seen.text == name->text;
    return same ? Tri::kYes : Tri::kNo;
  }
  const auto& interval = std::get<Interval>(pattern);
  // An index that is listed as a number is that of a device that is gone.
  if (seen.kind == Seen::Kind::kText) return Tri::kNo;
  bool in = inside(seen.number, interval);
  if (field == Field::kEtherType) in = in || inside(swapped16(seen.number), interval);
  return in ? Tri::kYes : Tri::kNo;
}

using Values = std::vector<Seen>;

Values look_at_all(const std::vector<Key>& keys, const Packet& packet, const RulePlace& place) {
  Values values;
  values.reserve(keys.size());
  for (const auto& key : keys) values.push_back(look_at(key, packet, place));
  return values;
}

bool any_absent(const Values& values) {
  for (const auto& value : values)
    if (value.kind == Seen::Kind::kAbsent) return true;
  return false;
}

Tri fits(const Element& element, const Values& values, const std::vector<Key>& keys) {
  if (element.patterns.size() != values.size()) return Tri::kUnknown;
  Tri all = Tri::kYes;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Tri one = fits(element.patterns[i], values[i], keys[i].field);
    if (one == Tri::kNo) return Tri::kNo;
    if (one == Tri::kUnknown) all = Tri::kUnknown;
  }
  return all;
}

Tri fits_any(const std::vector<Element>& elements, const Values& values,
             const std::vector<Key>& keys) {
  Tri any = Tri::kNo;
  for (const auto& element : elements) {
    const Tri one = fits(element, values, keys);
    if (one == Tri::kYes) return one;
    if (one == Tri::kUnknown) any = one;
  }
  return any;
}

// Every relation but "is" and "is not": one number against one number.
Tri compares(Match::Relation relation, const Values& values, const std::vector<Element>& elements) {
  if (values.size() != 1 || elements.size() != 1 || elements[0].patterns.size() != 1)
    return Tri::kUnknown;
  const auto* interval = std::get_if<Interval>(elements[0].patterns.data());
  if (interval == nullptr || values[0].kind != Seen::Kind::kNumber) return Tri::kUnknown;
  const Wide seen = values[0].number;
  const Wide with = interval->first;
  const auto tri = [](bool yes) { return yes ? Tri::kYes : Tri::kNo; };
  switch (relation) {
    case Match::Relation::kIs:
    case Match::Relation::kIsNot:
      return Tri::kUnknown;
    case Match::Relation::kBelow:
      return tri(seen < with);
    case Match::Relation::kAbove:
      return tri(seen > with);
    case Match::Relation::kAtMost:
      return tri(seen <= with);
    case Match::Relation::kAtLeast:
      return tri(seen >= with);
    case Match::Relation::kAnyBit:
      return tri((seen & with) != 0);
    case Match::Relation::kNoBit:
      return tri((seen & with) == 0);
  }
  return Tri::kUnknown;
}

bool catches_all(const Element& element) {
  for (const auto& pattern : element.patterns)
    if (!std::holds_alternative<Anything>(pattern)) return false;
  return true;
}

}  // namespace

Seen look_at(const Key& key, const Packet& packet, const RulePlace& place) {
  Seen seen = plain(key, packet, place);
  if (seen.kind != Seen::Kind::kNumber) return seen;
  for (const auto& operation : key.operations) seen.number = operated(seen.number, operation);
  return seen;
}

Tri holds(const Match& match, const std::vector<Element>& elements, const Packet& packet,
          const RulePlace& place) {
  const Values values = look_at_all(match.keys, packet, place);
  if (any_absent(values)) return Tri::kNo;
  if (match.relation == Match::Relation::kIs) return fits_any(elements, values, match.keys);
  if (match.relation == Match::Relation::kIsNot)
    return negate(fits_any(elements, values, match.keys));
  return compares(match.relation, values, elements);
}

MapAnswer look_up(const std::vector<Key>& keys, const std::vector<Element>& elements,
                  const Packet& packet, const RulePlace& place) {
  MapAnswer answer;
  const Values values = look_at_all(keys, packet, place);
  if (any_absent(values)) return answer;
  const Element* rest = nullptr;
  for (const auto& element : elements) {
    if (catches_all(element)) {
      rest = &element;
      continue;
    }
    const Tri one = fits(element, values, keys);
    if (one == Tri::kNo) continue;
    const VerdictStep verdict = element.verdict.value_or(VerdictStep{});
    // Elements do not overlap: one that surely matches is the only one.
    if (one == Tri::kYes) return {{verdict}, Tri::kNo};
    answer.verdicts.push_back(verdict);
    answer.miss = Tri::kUnknown;
  }
  if (rest == nullptr) return answer;
  answer.verdicts.push_back(rest->verdict.value_or(VerdictStep{}));
  answer.miss = Tri::kNo;
  return answer;
}

}  // namespace espial
