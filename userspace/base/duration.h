// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace espial {

// "90", "90s", "5m", "1h": from low to high; nothing: it is none, or not between them.
std::optional<std::chrono::seconds> parse_duration(std::string_view text, std::chrono::seconds low,
                                                   std::chrono::seconds high);

// As parse_duration() takes it, in the largest unit that is exact: "90s", "5m", "1h".
std::string duration_text(std::chrono::seconds duration);

}  // namespace espial
