// SPDX-License-Identifier: Apache-2.0
#include "sources/firewall/ebtables_rule.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "sources/firewall/iptables_matches.h"
#include "sources/firewall/iptables_rule.h"

namespace espial {
namespace {

using Steps = std::vector<RuleStep>;
using Options = std::vector<IptablesOption>;
using Words = std::vector<std::string>;

// Nothing is escaped but in --string, and a quote may belong to a device's name: where words end is
// clear only without backslashes and with quotes in pairs.
bool has_clear_words(std::string_view rule) {
  return rule.find('\\') == std::string_view::npos &&
         std::count(rule.begin(), rule.end(), '"') % 2 == 0;
}

// Options whose value is free text and may look like an option itself.
bool takes_ebtables_text(std::string_view name) {
  return name.ends_with("-prefix") || name == "--string" || name == "--string-hex";
}

std::string option_text(const IptablesOption& option) {
  std::string text = option.name;
  if (option.negated) text += " !";
  for (const auto& value : option.values) text.append(" ").append(value);
  return text;
}

// "!" stands behind the option's name. What comes before an option is left alone.
Options ebtables_options(const Words& words) {
  Options options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].starts_with('-') || options.empty()) {
      options.push_back({false, words[i], {}});
      if (takes_ebtables_text(words[i]) && i + 1 < words.size())
        options.back().values.push_back(words[++i]);
    } else if (words[i] == "!" && options.back().values.empty()) {
      options.back().negated = true;
    } else {
      options.back().values.push_back(words[i]);
    }
  }
  return options;
}

// Names of /etc/ethertypes; the file may have others, which are not known here.
std::optional<Match> protocol(const IptablesOption& option) {
  constexpr std::pair<std::string_view, std::uint32_t> kKnown[] = {
      {"IPv4", 0x0800},   {"ARP", 0x0806},     {"IPv6", 0x86dd},   {"RARP", 0x8035},
      {"802_1Q", 0x8100}, {"IPX", 0x8137},     {"MPLS", 0x8847},   {"PPP_DISC", 0x8863},
      {"EAPOL", 0x888e},  {"PPP_SES", 0x8864}, {"S-TAG", 0x88a8},  {"LLDP", 0x88cc},
      {"AARP", 0x80f3},   {"ATALK", 0x809b},   {"NetBEUI", 0x8191}};
  const auto& name = option.values[0];
  if (name == "Length") {
    // A type below 1536 is a length (802.3). Compared in units of 512: types also fit with their
    // bytes swapped, as nft 1.0.6 prints them.
    Match match = iptables_compare(Field::kEtherType, option, Interval{0, 2});
    match.keys[0].operations.push_back({BitOperation::Kind::kRight, 9});
    return match;
  }
  std::optional<std::uint32_t> number = iptables_number(name);
  for (const auto& [word, type] : kKnown)
    if (word == name) number = type;
  if (!number || *number > 0xffff) return std::nullopt;
  return iptables_compare(Field::kEtherType, option, Interval{*number, *number});
}

// The names that are printed, as "TYPE" or "TYPE/CODE"; "TYPE/0:255" is any code.
std::optional<std::string> icmp_type(bool v6, const std::string& text) {
  constexpr std::pair<std::string_view, std::string_view> kV4[] = {
      {"echo-reply", "0"},         {"destination-unreachable", "3"}, {"network-unreachable", "3/0"},
      {"host-unreachable", "3/1"}, {"protocol-unreachable", "3/2"},  {"port-unreachable", "3/3"},
      {"redirect", "5"},           {"fragmentation-needed", "3/4"},  {"echo-request", "8"},
      {"time-exceeded", "11"},     {"parameter-problem", "12"}};
  constexpr std::pair<std::string_view, std::string_view> kV6[] = {
      {"destination-unreachable", "1"},
      {"no-route", "1/0"},
      {"packet-too-big", "2"},
      {"time-exceeded", "3"},
      {"parameter-problem", "4"},
      {"echo-request", "128"},
      {"echo-reply", "129"},
      {"router-solicitation", "133"},
      {"router-advertisement", "134"},
      {"neighbour-solicitation", "135"},
      {"neighbour-advertisement", "136"},
      {"redirect", "137"}};
  const auto find = [&](const auto& known) -> std::optional<std::string> {
    for (const auto& [name, number] : known)
      if (name == text) return std::string(number);
    return std::nullopt;
  };
  if (auto number = v6 ? find(kV6) : find(kV4)) return number;
  constexpr std::string_view kAnyCode = "/0:255";
  return text.ends_with(kAnyCode) ? text.substr(0, text.size() - kAnyCode.size()) : text;
}

