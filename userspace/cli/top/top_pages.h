// SPDX-License-Identifier: Apache-2.0
// The pages of `espial top` behind the list, whole, as lines of any number: each is scrolled.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/terminal/console.h"

namespace espial {

using TextLines = std::vector<std::string>;

// One peer: what it is, both directions by class and family, alarms, SAs, enforcement, drops,
// flows. flows: the flows document, or null.
TextLines top_peer_page(const nlohmann::json& status, const nlohmann::json& flows,
                        const std::string& name, const RenderStyle& style);

// Every alarm with its evidence and its runbook, those that fire first.
TextLines top_alarms_page(const nlohmann::json& status, const RenderStyle& style);

TextLines top_help_page(const RenderStyle& style);

// text in lines of at most width columns (0: one line), broken between words where that is
// possible.
TextLines wrapped(std::string_view text, std::size_t width, std::size_t indent);

}  // namespace espial
