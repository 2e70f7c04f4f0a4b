// SPDX-License-Identifier: Apache-2.0
// Text from files, sockets or the wire, made safe for a terminal and for one-line messages.
#pragma once

#include <string>
#include <string_view>

namespace espial {

// text with every byte outside printable ASCII as \xNN and backslash as \\: one column per byte,
// no control sequence, no line break, no other script's look-alikes.
std::string printable(std::string_view text);

// printable(text) in double quotes, inner quotes escaped, cut after 80 bytes: for error messages.
std::string quoted(std::string_view text);

}  // namespace espial
