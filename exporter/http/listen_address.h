// SPDX-License-Identifier: Apache-2.0
// ListenAddress: where the HTTP endpoint listens, from the configuration's `listen`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace espial {

struct ListenAddress {
  IpAddress address;
  std::uint16_t port = 0;  // 0: the kernel chooses

  [[nodiscard]] std::string text() const;  // "127.0.0.1:9754", "[::1]:9754"
  bool operator==(const ListenAddress&) const = default;
};

// "ADDRESS:PORT" or "[ADDRESS]:PORT"; "off" is nothing to listen on. Names are refused: what a
// resolver says may change. An address that is not loopback needs `anywhere`, because the endpoint
// has neither TLS nor authentication.
Result<std::optional<ListenAddress>> parse_listen(std::string_view text, bool anywhere);

// A listening TCP socket for a ListenAddress.
// Non-blocking. The error says "ADDRESS: listen: CAUSE (what to do)".
Result<UniqueFd> listen_on(const ListenAddress& listen);

// `listen` with the port that the kernel chose, if it was 0.
Result<ListenAddress> bound_address(int fd, const ListenAddress& listen);

}  // namespace espial
