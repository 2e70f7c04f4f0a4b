// SPDX-License-Identifier: Apache-2.0
#include "exposition/labels.h"

#include <cassert>

#include "utf8.h"

namespace exposition {

namespace {

// Printable ASCII that needs no escape between quotes: nearly every byte of nearly every label.
bool plain(char c) { return c >= ' ' && c < '\x7f' && c != '"' && c != '\\'; }

void append_value(std::string& out, std::string_view value) {
  while (!value.empty()) {
    std::size_t n = 0;
    while (n < value.size() && plain(value[n])) ++n;
    out += value.substr(0, n);
    value.remove_prefix(n);
    if (value.empty()) return;
    const char c = value.front();
    std::size_t taken = 1;
    if (c == '\n')
      out += "\\n";
    else if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (const std::size_t length = utf8_length(value); length > 1)
      out += value.substr(0, taken = length);
    else
      out += kReplacement;
    value.remove_prefix(taken);
  }
}

}  // namespace

Labels::Labels(std::initializer_list<Pair> pairs) {
  for (const auto& [name, value] : pairs) add(name, value);
}

Labels& Labels::add(std::string_view name, std::string_view value) {
  if (!text_.empty()) text_ += ',';
  (text_ += name) += "=\"";
  append_value(text_, value);
  text_ += '"';
  return *this;
}

std::vector<std::pair<std::string, std::string>> pairs_of(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> out;
  while (!text.empty()) {
    const auto name_end = text.find("=\"");
    assert(name_end != std::string_view::npos);
    std::string value;
    std::size_t i = name_end + 2;
    for (; text[i] != '"'; ++i)
      if (text[i] != '\\')
        value += text[i];
      else
        value += text[++i] == 'n' ? '\n' : text[i];
    out.emplace_back(text.substr(0, name_end), std::move(value));
    text.remove_prefix(i + 1);
    if (!text.empty()) text.remove_prefix(1);  // the comma
  }
  return out;
}

}  // namespace exposition
