// SPDX-License-Identifier: Apache-2.0
// What changed between two texts, line by line.
#pragma once

#include <string>
#include <string_view>

namespace espial {

// Hunks of "@@ LINE @@" (from 1, in the new text), then "-" and "+" lines, without context; empty
// when nothing changed. Minimal up to some thousand changed lines, beyond that one hunk of all.
std::string line_diff(std::string_view before, std::string_view after);

}  // namespace espial
