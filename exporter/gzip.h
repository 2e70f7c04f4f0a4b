// SPDX-License-Identifier: Apache-2.0
// gzip of a whole body (RFC 1952), for clients that accept it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace espial {

// True if an Accept-Encoding header names gzip without refusing it (RFC 9110 section 12.5.3).
bool accepts_gzip(std::string_view accept_encoding);

// The compressed body; nothing if zlib has no memory.
std::optional<std::string> gzip(std::string_view body);

}  // namespace espial
