// SPDX-License-Identifier: Apache-2.0
#include "base/printable.h"

namespace espial {
namespace {

void append_printable(std::string& out, char c) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (c == '\\') {
    out += "\\\\";
  } else if (byte >= 0x20 && byte < 0x7f) {
    out += c;
  } else {
    out += "\\x";
    out += kHex[byte >> 4];
    out += kHex[byte & 0xf];
  }
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) append_printable(out, c);
  return out;
}

std::string in_quotes(std::string_view text, std::size_t max) {
  std::string out = "\"";
  for (const char c : text.substr(0, max)) {
    if (c == '"') out += '\\';
    append_printable(out, c);
  }
  out += text.size() > max ? "\"..." : "\"";
  return out;
}

}  // namespace espial
