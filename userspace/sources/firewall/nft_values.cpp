// SPDX-License-Identifier: Apache-2.0
#include "sources/firewall/nft_values.h"

#include <netinet/in.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "json/json_member.h"

namespace espial {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kTextMax = 200;

std::string string_at(const Json& json, const char* name) {
  const Json* found = member(json, name);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

struct NamedField {
  std::string_view protocol;
  std::string_view name;
  Field field;
};

constexpr NamedField kMeta[] = {
    {"", "iifname", Field::kIifname}, {"", "oifname", Field::kOifname},
    {"", "iif", Field::kIif},         {"", "oif", Field::kOif},
    {"", "iiftype", Field::kIiftype}, {"", "oiftype", Field::kOiftype},
    {"", "l4proto", Field::kL4proto}, {"", "nfproto", Field::kNfproto},
    {"", "mark", Field::kMark},       {"", "protocol", Field::kEtherType},
    {"", "ipsec", Field::kIpsecIn},   {"", "secpath", Field::kIpsecIn},
    {"", "ibrname", Field::kIbrname}, {"", "obrname", Field::kObrname},
};
constexpr NamedField kCt[] = {
    {"", "state", Field::kCtState},
    {"", "mark", Field::kCtMark},
    {"", "direction", Field::kCtDirection},
};
constexpr NamedField kPayload[] = {
    {"ip", "saddr", Field::kIpSource},
    {"ip", "daddr", Field::kIpDestination},
    {"ip", "protocol", Field::kIpProtocol},
    {"ip6", "saddr", Field::kIp6Source},
    {"ip6", "daddr", Field::kIp6Destination},
    {"tcp", "flags", Field::kTcpFlags},
    {"icmp", "type", Field::kIcmpType},
    {"icmp", "code", Field::kIcmpCode},
    {"icmpv6", "type", Field::kIcmp6Type},
    {"icmpv6", "code", Field::kIcmp6Code},
    {"ip", "ttl", Field::kTtl},
    {"ip6", "hoplimit", Field::kHopLimit},
    {"ether", "type", Field::kEtherType},
};

template <std::size_t N>
Field lookup(const NamedField (&table)[N], std::string_view protocol, std::string_view name) {
  for (const auto& row : table)
    if (row.protocol == protocol && row.name == name) return row.field;
  return Field::kOther;
}

// Which ports a payload expression means. "th" reads them of whatever the transport is.
std::optional<std::uint8_t> port_protocol(std::string_view protocol) {
  constexpr std::pair<std::string_view, int> kKnown[] = {
      {"th", 0},     {"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP},
      {"sctp", 132}, {"udplite", 136},     {"dccp", 33},
  };
  for (const auto& [name, number] : kKnown)
    if (name == protocol) return static_cast<std::uint8_t>(number);
  return std::nullopt;
}

Key payload_key(const Json& payload) {
  Key key;
  const std::string protocol = string_at(payload, "protocol");
  const std::string name = string_at(payload, "field");
  key.field = lookup(kPayload, protocol, name);
  key.text = protocol + " " + name;
  const auto ports = port_protocol(protocol);
  if (ports && (name == "sport" || name == "dport")) {
    key.field = name == "sport" ? Field::kSourcePort : Field::kDestinationPort;
    key.protocol = *ports;
  }
  if (protocol.empty()) key.text = nft_text_of(payload);
  return key;
}

// "fib saddr . iif oif": what is asked, and about which address.
void read_fib(const Json& fib, Key& key) {
  const std::string result = string_at(fib, "result");
  const Json* flags = member(fib, "flags");
  if (flags == nullptr || !flags->is_array()) return;
  bool source = false;
  for (const auto& flag : *flags) {
    if (!flag.is_string()) return;
    const auto name = flag.get<std::string>();
    source = source || name == "saddr";
    key.fib.destination = key.fib.destination || name == "daddr";
    key.fib.iif = key.fib.iif || name == "iif";
    key.fib.oif = key.fib.oif || name == "oif";
  }
  if (source == key.fib.destination) return;
  if (result == "type") key.field = Field::kFibType;
  if (result == "oif" || result == "oifname") key.field = Field::kFibDevice;
}

// A selector without operations on it.
Key plain_key(const Json& json) {
  Key key;
  key.text = nft_text_of(json);
  if (const Json* meta = member(json, "meta")) {
    const std::string name = string_at(*meta, "key");
    key.field = lookup(kMeta, "", name);
    key.text = "meta " + name;
  } else if (const Json* ct = member(json, "ct")) {
    const std::string name = string_at(*ct, "key");
    // With a direction, mark and the like would be the same; addresses are not modelled.
    key.field = member(*ct, "dir") == nullptr ? lookup(kCt, "", name) : Field::kOther;
    key.text = "ct " + name;
  } else if (const Json* rt = member(json, "rt")) {
    if (string_at(*rt, "key") == "ipsec") key.field = Field::kIpsecOut;
  } else if (const Json* fib = member(json, "fib")) {
    read_fib(*fib, key);
  } else if (const Json* payload = member(json, "payload")) {
    return payload_key(*payload);
  }
  return key;
}

std::optional<BitOperation::Kind> operation_of(std::string_view name) {
  constexpr std::pair<std::string_view, BitOperation::Kind> kKnown[] = {
      {"&", BitOperation::Kind::kAnd},    {"|", BitOperation::Kind::kOr},
      {"^", BitOperation::Kind::kXor},    {"<<", BitOperation::Kind::kLeft},
      {">>", BitOperation::Kind::kRight},
  };
  for (const auto& [text, kind] : kKnown)
    if (text == name) return kind;
  return std::nullopt;
}

Key key_of(const Json& json) {
  if (json.is_object() && json.size() == 1) {
    const auto kind = operation_of(json.begin().key());
    const Json& operands = json.begin().value();
    if (kind && operands.is_array() && operands.size() == 2) {
      const auto operand = nft_constant(operands[1]);
      Key key = key_of(operands[0]);
      if (!operand) key.field = Field::kOther;
      key.operations.push_back({*kind, operand.value_or(0)});
      key.text = nft_text_of(json);
      return key;
    }
  }
  return plain_key(json);
}

std::optional<Wide> mac_number(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  Wide value = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i % 3 == 2) {
      if (text[i] != ':') return std::nullopt;
      continue;
    }
    const auto digit = std::string_view("0123456789abcdef").find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << 4 | digit;
  }
  return value;
}

Interval prefix_interval(const IpAddress& address, unsigned length) {
  const Wide all = address.bits() == 128 ? ~Wide{0} : (Wide{1} << address.bits()) - 1;
  const Wide host = length == 0 ? all : all >> length;
  const Wide first = wide(address) & (all ^ host);
  return {first, first | host};
}

// Marks have prefixes, too: 32 bits with their address as a number.
Interval mark_interval(std::uint64_t value, unsigned length) {
  const std::uint64_t host = 0xffffffffull >> length;
  const std::uint64_t first = value & ~host & 0xffffffff;
  return {first, first | host};
}

std::optional<Interval> interval_of_prefix(const Json& json) {
  const Json* number = member(json, "addr");
  const Json* bits_of = member(json, "len");
  if (number != nullptr && number->is_number_unsigned() && bits_of != nullptr &&
      bits_of->is_number_unsigned() && bits_of->get<std::uint64_t>() <= 32)
    return mark_interval(number->get<std::uint64_t>(),
                         static_cast<unsigned>(bits_of->get<std::uint64_t>()));
  const auto address = IpAddress::parse(string_at(json, "addr"));
  const Json* length = member(json, "len");
  if (!address || length == nullptr || !length->is_number_unsigned()) return std::nullopt;
  const auto bits = length->get<std::uint64_t>();
  if (bits > address->bits()) return std::nullopt;
  return prefix_interval(*address, static_cast<unsigned>(bits));
}

Pattern pattern_of(const Json& json) {
  if (const auto number = nft_constant(json)) return Interval{*number, *number};
  if (json.is_string()) {
    const auto text = json.get<std::string>();
    // nft 1.0.6 prints mixed sets of names and wildcards as empty strings: nothing is known then.
    if (text.empty()) return Unknown{"an empty name"};
    if (text.back() == '*') return Name{text.substr(0, text.size() - 1), true};
    return Name{text, false};
  }
  if (const Json* prefix = member(json, "prefix"))
    if (const auto interval = interval_of_prefix(*prefix)) return *interval;
  if (const Json* range = member(json, "range"))
    if (range->is_array() && range->size() == 2) {
      const auto first = nft_constant((*range)[0]);
      const auto last = nft_constant((*range)[1]);
      if (first && last) return Interval{*first, *last};
    }
  return Unknown{nft_text_of(json)};
}

}  // namespace

