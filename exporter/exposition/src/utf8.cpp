// SPDX-License-Identifier: Apache-2.0
#include "utf8.h"

namespace exposition {

namespace {

bool continues(std::string_view text, std::size_t i) {
  return i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t n) { return static_cast<unsigned char>(text[n]); };
  if (text.empty()) return 0;
  const unsigned lead = byte(0);
  if (lead < 0x80U) return 1;
  if (lead < 0xC2U || lead > 0xF4U || !continues(text, 1)) return 0;
  if (lead < 0xE0U) return 2;
  const unsigned second = byte(1);
  if (!continues(text, 2)) return 0;
  if (lead < 0xF0U) {
    const bool overlong = lead == 0xE0U && second < 0xA0U;
    const bool surrogate = lead == 0xEDU && second > 0x9FU;
    return overlong || surrogate ? 0 : 3;
  }
  const bool out_of_range = (lead == 0xF0U && second < 0x90U) || (lead == 0xF4U && second > 0x8FU);
  return out_of_range || !continues(text, 3) ? 0 : 4;
}

}  // namespace exposition
