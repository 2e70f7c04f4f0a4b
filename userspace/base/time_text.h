// SPDX-License-Identifier: Apache-2.0
// Times and durations as text.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace espial {

// Wall-clock time as RFC 3339 section 5.6, always UTC, always milliseconds:
// "2024-05-01T12:00:00.250Z". Parts of a millisecond are cut off, also before 1970. Years outside
// 0000..9999 have no RFC 3339 form and are not produced by any clock we read.
std::string rfc3339(std::chrono::system_clock::time_point time);

// "90", "90s", "5m", "1h": from low to high; nothing: it is none, or not between them.
std::optional<std::chrono::seconds> parse_duration(std::string_view text, std::chrono::seconds low,
                                                   std::chrono::seconds high);

// As parse_duration() takes it, in the largest unit that is exact: "90s", "5m", "1h".
std::string duration_text(std::chrono::seconds duration);

}  // namespace espial
