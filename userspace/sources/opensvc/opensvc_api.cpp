// SPDX-License-Identifier: Apache-2.0
#include "sources/opensvc/opensvc_api.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "json/json_member.h"

namespace espial {
namespace {

constexpr int kMaxJsonDepth = 16;
constexpr std::array<std::string_view, 4> kForbidden{"secret", "password", "passwd", "token"};

std::string escaped(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const unsigned char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
        std::string_view("-._~").find(static_cast<char>(c)) != std::string_view::npos;
    if (plain)
      out += static_cast<char>(c);
    else
      out.append("%").append(1, kHex[c >> 4]).append(1, kHex[c & 15]);
  }
  return out;
}

bool may_ask(std::string_view keyword) {
  return keyword == "cluster.nodes" || (keyword.substr(0, 8) == "network#" && keyword.size() > 8);
}

// What can be said of JSON without parsing or copying any of it.
struct Outline {
  bool too_deep = false;  // nesting costs memory and, when it is given back, stack
  bool has_items = false;
  std::string_view secret;  // which forbidden name it has
};

std::string_view forbidden(std::string_view keyword) {
  keyword = keyword.substr(0, keyword.find('@'));
  const auto dot = keyword.rfind('.');
  if (dot != std::string_view::npos) keyword.remove_prefix(dot + 1);
  const auto* const at = std::find(kForbidden.begin(), kForbidden.end(), keyword);
  return at == kForbidden.end() ? std::string_view() : *at;
}

bool is_key(std::string_view after) {
  const auto next = after.find_first_not_of(" \t\r\n");
  return next != std::string_view::npos && after[next] == ':';
}

// The end of the string that begins behind `at`.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return std::min(at, text.size());
}

Outline outline_of(std::string_view text) {
  Outline out;
  int depth = 0;
  std::string_view key;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c == '{' || c == '[') && ++depth > kMaxJsonDepth) {
      out.too_deep = true;
      return out;
    }
    if (c == '}' || c == ']') --depth;
    if (c != '"') continue;
    const auto end = end_of_string(text, i);
    const auto word = text.substr(i + 1, end - i - 1);
    i = end;
    const bool names = is_key(text.substr(std::min(end + 1, text.size())));
    if (names) key = word;
    if (names && depth == 1 && word == "items") out.has_items = true;
    if ((names || key == "keyword") && out.secret.empty()) out.secret = forbidden(word);
  }
  return out;
}

std::optional<Error> refusal(const Outline& outline) {
  if (outline.secret.empty()) return std::nullopt;
  return Error{"the answer has \"" + std::string(outline.secret) +
               "\", which espial did not ask for: ignored"};
}

// The list of items; null when there are none.
Result<nlohmann::json> items_of(std::string_view body, const char* kind) {
  const Error other{"the answer is not " + std::string(kind) + " (is this agent om3?)"};
  const auto outline = outline_of(body);
  if (body.size() > kMaxOpensvcAnswer || outline.too_deep)
    return Error{"the answer is too large or too deeply nested"};
  if (auto refused = refusal(outline)) return std::move(*refused);
  if (!outline.has_items) return other;
  auto json = nlohmann::json::parse(body, nullptr, false);
  if (json.is_discarded() || !json.is_object() || !json.contains("items")) return other;
  auto& items = json["items"];
  if (!items.is_null() && !items.is_array()) return Error{"the items of the answer are not a list"};
  return std::move(items);
}

Result<std::string> as_text(const nlohmann::json& value) {
  if (value.is_null()) return std::string();
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean() || value.is_number()) return value.dump();
  if (!value.is_array()) return Error{"a value of the answer is neither text nor a list"};
  std::string out;
  for (const auto& word : value) {
    if (!word.is_string()) return Error{"a list of the answer has something else than words"};
    if (!out.empty()) out += ' ';
    out += word.get<std::string>();
  }
  return out;
}

// Of an item of a KeywordList. Its raw value is not looked at: scopes and references are in it.
struct KeywordParts {
  const nlohmann::json* keyword = nullptr;
  const nlohmann::json* value = nullptr;
};
KeywordParts parts_of(const nlohmann::json& item) {
  const auto* meta = member(item, "meta");
  const auto* data = member(item, "data");
  if (meta == nullptr || data == nullptr)
    return {member(item, "keyword"), member(item, "evaluated")};
  return {member(*meta, "keyword"), member(*data, "value")};
}

}  // namespace

Result<std::string> opensvc_config_target(const std::vector<std::string>& keywords,
                                          std::string_view node) {
  if (keywords.empty()) return Error{"no keyword to ask the agent for"};
  std::string out = "/api/cluster/config?evaluate=true";
  for (const auto& keyword : keywords) {
    if (!may_ask(keyword)) return Error{"a keyword that espial must not ask the agent for"};
    out += "&kw=" + escaped(keyword);
  }
  if (!node.empty()) out += "&impersonate=" + escaped(node);
  return out;
}

Result<std::map<std::string, std::string>> parse_keyword_list(
    std::string_view body, const std::vector<std::string>& asked) {
  EP_ASSIGN(items, items_of(body, "KeywordList"));
  std::map<std::string, std::string> out;
  // Go's empty list is null, which iterates as an empty one.
  for (const auto& item : items) {
    const auto [keyword, value] = parts_of(item);
    if (keyword == nullptr || !keyword->is_string() || value == nullptr)
      return Error{"an item of the answer has no keyword or no value"};
    const auto name = keyword->get<std::string>();
    if (std::find(asked.begin(), asked.end(), name) == asked.end())
      return Error{"the answer has a keyword that was not asked for"};
    auto text = as_text(*value);
    if (!text.ok()) return text.error();
    out[name] = std::move(*text);
  }
  return out;
}

Result<std::vector<OpensvcListedNetwork>> parse_network_list(std::string_view body) {
  EP_ASSIGN(items, items_of(body, "NetworkList"));
  std::vector<OpensvcListedNetwork> out;
  const auto text = [](const nlohmann::json& item, const char* name) {
    const auto* value = member(item, name);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
  };
  for (const auto& item : items) {
    out.push_back({text(item, "name"), text(item, "type"), text(item, "network")});
    if (out.back().name.empty()) return Error{"a network of the answer has no name"};
  }
  return out;
}

bool is_unset_keyword(std::string_view body) {
  if (outline_of(body).too_deep) return false;
  const auto problem = nlohmann::json::parse(body, nullptr, false);
  const auto says = [&](const char* name) {
    const auto* value = member(problem, name);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
  };
  // The agent's step that evaluates has this title, and xconfig these words for both.
  const auto detail = says("detail");
  return says("title") == "EvalAs" && (detail.find("does not exist") != std::string::npos ||
                                       detail.find("not found") != std::string::npos);
}

std::optional<Error> refusal_of(std::string_view body) { return refusal(outline_of(body)); }

std::size_t EventStream::feed(std::string_view bytes) {
  std::size_t events = 0;
  for (const char c : bytes) {
    const bool second_half = c == '\n' && last_ == '\r';
    last_ = c;
    if (second_half) continue;
    if (c != '\n' && c != '\r') {
      if (!line_has_text_) comment_ = c == ':';
      line_has_text_ = true;
      continue;
    }
    if (!line_has_text_ && field_) {
      ++events;
      field_ = false;
    }
    if (line_has_text_ && !comment_) field_ = true;
    line_has_text_ = false;
  }
  return events;
}

}  // namespace espial
