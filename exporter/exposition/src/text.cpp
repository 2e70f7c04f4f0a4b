// SPDX-License-Identifier: Apache-2.0
#include "exposition/text.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace exposition {

namespace {

constexpr std::size_t kValueSize = 32;  // more than any double takes, 24

char* put(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

char* put_value(char* at, double value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (std::abs(value) < kExact) {
    const auto whole = static_cast<std::int64_t>(value);
    if (static_cast<double>(whole) == value && (whole != 0 || !std::signbit(value)))
      return std::to_chars(at, at + kValueSize, whole).ptr;
  }
  if (std::isnan(value)) return put(at, "NaN");
  if (std::isinf(value)) return put(at, value < 0 ? "-Inf" : "+Inf");
  return std::to_chars(at, at + kValueSize, value).ptr;
}

// A HELP line escapes no quotes.
void append_help(std::string& out, std::string_view help) {
  for (const char c : help)
    if (c == '\n')
      out += "\\n";
    else if (c == '\\')
      out += "\\\\";
    else
      out += c;
}

}  // namespace

void append_text(std::string& out, const Family& family) {
  out.append("# HELP ").append(family.name) += ' ';
  append_help(out, family.help);
  out.append("\n# TYPE ").append(family.name);
  out += family.type == Type::kCounter ? " counter\n" : " gauge\n";

  // Room for all of the lines at once, so that each piece is a copy and no more.
  constexpr std::size_t kAround = sizeof "{} \n" - 1 + kValueSize;
  const std::size_t begin = out.size();
  out.resize(begin + family.labels.size() + family.series.size() * (family.name.size() + kAround));
  char* at = out.data() + begin;
  std::size_t labels_begin = 0;
  for (const Series& series : family.series) {
    at = put(at, family.name);
    if (series.labels_end != labels_begin) {
      *at++ = '{';
      at = put(
          at,
          std::string_view(family.labels).substr(labels_begin, series.labels_end - labels_begin));
      *at++ = '}';
    }
    *at++ = ' ';
    at = put_value(at, series.value);
    *at++ = '\n';
    labels_begin = series.labels_end;
  }
  out.resize(static_cast<std::size_t>(at - out.data()));
}

}  // namespace exposition
