// SPDX-License-Identifier: Apache-2.0
#include "exporter/http/listen_address.h"

#include <charconv>

namespace espial {

namespace {

constexpr std::string_view kForms = " (write 127.0.0.1:9754, [::1]:9754 or off)";

Error refuse(std::string_view text, std::string_view cause, std::string_view advice = kForms) {
  return {
      .message = "listen: " + std::string(text) + ": " + std::string(cause) + std::string(advice),
      .failure = Failure::kUsage};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

struct Halves {
  std::string_view host;
  std::string_view port;
  bool bracketed = false;
};

std::optional<Halves> split(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.back() == ']') return std::nullopt;
  Halves out{.host = text.substr(0, colon), .port = text.substr(colon + 1)};
  if (out.host.size() >= 2 && out.host.front() == '[' && out.host.back() == ']') {
    out.bracketed = true;
    out.host = out.host.substr(1, out.host.size() - 2);
  }
  return out;
}

}  // namespace

std::string ListenAddress::text() const {
  const std::string host =
      address.family() == Family::kIpv6 ? "[" + address.text() + "]" : address.text();
  return host + ":" + std::to_string(port);
}

Result<std::optional<ListenAddress>> parse_listen(std::string_view text, bool anywhere) {
  if (text == "off") return std::optional<ListenAddress>{};
  const auto halves = split(text);
  if (!halves) return refuse(text, "no port");
  const auto address = IpAddress::parse(halves->host);
  if (!address) return refuse(text, "'" + std::string(halves->host) + "' is not an IP address");
  if ((address->family() == Family::kIpv6) != halves->bracketed)
    return refuse(text, "brackets are for IPv6 addresses, and needed there");
  const auto port = parse_port(halves->port);
  if (!port) return refuse(text, "'" + std::string(halves->port) + "' is not a port");
  if (!anywhere && !address->loopback())
    return refuse(text, "not a loopback address",
                  " (the endpoint has no authentication: set listen_anywhere: true to allow it)");
  return std::optional(ListenAddress{*address, *port});
}

}  // namespace espial
