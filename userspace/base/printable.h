// SPDX-License-Identifier: Apache-2.0
// Text from files, sockets or the wire, made safe for a terminal and for one-line messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace espial {

// text with every byte outside printable ASCII as \xNN and backslash as \\: one column per byte,
// no control sequence, no line break, no other script's look-alikes.
std::string printable(std::string_view text);

// printable(text) in double quotes, inner quotes escaped, cut after max bytes of text with "...".
// Uncut, it is also a YAML double-quoted scalar for the same bytes.
std::string in_quotes(std::string_view text, std::size_t max = 80);

}  // namespace espial
