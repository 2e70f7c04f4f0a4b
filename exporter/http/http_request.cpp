// SPDX-License-Identifier: Apache-2.0
#include "exporter/http/http_request.h"

#include <algorithm>

#include "base/ip.h"
#include "exporter/http/gzip.h"

namespace espial {

namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";

// RFC 9110 section 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view kPunctuation = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kPunctuation.find(c) != std::string_view::npos;
  });
}

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

bool is_field_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

std::string trimmed_value(std::string_view value) {
  const auto first = value.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return std::string(value.substr(first, value.find_last_not_of(" \t") - first + 1));
}

// Cuts the next line off `rest`; the head is known to end in an empty line.
std::string_view next_line(std::string_view& rest) {
  const std::size_t end = rest.find(kLineEnd);
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + kLineEnd.size());
  return line;
}

std::optional<HttpRequest> parse_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return std::nullopt;
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method) || target.empty() || target.front() != '/' || !is_visible(target))
    return std::nullopt;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return std::nullopt;
  return HttpRequest{.method = std::string(method),
                     .path = std::string(target.substr(0, target.find('?')))};
}

}  // namespace

bool is_loopback_host(std::string_view host, std::string_view own_name) {
  if (!host.empty() && host.front() == '[') {
    const auto end = host.find(']');
    return end != std::string_view::npos && IpAddress::parse(host.substr(1, end - 1)).has_value();
  }
  const auto name = host.substr(0, host.find(':'));
  constexpr std::string_view kLocal = "localhost", kBelow = ".localhost";
  const bool below = name.size() > kBelow.size() &&
                     equal_ignoring_case(name.substr(name.size() - kBelow.size()), kBelow);
  return below || equal_ignoring_case(name, kLocal) || IpAddress::parse(name).has_value() ||
         (!own_name.empty() && equal_ignoring_case(name, own_name));
}

std::optional<std::size_t> head_end(std::string_view received) {
  const std::size_t end = received.find(kHeadEnd);
  if (end == std::string_view::npos) return std::nullopt;
  return end + kHeadEnd.size();
}

std::optional<HttpRequest> parse_request(std::string_view head) {
  if (head_end(head) != head.size()) return std::nullopt;
  auto request = parse_request_line(next_line(head));
  if (!request) return std::nullopt;
  for (std::string_view line = next_line(head); !line.empty(); line = next_line(head)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)) ||
        !is_field_value(line.substr(colon + 1)))
      return std::nullopt;
    if (equal_ignoring_case(line.substr(0, colon), "Host")) {
      if (request->host) return std::nullopt;  // RFC 9112, 3.2
      request->host = trimmed_value(line.substr(colon + 1));
    }
    if (equal_ignoring_case(line.substr(0, colon), "Accept-Encoding"))
      request->accepts_gzip = accepts_gzip(line.substr(colon + 1));
  }
  return request;
}

}  // namespace espial
