// SPDX-License-Identifier: Apache-2.0
#include "sources/opensvc/ini_text.h"

#include <algorithm>
#include <set>

#include "base/text.h"

namespace espial {
namespace {

constexpr std::string_view kSpaces = " \t\r\f\v";
constexpr std::size_t kMaxBadLines = 8;

std::string_view stripped(std::string_view text) { return trimmed(text, kSpaces); }

// The first line of text, which loses it and its end of line.
std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

bool comment(std::string_view line) { return !line.empty() && (line[0] == '#' || line[0] == ';'); }

bool indented(std::string_view line) {
  return !line.empty() && kSpaces.find(line[0]) != std::string_view::npos &&
         !stripped(line).empty();
}

bool ends_in_backslash(std::string_view line) {
  line = stripped(line);
  return !line.empty() && line.back() == '\\';
}

// A comment behind a value needs a space before it: "a#b" is a value.
std::string_view without_comment(std::string_view line) {
  for (std::size_t i = 1; i < line.size(); ++i)
    if ((line[i] == '#' || line[i] == ';') && (line[i - 1] == ' ' || line[i - 1] == '\t'))
      return stripped(line.substr(0, i));
  return line;
}

std::string_view without_quotes(std::string_view text) {
  const bool quoted = text.size() >= 2 && text.front() == text.back() &&
                      (text.front() == '"' || text.front() == '\'' || text.front() == '`');
  return quoted ? text.substr(1, text.size() - 2) : text;
}

// The value that begins with `first`, with the lines of rest that belong to it; rest loses them.
std::string_view value_with_rest(std::string_view first, std::string_view& rest) {
  const char* end = first.data() + first.size();
  bool goes_on = ends_in_backslash(first);
  while (!rest.empty()) {
    auto after = rest;
    const auto line = take_line(after);
    if (!goes_on && !indented(line)) break;
    goes_on = ends_in_backslash(line);
    end = line.data() + line.size();
    rest = after;
  }
  return {first.data(), static_cast<std::size_t>(end - first.data())};
}

}  // namespace

IniText::IniText(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark)
    text.remove_prefix(kByteOrderMark.size());
  std::string_view section = "DEFAULT";
  std::set<std::string_view> seen;
  for (int number = 1; !text.empty(); ++number) {
    const auto line = stripped(take_line(text));
    if (line.empty() || comment(line)) continue;
    const auto mark = line.front() == '[' ? line.find(']') : line.find_first_of("=:");
    if (mark == std::string_view::npos || mark == 0) {
      if (bad_lines_.size() < kMaxBadLines) bad_lines_.push_back(number);
      if (line.front() == '[') section = {};  // whose keys follow is unknown
    } else if (line.front() == '[') {
      section = stripped(line.substr(1, mark - 1));
      if (seen.insert(section).second) sections_.push_back(section);
    } else {
      const auto value = value_with_rest(line.substr(mark + 1), text);
      values_[{section, without_quotes(stripped(line.substr(0, mark)))}] = value;
      number += static_cast<int>(std::count(value.begin(), value.end(), '\n'));
    }
  }
}

bool IniText::has(std::string_view section, std::string_view key) const {
  return values_.count({section, key}) != 0;
}

std::optional<std::string> IniText::value(std::string_view section, std::string_view key) const {
  const auto it = values_.find({section, key});
  if (it == values_.end()) return std::nullopt;
  std::string out;
  auto rest = it->second;
  for (bool first = true; !rest.empty(); first = false) {
    auto line = stripped(take_line(rest));
    if (!first && comment(line)) continue;
    if (first && !comment(line)) line = without_comment(line);
    if (ends_in_backslash(line)) line.remove_suffix(1);
    line = stripped(line);
    if (line.empty()) continue;
    if (out.size() + line.size() >= kMaxValue) break;
    out.append(out.empty() ? "" : "\n").append(line);
  }
  return std::string(without_quotes(out));
}

}  // namespace espial