// What iptables says in other words.
struct Same {
  std::string_view name;
  std::string_view module;
  std::string_view iptables;
};
constexpr Same kSame[] = {
    {"-i", "", "-i"},
    {"-o", "", "-o"},
    {"--logical-in", "", "-i"},
    {"--logical-out", "", "-o"},
    {"--ip-src", "", "-s"},
    {"--ip-dst", "", "-d"},
    {"--ip-proto", "", "-p"},
    {"--ip-sport", "udp", "--sport"},
    {"--ip-dport", "udp", "--dport"},
    {"--ip-icmp-type", "icmp", "--icmp-type"},
    {"--ip6-src", "", "-s"},
    {"--ip6-dst", "", "-d"},
    {"--ip6-proto", "", "-p"},
    {"--ip6-sport", "udp", "--sport"},
    {"--ip6-dport", "udp", "--dport"},
    {"--ip6-icmp-type", "icmp6", "--icmpv6-type"},
    {"--mark", "mark", "--mark"},
};

std::optional<Match> as_in_iptables(const IptablesOption& option) {
  const auto row = std::find_if(std::begin(kSame), std::end(kSame),
                                [&](const Same& same) { return same.name == option.name; });
  if (row == std::end(kSame)) return std::nullopt;
  IptablesOption other{option.negated, std::string(row->iptables), option.values};
  if (row->module.starts_with("icmp")) {
    const auto type = icmp_type(row->module == "icmp6", option.values[0]);
    if (!type) return std::nullopt;
    other.values[0] = *type;
  }
  auto steps = iptables_match(row->module, {other});
  if (!steps || steps->size() != 1) return std::nullopt;
  auto* match = std::get_if<Match>(steps->data());
  if (match == nullptr) return std::nullopt;
  for (auto& key : match->keys) {
    key.text = option.name;
    // Of whatever transport the rule named before.
    if (row->module == "udp") key.protocol = 0;
    if (option.name == "--logical-in") key.field = Field::kIbrname;
    if (option.name == "--logical-out") key.field = Field::kObrname;
  }
  return std::move(*match);
}

// "--mark /MASK": any of these bits (ebt_mark_m.c).
std::optional<Match> any_bit(const IptablesOption& option) {
  const auto mask = iptables_number(std::string_view(option.values[0]).substr(1));
  if (!mask) return std::nullopt;
  Match match = iptables_compare(Field::kMark, option, Interval{*mask, *mask});
  match.relation = option.negated ? Match::Relation::kNoBit : Match::Relation::kAnyBit;
  return match;
}

std::optional<Match> match_of(const IptablesOption& option) {
  if (option.values.size() != 1 || option.values[0].empty()) return std::nullopt;
  if (option.name == "-p") return protocol(option);
  if (option.name == "--mark" && option.values[0].front() == '/') return any_bit(option);
  return as_in_iptables(option);
}

RuleStep step_of(const IptablesOption& option) {
  if (auto match = match_of(option)) return std::move(*match);
  // Watchers.
  for (const std::string_view name : {"--log", "--nflog", "--ulog"})
    if (option.name == name || option.name.starts_with(std::string(name) + "-"))
      return NoEffect{option.name};
  if (option.name.starts_with("--limit")) return Stateful{option_text(option)};
  return UnknownMatch{option_text(option)};
}

