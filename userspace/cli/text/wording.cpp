// SPDX-License-Identifier: Apache-2.0
#include "cli/text/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/printable.h"

namespace espial {

const nlohmann::json& field(const nlohmann::json& object, std::string_view key) {
  static const nlohmann::json kNull;
  if (!object.is_object()) return kNull;
  const auto it = object.find(key);
  return it == object.end() ? kNull : *it;
}

std::string text_field(const nlohmann::json& object, std::string_view key) {
  const auto& value = field(object, key);
  return value.is_string() ? printable(value.get_ref<const std::string&>()) : std::string();
}

std::uint64_t count_field(const nlohmann::json& object, std::string_view key) {
  const auto& value = field(object, key);
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (!value.is_number()) return 0;
  const double number = value.get<double>();
  return number >= 1 && number < 1.8e19 ? static_cast<std::uint64_t>(number) : 0;
}

bool true_field(const nlohmann::json& object, std::string_view key) {
  const auto& value = field(object, key);
  return value.is_boolean() && value.get<bool>();
}

std::uint64_t both_families(const nlohmann::json& object) {
  return count_field(object, "ipv4") + count_field(object, "ipv6");
}

std::string grouped(std::uint64_t number) {
  auto out = std::to_string(number);
  for (auto i = static_cast<std::ptrdiff_t>(out.size()) - 3; i > 0; i -= 3)
    out.insert(static_cast<std::size_t>(i), 1, ',');
  return out;
}

std::string rate(std::uint64_t amount, std::uint64_t seconds) {
  if (seconds == 0) return "-";
  const double value = static_cast<double>(amount) / static_cast<double>(seconds);
  if (amount == 0) return "0";
  if (value < 0.1) return "<0.1";
  return value < 99.95 ? fmt::format("{:.1f}", value)
                       : grouped(static_cast<std::uint64_t>(std::llround(value)));
}

std::string bit_rate(std::uint64_t bytes, std::uint64_t seconds) {
  if (seconds == 0) return "-";
  double value = static_cast<double>(bytes) * 8 / static_cast<double>(seconds);
  if (value < 999.5) return fmt::format("{:.0f}", value);
  for (const std::string_view unit : {"k", "M", "G"}) {
    value /= 1000;
    if (value < 999.95) return fmt::format("{:.1f} {}", value, unit);
  }
  return fmt::format("{:.1f} T", value / 1000);
}

std::string percent(const nlohmann::json& coverage) {
  if (!coverage.is_number()) return "-";
  const double value = coverage.get<double>();
  if (value >= 1) return "100 %";
  if (!(value > 0)) return "0 %";
  const double floored = std::floor(value * 10000) / 100;
  return floored < 0.01 ? "<0.01 %" : fmt::format("{:.2f} %", floored);
}

std::string seconds_text(const nlohmann::json& seconds) {
  const double value = seconds.is_number() ? seconds.get<double>() : 0;
  return value < 1 ? fmt::format("{:.0f} ms", value * 1000) : fmt::format("{:.1f} s", value);
}

namespace {

// The number in text[at, at+length), which must be digits only.
std::optional<int> number_at(std::string_view text, std::size_t at, std::size_t length) {
  if (text.size() < at + length) return std::nullopt;
  const auto part = text.substr(at, length);
  int value = 0;
  const auto [end, error] = std::from_chars(part.begin(), part.end(), value);
  if (error != std::errc() || end != part.end() || part.front() == '-') return std::nullopt;
  return value;
}

// "Z", "+02:00" or "-02:00" as what it is ahead of UTC.
std::optional<std::chrono::minutes> zone_offset(std::string_view zone) {
  if (zone == "Z" || zone == "z") return std::chrono::minutes(0);
  if (zone.size() != 6 || zone[3] != ':' || (zone[0] != '+' && zone[0] != '-')) return std::nullopt;
  const auto hours = number_at(zone, 1, 2);
  const auto minutes = number_at(zone, 4, 2);
  if (!hours || !minutes) return std::nullopt;
  return std::chrono::minutes((*hours * 60 + *minutes) * (zone[0] == '-' ? -1 : 1));
}

}  // namespace

std::optional<std::chrono::sys_seconds> parse_time(std::string_view text) {
  const auto year = number_at(text, 0, 4);
  const auto month = number_at(text, 5, 2);
  const auto day = number_at(text, 8, 2);
  const auto hour = number_at(text, 11, 2);
  const auto minute = number_at(text, 14, 2);
  const auto second = number_at(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  auto zone = text.substr(19);
  if (!zone.empty() && zone.front() == '.')
    zone.remove_prefix(std::min(zone.find_first_not_of("0123456789", 1), zone.size()));
  const auto offset = zone_offset(zone);
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!offset || !date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second) - *offset;
}

std::string ago(const std::string& then, const std::string& now) {
  const auto from = parse_time(then);
  const auto to = parse_time(now);
  if (!from || !to) return then;
  const auto seconds = std::max<std::int64_t>((*to - *from).count(), 0);
  if (seconds < 120) return fmt::format("{} s ago", seconds);
  if (seconds < 2 * 3600) return fmt::format("{} min ago", seconds / 60);
  if (seconds < 2 * 86400) return fmt::format("{} h ago", seconds / 3600);
  return fmt::format("{} d ago", seconds / 86400);
}

}  // namespace espial
