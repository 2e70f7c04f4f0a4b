// SPDX-License-Identifier: Apache-2.0
#include "sources/firewall/iptables_matches.h"

#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace espial {
namespace {

using Steps = std::vector<RuleStep>;
using Relation = Match::Relation;

Interval only(Wide value) { return {value, value}; }

std::optional<std::uint8_t> protocol_number(std::string_view text) {
  constexpr std::pair<std::string_view, int> kKnown[] = {
      {"tcp", 6},    {"udp", 17},  {"icmp", 1},     {"ipv6-icmp", 58}, {"icmpv6", 58},
      {"esp", 50},   {"ah", 51},   {"sctp", 132},   {"gre", 47},       {"udplite", 136},
      {"dccp", 33},  {"ipip", 4},  {"ipencap", 4},  {"ipv6", 41},      {"igmp", 2},
      {"vrrp", 112}, {"ospf", 89}, {"ipcomp", 108},
  };
  for (const auto& [name, number] : kKnown)
    if (name == text) return static_cast<std::uint8_t>(number);
  const auto number = iptables_number(text);
  if (!number || *number > 255) return std::nullopt;
  return static_cast<std::uint8_t>(*number);
}

// "10.0.0.0/8", "10.0.0.1", "10.0.0.0/255.0.255.0".
std::optional<Match> address(Field v4, Field v6, const IptablesOption& option) {
  const std::string_view text = option.values[0];
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const bool is_v4 = address->family() == Family::kIpv4;
  Wide mask = is_v4 ? 0xffffffff : ~Wide{0};
  if (slash != std::string_view::npos) {
    const auto tail = text.substr(slash + 1);
    if (const auto as_address = IpAddress::parse(tail)) {
      mask = wide(*as_address);
    } else {
      const auto length = iptables_number(tail);
      if (!length || *length > address->bits()) return std::nullopt;
      const unsigned zeros = address->bits() - *length;
      mask = zeros == 128 ? 0 : (mask >> zeros) << zeros;
    }
  }
  Match match = iptables_compare(is_v4 ? v4 : v6, option, only(wide(*address) & mask));
  match.keys[0].operations.push_back({BitOperation::Kind::kAnd, mask});
  return match;
}

std::optional<Interval> ports_of(std::string_view text) {
  const auto colon = text.find(':');
  const auto first = colon == 0 ? 0 : iptables_number(text.substr(0, colon));
  std::optional<std::uint32_t> last = first;
  if (colon != std::string_view::npos)
    last = colon + 1 == text.size() ? 65535 : iptables_number(text.substr(colon + 1));
  if (!first || !last || *first > 65535 || *last > 65535) return std::nullopt;
  return Interval{*first, *last};
}

Pattern interface(const std::string& text) {
  if (text.ends_with('+')) return Name{text.substr(0, text.size() - 1), true};
  return Name{text, false};
}

std::optional<Match> of_rule(const IptablesOption& option) {
  if (option.values.size() == 1) {
    if (option.name == "-s") return address(Field::kIpSource, Field::kIp6Source, option);
    if (option.name == "-d") return address(Field::kIpDestination, Field::kIp6Destination, option);
    if (option.name == "-i")
      return iptables_compare(Field::kIifname, option, interface(option.values[0]));
    if (option.name == "-o")
      return iptables_compare(Field::kOifname, option, interface(option.values[0]));
    if (option.name == "-p")
      if (const auto number = protocol_number(option.values[0])) {
        if (*number == 0) return iptables_compare(Field::kL4proto, option, Anything{});
        return iptables_compare(Field::kL4proto, option, only(*number));
      }
  }
  // -f: later fragments.
  if (option.name != "-f" || !option.values.empty()) return std::nullopt;
  return iptables_compare(Field::kFragment, option, Interval{1, 0x1fff});
}

std::optional<std::uint32_t> tcp_flags(std::string_view text) {
  constexpr std::pair<std::string_view, std::uint32_t> kKnown[] = {
      {"FIN", 1},  {"SYN", 2},  {"RST", 4},  {"PSH", 8},
      {"ACK", 16}, {"URG", 32}, {"NONE", 0}, {"ALL", 63}};
  std::uint32_t flags = 0;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(','));
    bool found = false;
    for (const auto& [name, bits] : kKnown)
      if (name == word) {
        flags |= bits;
        found = true;
      }
    if (!found) return std::nullopt;
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  return flags;
}

