// SPDX-License-Identifier: Apache-2.0
#include "sources/firewall/nft_values.h"

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace espial {
namespace {

using Json = nlohmann::json;

// "@name" in place of elements.
std::optional<std::string> set_name(const Json& json) {
  if (!json.is_string()) return std::nullopt;
  const auto text = json.get<std::string>();
  if (!text.starts_with('@')) return std::nullopt;
  return text.substr(1);
}

std::optional<Match::Relation> relation_of(std::string_view text) {
  using enum Match::Relation;
  constexpr std::pair<std::string_view, Match::Relation> kKnown[] = {
      {"==", kIs},     {"!=", kIsNot},   {"<", kBelow},   {">", kAbove},
      {"<=", kAtMost}, {">=", kAtLeast}, {"in", kAnyBit}, {"!", kNoBit},
  };
  for (const auto& [name, relation] : kKnown)
    if (name == text) return relation;
  return std::nullopt;
}

// "ct status dnat" alone is understood: has its destination been rewritten?
bool asks_for_dnat(const Match& match, const Json& right) {
  constexpr unsigned kDstNat = 1u << 5;  // IPS_DST_NAT of nf_conntrack_common.h
  return match.keys.size() == 1 && match.keys.front().text == "ct status" &&
         match.keys.front().operations.empty() && match.relation == Match::Relation::kAnyBit &&
         nft_constant(right) == Wide{kDstNat};
}

RuleStep match(const Json& json) {
  const auto relation = relation_of(json.value("op", std::string("==")));
  if (!relation || !json.contains("left") || !json.contains("right"))
    return UnknownMatch{nft_text_of(json)};
  Match match;
  match.relation = *relation;
  match.keys = nft_keys(json["left"]);
  const Json& right = json["right"];
  if (asks_for_dnat(match, right)) {
    match.keys.front().field = Field::kCtDnat;
    match.relation = Match::Relation::kIs;
    match.elements = {{{Interval{1, 1}}, {}, {}, {}}};
    return match;
  }
  if (auto set = set_name(right))
    match.set = std::move(*set);
  else
    match.elements = nft_elements(right, match.keys);
  return match;
}

RuleStep verdict_map(const Json& json) {
  if (!json.contains("key") || !json.contains("data")) return Unknown{nft_text_of(json)};
  VerdictMap map;
  map.keys = nft_keys(json["key"]);
  const Json& data = json["data"];
  if (auto set = set_name(data)) {
    map.set = std::move(*set);
    return map;
  }
  const Json pairs = data.value("set", Json());
  if (!pairs.is_array()) return Unknown{nft_text_of(json)};
  for (const auto& pair : pairs) {
    if (!pair.is_array() || pair.size() != 2) return Unknown{nft_text_of(json)};
    Element element = nft_element(pair[0], map.keys.size());
    element.verdict = nft_verdict(pair[1]);
    if (!element.verdict) return Unknown{nft_text_of(pair)};
    map.elements.push_back(std::move(element));
  }
  return map;
}

RuleStep nat(Nat::Kind kind, const Json& json) {
  Nat nat;
  nat.kind = kind;
  if (!json.is_object()) return nat;
  nat.to = nft_text_of(json);
  if (!json.contains("addr")) {
    // snat and dnat to a port alone; masquerade and redirect choose an address themselves.
    nat.keeps_address = kind == Nat::Kind::kSource || kind == Nat::Kind::kDestination;
    return nat;
  }
  const Json& address = json["addr"];
  if (address.is_string()) nat.address = IpAddress::parse(address.get<std::string>());
  return nat;
}

RuleStep assign(const Json& json) {
  if (!json.contains("key") || !json.contains("value")) return Unknown{nft_text_of(json)};
  Assign assign;
  auto keys = nft_keys(json["key"]);
  if (keys.size() != 1) return Unknown{nft_text_of(json)};
  assign.target = std::move(keys.front());
  const Json& value = json["value"];
  assign.constant = nft_constant(value);
  if (!assign.constant) {
    auto sources = nft_keys(value);
    if (sources.size() == 1 && sources.front().field != Field::kOther)
      assign.copied = std::move(sources.front());
  }
  return assign;
}

RuleStep xt(const Json& json) {
  const auto type = json.value("type", std::string());
  const auto what = "xt " + type + " " + json.value("name", std::string("?"));
  if (type == "match") return UnknownMatch{what};
  // A target may end the chain or go on; LOG and the like cannot be told from what JSON says.
  return Unknown{what};
}

constexpr std::string_view kNftNoEffect[] = {"counter",   "log",        "last",          "dup",
                                             "ct helper", "ct timeout", "ct expectation"};
constexpr std::string_view kStateful[] = {"limit", "quota", "ct count", "set",
                                          "map",   "meter", "flow"};

template <std::size_t N>
bool among(const std::string_view (&list)[N], std::string_view name) {
  for (const auto one : list)
    if (one == name) return true;
  return false;
}

std::optional<RuleStep> structured(const std::string& name, const Json& value) {
  if (name == "match") return match(value);
  if (name == "vmap") return verdict_map(value);
  if (name == "mangle") return assign(value);
  if (name == "snat") return nat(Nat::Kind::kSource, value);
  if (name == "masquerade") return nat(Nat::Kind::kMasquerade, value);
  if (name == "dnat") return nat(Nat::Kind::kDestination, value);
  if (name == "redirect") return nat(Nat::Kind::kRedirect, value);
  if (name == "xt") return xt(value);
  if (name == "notrack") return NoTrack{};
  return std::nullopt;
}

}  // namespace

std::optional<VerdictStep> nft_verdict(const Json& json) {
  if (!json.is_object() || json.size() != 1) return std::nullopt;
  constexpr std::pair<std::string_view, RuleVerdict> kPlain[] = {
      {"accept", RuleVerdict::kAccept},     {"drop", RuleVerdict::kDrop},
      {"continue", RuleVerdict::kContinue}, {"return", RuleVerdict::kReturn},
      {"reject", RuleVerdict::kReject},     {"queue", RuleVerdict::kQueue},
      {"fwd", RuleVerdict::kStolen},
  };
  const std::string name = json.begin().key();
  for (const auto& [word, verdict] : kPlain)
    if (word == name) return VerdictStep{verdict, {}};
  if (name != "jump" && name != "goto") return std::nullopt;
  const Json& to = json.begin().value();
  if (!to.is_object() || !to.contains("target") || !to["target"].is_string()) return std::nullopt;
  return VerdictStep{name == "jump" ? RuleVerdict::kJump : RuleVerdict::kGoto,
                     to["target"].get<std::string>()};
}

RuleStep nft_statement(const Json& json) {
  try {
    // nft 1.0.6 has no JSON for changes of maps: they come as plain text.
    if (json.is_string() && json.get<std::string>().find(" @") != std::string::npos)
      return Stateful{json.get<std::string>()};
    if (!json.is_object() || json.size() != 1) return Unknown{nft_text_of(json)};
    if (auto verdict = nft_verdict(json)) return *verdict;
    const std::string name = json.begin().key();
    if (auto step = structured(name, json.begin().value())) return *step;
    if (among(kNftNoEffect, name)) return NoEffect{name};
    if (among(kStateful, name)) return Stateful{nft_text_of(json)};
    return Unknown{nft_text_of(json)};
  } catch (const Json::exception&) {
    return Unknown{nft_text_of(json)};
  }
}

}  // namespace espial
