// SPDX-License-Identifier: Apache-2.0
#include "sources/firewall/nft_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "sources/firewall/nft_values.h"

namespace espial {
namespace {

using Json = nlohmann::json;

// nlohmann builds deep values without recursion, our readers do not: refuse before they start.
bool too_deep(std::string_view text) {
  unsigned depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') ++i;
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if ((c == '{' || c == '[') && ++depth > kNftJsonDepth) return true;
    if ((c == '}' || c == ']') && depth > 0) --depth;
  }
  return false;
}

template <typename T>
T named(const std::string& text, std::initializer_list<T> all) {
  for (const T value : all)
    if (to_string(value) == text) return value;
  throw std::runtime_error("'" + text + "' is not known");
}

TableFamily nft_family(const Json& object) {
  using enum TableFamily;
  return named(object.at("family").get<std::string>(), {kIp, kIp6, kInet, kBridge, kNetdev, kArp});
}

PacketHook hook_of(const Json& object) {
  using enum PacketHook;
  return named(object.at("hook").get<std::string>(),
               {kIngress, kPrerouting, kInput, kForward, kOutput, kPostrouting, kEgress});
}

ChainType type_of(const std::string& text) {
  if (text == "filter") return ChainType::kFilter;
  if (text == "nat") return ChainType::kNat;
  if (text == "route") return ChainType::kRoute;
  throw std::runtime_error("chain type '" + text + "' is not known");
}

// In the order of the listing; the readers throw, ruleset_from_nft_json() turns it into an Error.
class NftReader {
 public:
  Ruleset take() { return std::move(ruleset_); }

  void read(const std::string& what, const Json& object) {
    if (what == "metainfo") return metainfo(object);
    if (what == "table") return table(object);
    Table& owner = table_of(object);
    if (what == "chain") return chain(owner, object);
    if (what == "rule") return rule(owner, object);
    if (what == "set" || what == "map") return set(owner, object);
    owner.objects.push_back(what + " " + object.value("name", std::string("?")));
  }

 private:
  static void metainfo(const Json& object) {
    const int version = object.at("json_schema_version").get<int>();
    if (version != 1) throw std::runtime_error("JSON schema " + std::to_string(version));
  }

  void table(const Json& object) {
    Table table;
    table.family = nft_family(object);
    table.name = object.at("name").get<std::string>();
    table.flags_unclear = object.contains("flags");
    ruleset_.tables.push_back(std::move(table));
  }

  Table& table_of(const Json& object) {
    const auto family = nft_family(object);
    const auto name = object.at("table").get<std::string>();
    // Objects follow their table in the listing, so the newest is the likeliest.
    for (auto table = ruleset_.tables.rbegin(); table != ruleset_.tables.rend(); ++table)
      if (table->family == family && table->name == name) return *table;
    throw std::runtime_error("table '" + name + "' was not listed");
  }

  static void chain(Table& table, const Json& object) {
    Chain chain;
    chain.name = object.at("name").get<std::string>();
    if (object.contains("hook")) {
      BaseChain base;
      base.hook = hook_of(object);
      base.type = type_of(object.at("type").get<std::string>());
      base.priority = object.at("prio").get<int>();
      base.policy_drop = object.value("policy", std::string("accept")) == "drop";
      chain.base = std::move(base);
    }
    table.chains.push_back(std::move(chain));
  }

  static void rule(Table& table, const Json& object) {
    const auto name = object.at("chain").get<std::string>();
    const auto chain = std::find_if(table.chains.rbegin(), table.chains.rend(),
                                    [&](const Chain& one) { return one.name == name; });
    if (chain == table.chains.rend()) throw std::runtime_error("chain '" + name + "' not listed");
    Rule rule;
    rule.handle = object.at("handle").get<std::uint64_t>();
    const Json& steps = object.at("expr");
    for (const auto& step : steps) rule.steps.push_back(nft_statement(step));
    rule.text = nft_text_of(steps);
    chain->rules.push_back(std::move(rule));
  }

  static void set(Table& table, const Json& object) {
    Set set;
    set.name = object.at("name").get<std::string>();
    const Json type = object.value("type", Json());
    const std::size_t fields = type.is_array() ? type.size() : 1;
    const bool verdicts = object.value("map", Json()) == "verdict";
    const Json flags = object.value("flags", Json::array());
    set.dynamic = std::find(flags.begin(), flags.end(), "dynamic") != flags.end();
    const Json elements = object.value("elem", Json::array());
    if (!elements.is_array()) throw std::runtime_error("elements of '" + set.name + "'");
    for (const auto& item : elements) {
      const bool pair = object.contains("map") && item.is_array() && item.size() == 2;
      Element element = nft_element(pair ? item[0] : item, fields);
      if (pair && verdicts) element.verdict = nft_verdict(item[1]);
      set.elements.push_back(std::move(element));
    }
    table.sets.push_back(std::move(set));
  }

  Ruleset ruleset_;
};

}  // namespace

Result<Ruleset> ruleset_from_nft_json(std::string_view text) {
  if (text.size() > kNftJsonMax)
    return Error{"nft: " + std::to_string(text.size()) + " bytes of rules, more than espial reads"};
  if (too_deep(text)) return Error{"nft: JSON nested deeper than any rule"};
  try {
    const Json json = Json::parse(text);
    NftReader reader;
    for (const auto& item : json.at("nftables"))
      for (const auto& [what, object] : item.items()) reader.read(what, object);
    return reader.take();
  } catch (const std::exception& cause) {
    return Error{std::string("nft: its JSON is not understood: ") + cause.what()};
  }
}

bool has_opaque_xt(const Table& table) {
  const auto opaque = [](const RuleStep& step) {
    const auto* match = std::get_if<UnknownMatch>(&step);
    const auto* any = std::get_if<Unknown>(&step);
    return (match != nullptr && match->what.starts_with("xt ")) ||
           (any != nullptr && any->what.starts_with("xt "));
  };
  for (const auto& chain : table.chains)
    for (const auto& rule : chain.rules)
      if (std::any_of(rule.steps.begin(), rule.steps.end(), opaque)) return true;
  return false;
}

}  // namespace espial