std::string nft_text_of(const Json& json) {
  auto text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > kTextMax) text.replace(kTextMax, std::string::npos, "...");
  return text;
}

std::optional<Wide> nft_constant(const Json& json) {
  if (json.is_boolean()) return json.get<bool>() ? 1 : 0;
  if (json.is_number_unsigned()) return json.get<std::uint64_t>();
  if (json.is_string()) {
    const auto text = json.get<std::string>();
    if (const auto address = IpAddress::parse(text)) return wide(*address);
    return mac_number(text);
  }
  // A list, or an explicit "|" of bits: flags.
  const Json* bits = json.is_array() ? &json : member(json, "|");
  if (bits == nullptr || !bits->is_array()) return std::nullopt;
  Wide all = 0;
  for (const auto& bit : *bits) {
    if (bit.is_array()) return std::nullopt;
    const auto number = nft_constant(bit);
    if (!number) return std::nullopt;
    all |= *number;
  }
  return all;
}

std::vector<Key> nft_keys(const Json& json) {
  std::vector<Key> keys;
  const Json* concat = member(json, "concat");
  if (concat != nullptr && concat->is_array())
    for (const auto& part : *concat) keys.push_back(key_of(part));
  else
    keys.push_back(key_of(json));
  return keys;
}

Element nft_element(const Json& json, std::size_t fields) {
  Element element;
  const Json* value = &json;
  if (const Json* wrapped = member(json, "elem")) {
    element.comment = string_at(*wrapped, "comment");
    if (const Json* timeout = member(*wrapped, "timeout"))
      if (timeout->is_number_unsigned()) element.timeout_seconds = timeout->get<std::uint64_t>();
    value = member(*wrapped, "val");
    if (value == nullptr) value = &json;
  }
  if (value->is_string() && value->get<std::string>() == "*") {
    element.patterns.assign(fields, Anything{});
    return element;
  }
  const Json* concat = member(*value, "concat");
  if (concat != nullptr && concat->is_array())
    for (const auto& part : *concat) element.patterns.push_back(pattern_of(part));
  else
    element.patterns.push_back(pattern_of(*value));
  if (fields != 0 && element.patterns.size() != fields)
    element.patterns.assign(fields, Unknown{nft_text_of(*value)});
  return element;
}

std::vector<Element> nft_elements(const Json& json, const std::vector<Key>& keys) {
  std::vector<Element> elements;
  const Json* set = member(json, "set");
  if (set != nullptr && set->is_array())
    for (const auto& item : *set) elements.push_back(nft_element(item, keys.size()));
  else
    elements.push_back(nft_element(json, keys.size()));
  return elements;
}

}  // namespace espial
