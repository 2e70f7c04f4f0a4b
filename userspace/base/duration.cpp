// SPDX-License-Identifier: Apache-2.0
#include "base/duration.h"

#include <charconv>

namespace espial {

std::optional<std::chrono::seconds> parse_duration(std::string_view text, std::chrono::seconds low,
                                                   std::chrono::seconds high) {
  std::int64_t unit = 1;
  if (!text.empty() && (text.back() == 's' || text.back() == 'm' || text.back() == 'h')) {
    unit = text.back() == 'h' ? 3600 : text.back() == 'm' ? 60 : 1;
    text.remove_suffix(1);
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (number < 0 || number > high.count() / unit) return std::nullopt;
  const std::chrono::seconds duration(number * unit);
  if (duration < low) return std::nullopt;
  return duration;
}

std::string duration_text(std::chrono::seconds duration) {
  const auto count = duration.count();
  if (count != 0 && count % 3600 == 0) return std::to_string(count / 3600) + "h";
  if (count != 0 && count % 60 == 0) return std::to_string(count / 60) + "m";
  return std::to_string(count) + "s";
}

}  // namespace espial