std::optional<std::string> option_value(const Options& options, std::string_view name) {
  for (const auto& option : options)
    if (option.name == name && option.values.size() == 1) return option.values[0];
  return std::nullopt;
}

// ebt_mark.c.
std::optional<Assign> new_mark(const Options& options) {
  constexpr std::pair<std::string_view, BitOperation::Kind> kOperations[] = {
      {"--mark-or", BitOperation::Kind::kOr},
      {"--mark-and", BitOperation::Kind::kAnd},
      {"--mark-xor", BitOperation::Kind::kXor}};
  Assign assign;
  assign.target.field = Field::kMark;
  assign.target.text = "mark";
  if (const auto text = option_value(options, "--mark-set")) {
    assign.constant = iptables_number(*text);
    return assign.constant ? std::optional(std::move(assign)) : std::nullopt;
  }
  for (const auto& [name, operation] : kOperations) {
    const auto text = option_value(options, name);
    const auto number = text ? iptables_number(*text) : std::nullopt;
    if (!number) continue;
    assign.copied = assign.target;
    assign.copied->operations.push_back({operation, *number});
    return assign;
  }
  return std::nullopt;
}

Steps ebtables_target(const Words& words, std::string_view table,
                      const std::function<bool(const std::string&)>& is_chain) {
  const std::string& name = words[0];
  if (words.size() == 1 && is_chain(name)) return {VerdictStep{RuleVerdict::kJump, name}};
  if (words.size() == 1) return {ebtables_verdict(name, table)};
  const auto options = ebtables_options({words.begin() + 1, words.end()});
  if (const auto verdict = option_value(options, "--" + name + "-target")) {
    // Of the source's MAC address nothing depends that a rule's match would know.
    if (name == "snat") return {NoEffect{name}, ebtables_verdict(*verdict, table)};
    if (const auto mark = new_mark(options); mark && name == "mark")
      return {*mark, ebtables_verdict(*verdict, table)};
  }
  // dnat, redirect and arpreply change who gets the frame.
  std::string text = "-j";
  for (const auto& word : words) text.append(" ").append(word);
  return {Unknown{std::move(text)}};
}

}  // namespace

RuleStep ebtables_verdict(std::string_view word, std::string_view table) {
  constexpr std::pair<std::string_view, RuleVerdict> kKnown[] = {
      {"ACCEPT", RuleVerdict::kAccept},
      {"DROP", RuleVerdict::kDrop},
      {"CONTINUE", RuleVerdict::kContinue},
      {"RETURN", RuleVerdict::kReturn}};
  if (word == "DROP" && table == "broute") return Unknown{"DROP in broute: to IP past the bridge"};
  for (const auto& [name, verdict] : kKnown)
    if (name == word) return VerdictStep{verdict, {}};
  return Unknown{"-j " + std::string(word)};
}

Steps ebtables_steps(std::string_view rule, std::string_view table,
                     const std::function<bool(const std::string&)>& is_chain) {
  if (!has_clear_words(rule)) return {Unknown{std::string(rule)}};
  auto words = iptables_words(rule);
  auto jump = words.begin();
  while (jump != words.end() && *jump != "-j")
    jump += takes_ebtables_text(*jump) && jump + 1 != words.end() ? 2 : 1;
  Steps steps;
  for (const auto& option : ebtables_options({words.begin(), jump}))
    steps.push_back(step_of(option));
  if (words.end() - jump < 2) return steps;
  auto last = ebtables_target({jump + 1, words.end()}, table, is_chain);
  steps.insert(steps.end(), std::make_move_iterator(last.begin()),
               std::make_move_iterator(last.end()));
  return steps;
}

}  // namespace espial
