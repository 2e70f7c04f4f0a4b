// SPDX-License-Identifier: Apache-2.0
#include "sources/opensvc_api.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace espial {
namespace {

constexpr int kMaxDepth = 16;

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

// Before it is parsed: nesting costs memory and, when it is given back, stack.
bool too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\')
      ++i;
    else if (c == '"')
      in_string = !in_string;
    else if (!in_string && (c == '{' || c == '[') && ++depth > kMaxDepth)
      return true;
    else if (!in_string && (c == '}' || c == ']'))
      --depth;
  }
  return false;
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

const nlohmann::json* member(const nlohmann::json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(name);
  return at == object.end() ? nullptr : &*at;
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
  if (body.size() > kMaxOpensvcAnswer || too_deep(body))
    return Error{"the answer is too large or too deeply nested"};
  const auto json = nlohmann::json::parse(body, nullptr, false);
  const auto* items = json.is_discarded() ? nullptr : member(json, "items");
  if (items == nullptr) return Error{"the answer is no KeywordList (is this agent om3?)"};
  std::map<std::string, std::string> out;
  if (items->is_null()) return out;  // an empty list of Go
  if (!items->is_array()) return Error{"the items of the answer are no list"};
  for (const auto& item : *items) {
    const auto* meta = member(item, "meta");
    const auto* data = member(item, "data");
    const auto* keyword = meta == nullptr ? nullptr : member(*meta, "keyword");
    const auto* value = data == nullptr ? nullptr : member(*data, "value");
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