Match flags_match(const IptablesOption& option, std::uint32_t mask, std::uint32_t value) {
  Match match = iptables_compare(Field::kTcpFlags, option, only(value));
  match.keys[0].operations.push_back({BitOperation::Kind::kAnd, mask});
  return match;
}

std::optional<Match> of_transport(std::uint8_t protocol, const IptablesOption& option) {
  if (option.values.size() == 1 && (option.name == "--sport" || option.name == "--dport")) {
    const auto ports = ports_of(option.values[0]);
    if (!ports) return std::nullopt;
    Match match = iptables_compare(
        option.name == "--sport" ? Field::kSourcePort : Field::kDestinationPort, option, *ports);
    match.keys[0].protocol = protocol;
    return match;
  }
  if (protocol != IPPROTO_TCP) return std::nullopt;
  if (option.name == "--syn" && option.values.empty()) return flags_match(option, 0x17, 2);
  if (option.name != "--tcp-flags" || option.values.size() != 2) return std::nullopt;
  const auto mask = tcp_flags(option.values[0]);
  const auto value = tcp_flags(option.values[1]);
  if (!mask || !value) return std::nullopt;
  return flags_match(option, *mask, *value);
}

// multiport: "22,80,100:200".
std::optional<Match> of_multiport(const IptablesOption& option) {
  if (option.values.size() != 1) return std::nullopt;
  if (option.name != "--sports" && option.name != "--dports") return std::nullopt;
  Match match = iptables_compare(
      option.name == "--sports" ? Field::kSourcePort : Field::kDestinationPort, option, Anything{});
  match.elements.clear();
  std::string_view text = option.values[0];
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(','));
    const auto ports = ports_of(word);
    if (!ports) return std::nullopt;
    Element element;
    element.patterns.emplace_back(*ports);
    match.elements.push_back(std::move(element));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  return match;
}

// icmp: "8", "3/4", "any".
std::optional<Match> of_icmp(bool v6, const IptablesOption& option) {
  if (option.name != (v6 ? "--icmpv6-type" : "--icmp-type") || option.values.size() != 1)
    return std::nullopt;
  const std::string_view text = option.values[0];
  const Field type_field = v6 ? Field::kIcmp6Type : Field::kIcmpType;
  if (text == "any") return iptables_compare(type_field, option, Anything{});
  const auto slash = text.find('/');
  const auto type = iptables_number(text.substr(0, slash));
  if (!type || *type > 254) return std::nullopt;
  Match match = iptables_compare(type_field, option, only(*type));
  if (slash == std::string_view::npos) return match;
  const auto code = iptables_number(text.substr(slash + 1));
  if (!code || *code > 255) return std::nullopt;
  Key key;
  key.field = v6 ? Field::kIcmp6Code : Field::kIcmpCode;
  key.text = option.name;
  match.keys.push_back(std::move(key));
  match.elements[0].patterns.emplace_back(only(*code));
  return match;
}

std::optional<Match> of_state(const IptablesOption& option) {
  constexpr std::pair<std::string_view, std::uint32_t> kKnown[] = {
      {"INVALID", 1}, {"ESTABLISHED", 2}, {"RELATED", 4}, {"NEW", 8}, {"UNTRACKED", 64}};
  if (option.values.size() != 1 || (option.name != "--ctstate" && option.name != "--state"))
    return std::nullopt;
  if (option.values[0] == "DNAT") return iptables_compare(Field::kCtDnat, option, only(1));
  std::uint32_t bits = 0;
  std::string_view text = option.values[0];
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(','));
    std::uint32_t bit = 0;
    for (const auto& [name, value] : kKnown)
      if (name == word) bit = value;
    if (bit == 0) return std::nullopt;  // SNAT, and DNAT beside others, look at something else
    bits |= bit;
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  Match match = iptables_compare(Field::kCtState, option, only(bits));
  match.relation = option.negated ? Relation::kNoBit : Relation::kAnyBit;
  return match;
}

