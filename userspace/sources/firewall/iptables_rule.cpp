// SPDX-License-Identifier: Apache-2.0
#include "sources/firewall/iptables_rule.h"

#include <algorithm>
#include <utility>

#include "sources/firewall/iptables_matches.h"

namespace espial {
namespace {

using Words = std::vector<std::string>;

std::string joined(const Words& words, std::size_t first, std::size_t last) {
  std::string text;
  for (std::size_t i = first; i < last; ++i) text.append(text.empty() ? "" : " ").append(words[i]);
  return text;
}

// Options whose value is free text and may look like an option itself.
bool takes_iptables_text(std::string_view word) {
  constexpr std::string_view kText[] = {"--comment", "--string", "--hex-string", "--name"};
  return std::find(std::begin(kText), std::end(kText), word) != std::end(kText);
}

// The end of the group of options that begins at first: the next -m, -j or -g.
std::size_t group_end(const Words& words, std::size_t first) {
  for (std::size_t i = first; i < words.size(); ++i) {
    if (takes_iptables_text(words[i])) {
      ++i;
      continue;
    }
    if (words[i] == "-m" || words[i] == "-j" || words[i] == "-g") return i;
  }
  return words.size();
}

// Everything before the next option is a value; "!" belongs to the option after it.
std::vector<IptablesOption> iptables_options(const Words& words, std::size_t first,
                                             std::size_t last) {
  std::vector<IptablesOption> options;
  bool negated = false;
  for (std::size_t i = first; i < last; ++i) {
    if (words[i] == "!") {
      negated = true;
      continue;
    }
    if (words[i].starts_with('-') || options.empty()) {
      options.push_back({std::exchange(negated, false), words[i], {}});
      if (takes_iptables_text(words[i]) && i + 1 < last)
        options.back().values.push_back(words[++i]);
      continue;
    }
    options.back().values.push_back(words[i]);
  }
  return options;
}

std::string single_value(const std::vector<IptablesOption>& options, std::string_view name) {
  for (const auto& option : options)
    if (option.name == name && option.values.size() == 1) return option.values[0];
  return {};
}

bool has(const std::vector<IptablesOption>& options, std::string_view name) {
  return std::any_of(options.begin(), options.end(),
                     [&](const IptablesOption& option) { return option.name == name; });
}

// "10.0.0.1", "10.0.0.1:80", "10.0.0.1-10.0.0.9", ":80", "[fd00::1]:80".
Nat nat_to(Nat::Kind kind, std::string text) {
  Nat nat;
  nat.kind = kind;
  nat.to = text;
  nat.keeps_address = text.starts_with(':');
  if (text.starts_with('['))
    text = text.substr(1, text.find(']') - 1);
  else if (std::count(text.begin(), text.end(), ':') == 1)
    text.erase(text.find(':'));
  nat.address = IpAddress::parse(text);
  return nat;
}

Key mark_key(Field field) {
  Key key;
  key.field = field;
  key.text = field == Field::kMark ? "mark" : "ct mark";
  return key;
}

// --set-xmark V/M: clear M, then flip V. Others, as partial copies, leave a mark that is not known.
Assign assign_mark(Field field, const std::vector<IptablesOption>& options) {
  Assign assign;
  assign.target = mark_key(field);
  if (const auto mark = iptables_masked(single_value(options, "--set-xmark"))) {
    if (mark->mask == 0xffffffff) {
      assign.constant = mark->value;
    } else {
      assign.copied = mark_key(field);
      assign.copied->operations = {{BitOperation::Kind::kAnd, 0xffffffff & ~mark->mask},
                                   {BitOperation::Kind::kXor, mark->value}};
    }
  }
  return assign;
}

RuleStep connmark(const std::vector<IptablesOption>& options) {
  if (has(options, "--set-xmark")) return assign_mark(Field::kCtMark, options);
  const bool restore = has(options, "--restore-mark");
  if (!restore && !has(options, "--save-mark")) return Unknown{"-j CONNMARK"};
  Assign assign;
  assign.target = mark_key(restore ? Field::kMark : Field::kCtMark);
  const auto whole = [&](std::string_view name) {
    const auto mask = single_value(options, name);
    return mask.empty() || iptables_number(mask) == 0xffffffff;
  };
  if (whole("--nfmask") && whole("--ctmask"))
    assign.copied = mark_key(restore ? Field::kCtMark : Field::kMark);
  return assign;
}

constexpr std::string_view kIptablesNoEffect[] = {
    "LOG",         "NFLOG",    "ULOG",      "TRACE",   "AUDIT",       "CLASSIFY", "TCPMSS",
    "DSCP",        "TOS",      "TTL",       "HL",      "SET",         "TEE",      "SECMARK",
    "CONNSECMARK", "CHECKSUM", "IDLETIMER", "RATEEST", "TCPOPTSTRIP", "LED"};

std::optional<RuleStep> verdict_of(std::string_view name) {
  constexpr std::pair<std::string_view, RuleVerdict> kKnown[] = {
      {"ACCEPT", RuleVerdict::kAccept}, {"DROP", RuleVerdict::kDrop},
      {"RETURN", RuleVerdict::kReturn}, {"REJECT", RuleVerdict::kReject},
      {"NFQUEUE", RuleVerdict::kQueue}, {"QUEUE", RuleVerdict::kQueue}};
  for (const auto& [word, verdict] : kKnown)
    if (word == name) return VerdictStep{verdict, {}};
  return std::nullopt;
}

RuleStep iptables_target(const Words& words, std::size_t first) {
  const std::string& name = words[first];
  const auto options = iptables_options(words, first + 1, words.size());
  if (const auto verdict = verdict_of(name)) return *verdict;
  if (std::find(std::begin(kIptablesNoEffect), std::end(kIptablesNoEffect), name) !=
      std::end(kIptablesNoEffect))
    return NoEffect{name};
  if (name == "SNAT") return nat_to(Nat::Kind::kSource, single_value(options, "--to-source"));
  if (name == "DNAT")
    return nat_to(Nat::Kind::kDestination, single_value(options, "--to-destination"));
  if (name == "NETMAP") return Nat{Nat::Kind::kNetmap, {}, false, single_value(options, "--to")};
  if (name == "MASQUERADE") return Nat{Nat::Kind::kMasquerade, {}, false, "MASQUERADE"};
  if (name == "REDIRECT") return Nat{Nat::Kind::kRedirect, {}, false, "REDIRECT"};
  if (name == "MARK") return assign_mark(Field::kMark, options);
  if (name == "CONNMARK") return connmark(options);
  if (name == "NOTRACK") return NoTrack{};
  if (name == "CT") {
    if (has(options, "--notrack")) return NoTrack{};
    return NoEffect{"CT"};
  }
  // A chain of the rule's own table has no options; an extension that is not known may do anything.
  constexpr std::string_view kEnders[] = {"SYNPROXY", "TPROXY", "HMARK", "ECN"};
  if (options.empty() &&
      std::find(std::begin(kEnders), std::end(kEnders), name) == std::end(kEnders))
    return VerdictStep{RuleVerdict::kJump, name};
  return Unknown{"-j " + joined(words, first, words.size())};
}

}  // namespace

std::vector<std::string> iptables_words(std::string_view line) {
  Words words;
  std::string word;
  bool open = false;
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '\\' && i + 1 < line.size()) {
      word += line[++i];
      open = true;
    } else if (c == '"') {
      quoted = !quoted;
      open = true;
    } else if (!quoted && (c == ' ' || c == '\t')) {
      if (std::exchange(open, false)) words.push_back(std::exchange(word, {}));
    } else {
      word += c;
      open = true;
    }
  }
  if (open) words.push_back(std::move(word));
  return words;
}

Rule iptables_rule(const Words& words) {
  Rule rule;
  std::size_t at = 0;
  std::string module;
  for (;;) {
    const std::size_t end = group_end(words, at);
    if (end > at || !module.empty()) {
      if (auto steps = iptables_match(module, iptables_options(words, at, end)))
        rule.steps.insert(rule.steps.end(), std::make_move_iterator(steps->begin()),
                          std::make_move_iterator(steps->end()));
      else
        rule.steps.emplace_back(
            UnknownMatch{(module.empty() ? "" : "-m " + module + " ") + joined(words, at, end)});
    }
    if (end + 1 >= words.size()) break;
    if (words[end] == "-g")
      rule.steps.emplace_back(VerdictStep{RuleVerdict::kGoto, words[end + 1]});
    if (words[end] == "-j") rule.steps.push_back(iptables_target(words, end + 1));
    if (words[end] != "-m") break;
    module = words[end + 1];
    at = end + 2;
  }
  return rule;
}

}  // namespace espial
