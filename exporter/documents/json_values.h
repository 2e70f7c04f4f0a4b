// SPDX-License-Identifier: Apache-2.0
// How the documents write values: words as strings, times as RFC 3339, null for what is not known.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/time_text.h"
#include "model/snapshot.h"

namespace espial {

inline nlohmann::json text_of(std::string_view text) { return std::string(text); }

inline nlohmann::json time_of(const std::optional<WallTime>& time) {
  return time ? nlohmann::json(rfc3339(*time)) : nlohmann::json(nullptr);
}

}  // namespace espial