std::optional<Match> of_mark(Field field, const IptablesOption& option) {
  if (option.name != "--mark" || option.values.size() != 1) return std::nullopt;
  const auto mark = iptables_masked(option.values[0]);
  if (!mark) return std::nullopt;
  Match match = iptables_compare(field, option, only(mark->value));
  match.keys[0].operations.push_back({BitOperation::Kind::kAnd, mark->mask});
  return match;
}

std::optional<Match> of_range(const IptablesOption& option) {
  if (option.values.size() != 1) return std::nullopt;
  const bool source = option.name == "--src-range";
  if (!source && option.name != "--dst-range") return std::nullopt;
  const std::string_view text = option.values[0];
  const auto dash = text.find('-');
  const auto first = IpAddress::parse(text.substr(0, dash));
  const auto last =
      dash == std::string_view::npos ? first : IpAddress::parse(text.substr(dash + 1));
  if (!first || !last || first->family() != last->family()) return std::nullopt;
  const bool v4 = first->family() == Family::kIpv4;
  const Field field = source ? (v4 ? Field::kIpSource : Field::kIp6Source)
                             : (v4 ? Field::kIpDestination : Field::kIp6Destination);
  return iptables_compare(field, option, Interval{wide(*first), wide(*last)});
}

// net/netfilter/xt_policy.c: without elements only "none" or "ipsec" counts.
std::optional<Steps> of_policy(const std::vector<IptablesOption>& options) {
  std::string direction;
  std::string kind;
  bool more = false;
  for (const auto& option : options) {
    if (option.name == "--dir" && option.values.size() == 1)
      direction = option.values[0];
    else if (option.name == "--pol" && option.values.size() == 1)
      kind = option.values[0];
    else
      more = true;
  }
  if ((direction != "in" && direction != "out") || (kind != "none" && kind != "ipsec"))
    return std::nullopt;
  const Field field = direction == "in" ? Field::kIpsecIn : Field::kIpsecOut;
  Steps steps{iptables_compare(field, {false, "policy", {}}, only(kind == "ipsec" ? 1 : 0))};
  if (more) steps.emplace_back(UnknownMatch{"-m policy with templates"});
  return steps;
}

// addrtype: "LOCAL", "UNICAST,LOCAL"; the numbers are those of linux/rtnetlink.h.
std::optional<Steps> of_address_type(const std::vector<IptablesOption>& options) {
  constexpr std::pair<std::string_view, std::uint32_t> kKnown[] = {
      {"UNSPEC", 0},    {"UNICAST", 1},   {"LOCAL", 2},       {"BROADCAST", 3}, {"ANYCAST", 4},
      {"MULTICAST", 5}, {"BLACKHOLE", 6}, {"UNREACHABLE", 7}, {"PROHIBIT", 8}};
  Steps steps;
  FibQuestion limit;
  for (const auto& option : options) {
    limit.iif = limit.iif || option.name == "--limit-iface-in";
    limit.oif = limit.oif || option.name == "--limit-iface-out";
  }
  for (const auto& option : options) {
    if (option.name.starts_with("--limit-iface-") && option.values.empty()) continue;
    const bool destination = option.name == "--dst-type";
    if ((!destination && option.name != "--src-type") || option.values.size() != 1)
      return std::nullopt;
    Match match = iptables_compare(Field::kFibType, option, Anything{});
    match.elements.clear();
    match.keys[0].fib = limit;
    match.keys[0].fib.destination = destination;
    std::string_view text = option.values[0];
    while (!text.empty()) {
      const auto word = text.substr(0, text.find(','));
      const auto known = std::find_if(std::begin(kKnown), std::end(kKnown),
                                      [&](const auto& row) { return row.first == word; });
      if (known == std::end(kKnown)) return std::nullopt;
      match.elements.push_back({{only(known->second)}, {}, {}, {}});
      text.remove_prefix(std::min(word.size() + 1, text.size()));
    }
    steps.emplace_back(std::move(match));
  }
  return steps.empty() ? std::nullopt : std::optional(std::move(steps));
}

