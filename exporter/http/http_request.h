// SPDX-License-Identifier: Apache-2.0
// The head of one HTTP/1.x request (RFC 9112 sections 3 and 5), as far as a read-only endpoint
// needs it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace espial {

// Where the head ends, behind its empty line; nothing if it is not complete yet.
std::optional<std::size_t> head_end(std::string_view received);

struct HttpRequest {
  std::string method;  // as sent, a token
  std::string path;    // without the query; not percent-decoded, for no path of ours needs it
  bool accepts_gzip = false;
  std::optional<std::string> host{};  // as sent; HTTP/1.0 may have none
};

// Is this Host no name that somebody else's DNS could point at a loopback address (DNS rebinding)?
// An IP address, localhost, a name below localhost, or own_name; with or without port.
bool is_loopback_host(std::string_view host, std::string_view own_name);

// head: up to and with its empty line. Nothing if it is not a request in origin form of HTTP/1.0
// or 1.1: whatever is doubtful (bare LF, folded lines, spaces before a colon) is refused.
std::optional<HttpRequest> parse_request(std::string_view head);

}  // namespace espial
