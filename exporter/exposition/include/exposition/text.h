// SPDX-License-Identifier: Apache-2.0
// The Prometheus text exposition format 0.0.4.
#pragma once

#include <string>
#include <string_view>

#include "exposition/family.h"

namespace exposition {

// What an answer with append_text()'s text says of itself.
inline constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

// Appends a family: HELP, TYPE, then a line for each series. Whole numbers below 2^53 appear as
// such, others as short as they can be read back exactly; NaN, +Inf and -Inf as the format has
// them.
void append_text(std::string& out, const Family& family);

}  // namespace exposition