// ttl, hl: "--ttl-eq 64", "--hl-lt 2".
std::optional<Match> of_hop_limit(Field field, const IptablesOption& option) {
  if (option.values.size() != 1) return std::nullopt;
  const auto value = iptables_number(option.values[0]);
  if (!value || *value > 255) return std::nullopt;
  Match match = iptables_compare(field, option, only(*value));
  const std::string name = option.name.substr(option.name.find_last_of('-') + 1);
  if (name == "lt" && !option.negated) match.relation = Relation::kBelow;
  if (name == "gt" && !option.negated) match.relation = Relation::kAbove;
  return name == "eq" || !option.negated ? std::optional(std::move(match)) : std::nullopt;
}

std::optional<Match> one_option(std::string_view module, const IptablesOption& option) {
  constexpr std::pair<std::string_view, std::uint8_t> kTransports[] = {
      {"tcp", 6}, {"udp", 17}, {"sctp", 132}, {"udplite", 136}, {"dccp", 33}};
  if (module.empty()) return of_rule(option);
  for (const auto& [name, protocol] : kTransports)
    if (name == module) return of_transport(protocol, option);
  if (module == "multiport") return of_multiport(option);
  if (module == "icmp" || module == "icmp6") return of_icmp(module == "icmp6", option);
  if (module == "conntrack" || module == "state") return of_state(option);
  if (module == "mark") return of_mark(Field::kMark, option);
  if (module == "connmark") return of_mark(Field::kCtMark, option);
  if (module == "iprange") return of_range(option);
  if (module == "ttl" || module == "hl")
    return of_hop_limit(module == "ttl" ? Field::kTtl : Field::kHopLimit, option);
  return std::nullopt;
}

}  // namespace

Match iptables_compare(Field field, const IptablesOption& option, Pattern pattern) {
  Match match;
  Key key;
  key.field = field;
  key.text = option.name;
  match.keys.push_back(std::move(key));
  match.relation = option.negated ? Relation::kIsNot : Relation::kIs;
  Element element;
  element.patterns.push_back(std::move(pattern));
  match.elements.push_back(std::move(element));
  return match;
}

std::optional<std::uint32_t> iptables_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x")) {
    base = 16;
    text.remove_prefix(2);
  }
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Masked> iptables_masked(std::string_view text) {
  const auto slash = text.find('/');
  const auto value = iptables_number(text.substr(0, slash));
  if (!value) return std::nullopt;
  if (slash == std::string_view::npos) return Masked{*value};
  const auto mask = iptables_number(text.substr(slash + 1));
  if (!mask) return std::nullopt;
  return Masked{*value, *mask};
}

std::optional<Steps> iptables_match(std::string_view module,
                                    const std::vector<IptablesOption>& options) {
  if (module == "comment") return Steps{NoEffect{"comment"}};
  if (module == "policy") return of_policy(options);
  if (module == "addrtype") return of_address_type(options);
  Steps steps;
  for (const auto& option : options) {
    auto match = one_option(module, option);
    if (!match) return std::nullopt;
    steps.emplace_back(std::move(*match));
  }
  // A module that is only named, as in "-m tcp", matches what -p says.
  if (steps.empty() && module != "tcp" && module != "udp" && module != "icmp" && module != "icmp6")
    return std::nullopt;
  return steps;
}

}  // namespace espial
