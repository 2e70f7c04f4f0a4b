// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

namespace exposition {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Length of the UTF-8 sequence that `text` begins with (RFC 3629 section 4), 0 if it begins with
// none.
[[nodiscard]] std::size_t utf8_length(std::string_view text);

}  // namespace exposition
