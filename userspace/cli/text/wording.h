// SPDX-License-Identifier: Apache-2.0
// Numbers, times and fields of JSON documents as people read them. Nothing here throws on a
// document of another shape: what is missing reads as empty or zero.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace espial {

// Member key of object; null when there is none.
const nlohmann::json& field(const nlohmann::json& object, std::string_view key);
// A text member, printable().
std::string text_field(const nlohmann::json& object, std::string_view key);
std::uint64_t count_field(const nlohmann::json& object, std::string_view key);
bool true_field(const nlohmann::json& object, std::string_view key);
// {"ipv4": N, "ipv6": N} as one number.
std::uint64_t both_families(const nlohmann::json& object);

// 1234567 -> "1,234,567".
std::string grouped(std::uint64_t number);
// Per second: "0", "3.4", "1,234"; "-" when seconds is 0.
std::string rate(std::uint64_t amount, std::uint64_t seconds);
// Bits per second of bytes over seconds: "0", "640", "1.2 k", "3.4 M", "10.0 G"; "-".
std::string bit_rate(std::uint64_t bytes, std::uint64_t seconds);
// A coverage (0..1 or null) as "100 %", "99.99 %", "0 %", "-"; never rounds up to 100 or down to 0.
std::string percent(const nlohmann::json& coverage);
// A number of seconds as "12 ms" or "3.4 s".
std::string seconds_text(const nlohmann::json& seconds);

// RFC 3339: "2026-01-02T03:04:05.678Z", also with an offset; to the second.
std::optional<std::chrono::sys_seconds> parse_time(std::string_view text);
// "12 s ago", "3 min ago", "5 h ago", "2 d ago"; then's own text when either is unreadable.
std::string ago(const std::string& then, const std::string& now);

}  // namespace espial
